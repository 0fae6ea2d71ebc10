"""Trained models on disk: our own checkpoints, and the .pth files of the reference framework.

Ours are two files: NAME.safetensors (weights, nothing that can run) and NAME.json (what they are).
"""

import hashlib
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_file, read_file, read_json, to_json
from ocrkit.models.recognizer import Recognizer, parse_name
from ocrkit.models.transformation import TPS, spline_matrices
from ocrkit.schemas import CheckpointNote

FORMAT = 1

# Our names -> the reference's, applied in this order to the start of a state-dict key.
_RENAMES = tuple(
    (re.compile(ours), theirs)
    for ours, theirs in (
        (r"^transformation\.localization\.conv", "Transformation.LocalizationNetwork.conv"),
        (
            r"^transformation\.localization\.fc",
            "Transformation.LocalizationNetwork.localization_fc",
        ),
        (r"^features\.", "FeatureExtraction.ConvNet."),
        (r"^sequence\.", "SequenceModeling."),
        (r"^head\.(i2h|h2h|score|rnn)\.", r"Prediction.attention_cell.\1."),
        (r"^head\.", "Prediction."),
        # the gated recurrent convolution's layers
        (r"\.steps\.", ".GRCL."),
        (r"\.bn_gate_input\.", ".BN_gfu."),
        (r"\.bn_gate_state\.", ".BN_grx."),
        (r"\.bn_input\.", ".BN_fu."),
        (r"\.bn_state\.", ".BN_rx."),
        (r"\.bn_gated\.", ".BN_Gx."),
        (r"\.bn_first\.", ".BN_x_init."),
        (r"\.gate_input\.", ".wgf_u."),
        (r"\.gate_state\.", ".wgr_x."),
        (r"\.wide_input\.", ".wf_u."),
        (r"\.wide_state\.", ".wr_x."),
    )
)
# The reference stores its TPS grid; ours is rebuilt, because it depends on the image's width.
_GRID = "Transformation.GridGenerator."


def reference_name(key: str) -> str:
    """The reference framework's name of one of our state-dict keys."""
    for ours, theirs in _RENAMES:
        key = ours.sub(theirs, key)
    return key


def save_checkpoint(
    model: Recognizer, path: str | Path, charset: str, half: bool = False, **info: Any
) -> Path:
    """Write PATH.safetensors and PATH.json, whole or not at all.

    charset: the characters in the order of their ids. half: store matrices and kernels in float16,
    for half the size. info: whatever JSON can hold (steps=2000).
    Returns the path of the weights. Raises OcrkitError when the charset does not fit the model or a
    weight is not finite.
    """
    _check_classes(model.name, model.classes, charset)
    stem = _stem(path)
    state = {key: value.detach().cpu().contiguous() for key, value in _kept(model).items()}
    if half:  # not norms and biases: a running variance can be larger than float16 holds
        state = {key: value.half() if value.ndim > 1 else value for key, value in state.items()}
    check_finite(state, stem.name)
    weights = safetensors.torch.save(state)
    described = {
        "format": FORMAT,
        "name": model.name,
        "classes": model.classes,
        "max_length": model.max_length,
        "image_width": model.image_width,
        "image_height": model.image_height,
        "width": model.width,
        "charset": charset,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "info": info,
    }
    weights_file, json_file = _file(stem, ".safetensors"), _file(stem, ".json")
    # Both are whole before either is moved into place.
    with atomic_file(weights_file) as new_weights, atomic_file(json_file) as new_json:
        new_weights.write_bytes(weights)
        new_json.write_text(to_json(described), encoding="utf-8")
    return weights_file


def load_checkpoint(path: str | Path) -> tuple[Recognizer, dict[str, Any]]:
    """Read a pair of files that `save_checkpoint` wrote: (the model in eval mode, its description).

    path: with or without .safetensors or .json. The description holds name, classes, max_length,
    image_width, image_height, width, charset and info.
    Raises OcrkitError for missing, damaged or mismatched files, and weights that are not finite.
    """
    stem = _stem(path)
    weights_file, json_file = _file(stem, ".safetensors"), _file(stem, ".json")
    for file in (weights_file, json_file):
        if not file.is_file():
            raise OcrkitError(f"{file} is missing: a checkpoint is a .safetensors and a .json file")
    described = read_json(json_file, CheckpointNote)
    if described["format"] > FORMAT:
        raise OcrkitError(
            f"{json_file} has format {described['format']}, newer than {FORMAT}: update ocrkit"
        )
    weights = read_file(weights_file, most=2**34)
    if hashlib.sha256(weights).hexdigest() != described["weights_sha256"]:
        raise OcrkitError(
            f"{weights_file} is damaged or belongs to another .json file: copy both again"
        )
    sizes = ("classes", "max_length", "image_width", "image_height", "width")
    try:
        _check_classes(described["name"], described["classes"], described["charset"])
        model = Recognizer(described["name"], **{size: described[size] for size in sizes})
        model.load_state_dict(safetensors.torch.load(weights))
    except OcrkitError as error:
        raise OcrkitError(f"{json_file}: {error}") from error
    except (RuntimeError, SafetensorError) as error:
        raise OcrkitError(
            f"{json_file} does not describe the weights beside it: copy both files again"
        ) from error
    check_finite(model.state_dict(), weights_file)
    return model.eval(), described


