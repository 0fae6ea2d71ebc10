"""The .pth files of deep-text-recognition-benchmark and of its Korean fork, read and written."""

import functools
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_file
from ocrkit.models.checkpoints import check_finite, kept_state
from ocrkit.models.recognizer import MODEL_NAMES, Recognizer, parse_name
from ocrkit.models.transformation import TPS, spline_matrices

# Our names -> the reference's, applied in this order to the start of a state-dict key.
_RENAMES = {
    r"^transformation\.localization\.conv": "Transformation.LocalizationNetwork.conv",
    r"^transformation\.localization\.fc": "Transformation.LocalizationNetwork.localization_fc",
    r"^features\.": "FeatureExtraction.ConvNet.",
    r"^sequence\.": "SequenceModeling.",
    r"^head\.(i2h|h2h|score|rnn)\.": r"Prediction.attention_cell.\1.",
    r"^head\.": "Prediction.",
    # the gated recurrent convolution's layers
    r"\.steps\.": ".GRCL.",
    r"\.bn_gate_input\.": ".BN_gfu.",
    r"\.bn_gate_state\.": ".BN_grx.",
    r"\.bn_input\.": ".BN_fu.",
    r"\.bn_state\.": ".BN_rx.",
    r"\.bn_gated\.": ".BN_Gx.",
    r"\.bn_first\.": ".BN_x_init.",
    r"\.gate_input\.": ".wgf_u.",
    r"\.gate_state\.": ".wgr_x.",
    r"\.wide_input\.": ".wf_u.",
    r"\.wide_state\.": ".wr_x.",
}
# The reference stores its TPS grid; ours is rebuilt, because it depends on the image's width.
_GRID = "Transformation.GridGenerator."


def reference_name(key: str) -> str:
    """The reference framework's name of one of our state-dict keys."""
    for ours, theirs in _RENAMES.items():
        key = re.sub(ours, theirs, key)
    return key


def load_reference(
    path: str | Path, *, charset: str, max_length: int = 25, image_width: int | None = None
) -> Recognizer:
    """Read a .pth file of the reference framework, in eval mode.

    Its stages and its width (1 unless the framework was given other --output_channel and
    --hidden_size than 512 and 256) are told by the names and sizes of its weights. Only weights are
    read: a file that would run code is refused.
    charset: its characters in training order.
    image_width: pixels; None is what TPS was trained with, else, with a warning, 100, which is the
        framework's default. The TPS grid is rebuilt for it.
    Raises OcrkitError for files that are missing, damaged, unsafe or of another model or charset.
    """
    stored = _read_weights(Path(path))
    stored = {key.removeprefix("module."): value for key, value in stored.items()}
    grid = {key: stored.pop(key) for key in list(stored) if key.startswith(_GRID)}
    name = find_name(path, stored)
    height, trained = 32, grid.get(_GRID + "P_hat")
    trained_width = len(trained) // height if trained is not None else None
    if not (image_width or trained_width):
        warnings.warn(
            f"{path} does not say how wide its images were: 100 pixels are taken, the framework's "
            "default",
            stacklevel=2,
        )
    image_width = image_width or trained_width or 100
    if trained_width not in (None, image_width):
        warnings.warn(
            f"{path} was trained on images {trained_width} pixels wide, and is used at "
            f"{image_width}",
            stacklevel=2,
        )
    model = Recognizer(
        name,
        classes=len(charset) + (1 if name.endswith("CTC") else 2),
        max_length=max_length,
        image_width=image_width,
        image_height=height,
        width=_find_width(name, stored),
    )
    ours = model.state_dict()
    _check_shapes(path, name, stored, {reference_name(key): ours[key] for key in ours})
    model.load_state_dict({key: stored[reference_name(key)] for key in ours})
    check_finite(model.state_dict(), path)
    return model.eval()


@functools.cache
def _tensor_names(name: str) -> set[str]:
    """As the reference has them, of one of the 24."""
    with torch.device("meta"):  # names alone, no numbers
        model = Recognizer(name, classes=3, width=0.05)
    return {reference_name(key) for key in model.state_dict()}


def find_name(path: str | Path, names: Iterable[str]) -> str:
    """The one of the 24 that has tensors of these names. Raises OcrkitError: none has."""
    wanted = set(names)
    for name in MODEL_NAMES:
        if _tensor_names(name) == wanted:
            return name
    raise OcrkitError(
        f"{path} has the tensors of none of the 24 models: `ocrkit models` lists them"
    )


def _find_width(name: str, stored: Mapping[str, Tensor]) -> float:
    """The multiplier of the layers' channels, from the size of the last ones."""
    stages = parse_name(name)
    layer = "Prediction.attention_cell.i2h" if stages.prediction == "Attn" else "Prediction"
    weight = stored[f"{layer}.weight"]
    if weight.ndim != 2:
        return 1.0  # another model: what differs is said by name
    return weight.shape[1] / (512 if stages.sequence == "None" else 256)


def save_reference(model: Recognizer, path: str | Path) -> Path:
    """Write a model as a .pth file that the reference framework loads; returns the path.

    Its state dict is that of the framework's DataParallel model ("module." before each name), with
    the TPS grid that it stores. The charset is not in it: the framework is given it by --character,
    and a width other than 1 by --output_channel and --hidden_size.
    Raises OcrkitError for a TPS of another width, which the framework has no option for, and a
    model that is none of the paper's 24.
    """
    if model.name not in MODEL_NAMES:
        raise OcrkitError(
            f"the reference framework has no {model.name}, only the paper's 24: export it as ONNX"
        )
    if isinstance(model.transformation, TPS) and model.width != 1:
        raise OcrkitError(
            f"the TPS of this model has {model.width:g} times the reference's channels, and the "
            "reference has no option for that: train with --width 1"
        )
    state = {reference_name(key): value for key, value in kept_state(model).items()}
    if isinstance(model.transformation, TPS):
        p_hat, inv_delta = spline_matrices(model.image_height, model.image_width)
        state |= {_GRID + "inv_delta_C": inv_delta.float(), _GRID + "P_hat": p_hat.float()}
    path = Path(path)
    with atomic_file(path) as temporary:
        torch.save({f"module.{k}": v.detach().cpu().clone() for k, v in state.items()}, temporary)
    return path


def check_there(path: str | Path) -> None:
    """OcrkitError where there is no such file."""
    if not Path(path).is_file():
        raise OcrkitError(f"{path} is missing: give the path of a .pth file")


def _read_weights(path: Path) -> dict[str, Tensor]:
    check_there(path)
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # there is no telling how a damaged file fails
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
                f"{tuple(value.shape)}: give a file of the reference framework"
            )