def load_reference(
    path: str | Path,
    name: str,
    *,
    charset: str,
    max_length: int = 25,
    image_width: int = 100,
    width: float = 1.0,
) -> Recognizer:
    """Read a .pth file of deep-text-recognition-benchmark or of the Korean fork, in eval mode.

    name: the model's stages, e.g. "TPS-VGG-BiLSTM-Attn"; charset: its characters in training order.
    Only weights are read: a file that would run code is refused. The TPS grid is rebuilt for
    `image_width` (pixels; the second experiment used 400). width: 1 unless the framework was
    given other --output_channel and --hidden_size than 512 and 256.
    Raises OcrkitError for files that are missing, damaged, unsafe or of another model or charset.
    """
    model = Recognizer(
        name,
        classes=len(charset) + (1 if name.endswith("CTC") else 2),
        max_length=max_length,
        image_width=image_width,
        width=width,
    )
    stored = _read_weights(Path(path))
    stored = {key.removeprefix("module."): value for key, value in stored.items()}
    grid = {key: stored.pop(key) for key in list(stored) if key.startswith(_GRID)}
    trained = grid.get(_GRID + "P_hat")
    if trained is not None and len(trained) != model.image_height * image_width:
        warnings.warn(
            f"{path} was trained on images {len(trained) // model.image_height} pixels wide, "
            f"and is used at {image_width}",
            stacklevel=2,
        )
    ours = model.state_dict()
    _check_shapes(path, name, stored, {reference_name(key): ours[key] for key in ours})
    model.load_state_dict({key: stored[reference_name(key)] for key in ours})
    check_finite(model.state_dict(), path)
    return model.eval()


def save_reference(model: Recognizer, path: str | Path) -> Path:
    """Write a model as a .pth file that the reference framework loads; returns the path.

    Its state dict is that of the framework's DataParallel model ("module." before each name), with
    the TPS grid that it stores. The charset is not in it: the framework is given it by --character,
    and a width other than 1 by --output_channel and --hidden_size.
    Raises OcrkitError for a TPS of another width, which the framework has no option for.
    """
    if isinstance(model.transformation, TPS) and model.width != 1:
        raise OcrkitError(
            f"the TPS of this model has {model.width:g} times the reference's channels, and the "
            "reference has no option for that: train with --width 1"
        )
    state = {reference_name(key): value for key, value in _kept(model).items()}
    if isinstance(model.transformation, TPS):
        p_hat, inv_delta = spline_matrices(model.image_height, model.image_width)
        state |= {_GRID + "inv_delta_C": inv_delta.float(), _GRID + "P_hat": p_hat.float()}
    path = Path(path)
    with atomic_file(path) as temporary:
        torch.save({f"module.{k}": v.detach().cpu().clone() for k, v in state.items()}, temporary)
    return path


def check_finite(state: Mapping[str, Tensor], whose: str | Path) -> None:
    """Weights that are no numbers would be read as an empty text, without any error.

    Raises:
        OcrkitError: NaN or infinity among them.
    """
    for key, value in state.items():
        if not torch.isfinite(value).all():
            raise OcrkitError(
                f"{whose}: {key} holds NaN or infinite numbers: train it again, or copy it again"
            )


def _read_weights(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise OcrkitError(f"{path} is missing: give the path of a .pth file")
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise OcrkitError(
            f"{path} is damaged or holds more than weights, and was not opened: "
            "ask its author for a state dict"
        ) from error
    if not isinstance(stored, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in stored.items()
    ):
        raise OcrkitError(f"{path} holds no state dict: save `model.state_dict()` and try again")
    return dict(stored)


def _check_shapes(
    path: str | Path, name: str, stored: dict[str, Tensor], wanted: dict[str, Tensor]
) -> None:
    """Say in words what differs; the characters are by far the likeliest."""
    missing, extra = wanted.keys() - stored.keys(), stored.keys() - wanted.keys()
    if missing or extra:
        raise OcrkitError(
            f"{path} is not a {name}: {len(missing)} of its tensors are missing and {len(extra)} "
            f"are unknown (first: {min(missing | extra)}); check the model's name"
        )
    last = "Prediction.weight" if "Prediction.weight" in wanted else "Prediction.generator.weight"
    if len(stored[last]) != len(wanted[last]):
        raise OcrkitError(
            f"{path} has {len(stored[last])} classes but this charset makes {len(wanted[last])}: "
            "give the charset it was trained with"
        )
    for key, value in wanted.items():
        if stored[key].shape != value.shape:
            raise OcrkitError(
                f"{path}: {key} is {tuple(stored[key].shape)} where {name} has "
                f"{tuple(value.shape)}; check the model's name"
            )


def _kept(model: Recognizer) -> dict[str, Tensor]:
    """The state without the auxiliary head, which only training needs."""
    state = model.state_dict()
    return {key: value for key, value in state.items() if not key.startswith("auxiliary.")}


def _check_classes(name: str, classes: int, charset: str) -> None:
    special = 1 if parse_name(name).prediction == "CTC" else 2
    if len(charset) + special != classes:
        raise OcrkitError(
            f"{len(charset)} characters make {len(charset) + special} classes, but the model has "
            f"{classes}: give the charset it was trained with"
        )


def _stem(path: str | Path) -> Path:
    # Not with_suffix: a model's name may hold a dot of its own, such as width0.25.
    text = str(path)
    for suffix in (".safetensors", ".json"):
        text = text.removesuffix(suffix)
    return Path(text)


def _file(stem: Path, suffix: str) -> Path:
    return stem.parent / (stem.name + suffix)
