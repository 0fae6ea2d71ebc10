"""Trained models on disk: NAME.safetensors (weights, nothing that can run) and NAME.json.

The .pth files of the reference framework: `reference.py`.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_file, read_file, read_json, to_json
from ocrkit.models.prediction import WRITING
from ocrkit.models.recognizer import Recognizer, parse_name
from ocrkit.schemas import CheckpointNote

FORMAT = 1
_SIZES = ("classes", "max_length", "image_width", "image_height", "width")


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
    described = {
        "format": FORMAT,
        "name": model.name,
        **{size: getattr(model, size) for size in _SIZES},
        "charset": charset,
    }
    return write_pair(stem_of(path), kept_state(model), described, half, info)


def load_checkpoint(path: str | Path) -> tuple[Recognizer, dict[str, Any]]:
    """Read a pair of files that `save_checkpoint` wrote: (the model in eval mode, its description).

    path: with or without .safetensors or .json. The description holds name, classes, max_length,
    image_width, image_height, width, charset and info.
    Raises OcrkitError for missing, damaged or mismatched files, and weights that are not finite.
    """
    stem = stem_of(path)
    weights_file, json_file = file_of(stem, ".safetensors"), file_of(stem, ".json")
    if not json_file.exists() and (inside := sorted(stem.glob("*.safetensors"))):
        raise OcrkitError(
            f"{stem} is a folder: give a checkpoint in it, such as {inside[0].with_suffix('')}"
        )
    for file in (weights_file, json_file):
        if not file.is_file():
            raise OcrkitError(f"{file} is missing: a checkpoint is a .safetensors and a .json file")
    described = read_json(json_file, CheckpointNote)
    if described["format"] > FORMAT:
        raise OcrkitError(
            f"{json_file} has format {described['format']}, newer than {FORMAT}: update ocrkit"
        )
    try:
        _check_classes(described["name"], described["classes"], described["charset"])
        model = Recognizer(described["name"], **{size: described[size] for size in _SIZES})
    except OcrkitError as error:
        raise OcrkitError(f"{json_file}: {error}") from error
    fill(model, stem, described["weights_sha256"], most=2**34)
    return model.eval(), described


def write_pair(
    stem: Path, state: Mapping[str, Tensor], note: dict[str, Any], half: bool, info: dict[str, Any]
) -> Path:
    """Write STEM.safetensors and STEM.json, whole or not at all; returns the first's path.

    half: store matrices and kernels in float16. note, info: what the .json says.
    Raises OcrkitError: a weight is not finite, or the disk is full.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    if half:  # not norms and biases: a running variance can be larger than float16 holds
        state = {key: value.half() if value.ndim > 1 else value for key, value in state.items()}
    check_finite(state, stem.name)
    weights = safetensors.torch.save(state)
    note = {**note, "weights_sha256": hashlib.sha256(weights).hexdigest(), "info": info}
    weights_file, json_file = file_of(stem, ".safetensors"), file_of(stem, ".json")
    # Both are whole before either is moved into place.
    with atomic_file(weights_file) as new_weights, atomic_file(json_file) as new_json:
        new_weights.write_bytes(weights)
        new_json.write_text(to_json(note), encoding="utf-8")
    return weights_file


def fill(model: torch.nn.Module, stem: Path, sha256: str, most: int) -> None:
    """Give a model the weights that `write_pair` wrote.

    sha256: of the file, as its .json says. most: bytes; a larger file cannot be what was meant.
    Raises OcrkitError: the file is missing, damaged or of another model, or a weight is not finite.
    """
    file = file_of(stem, ".safetensors")
    weights = read_file(file, most)
    if hashlib.sha256(weights).hexdigest() != sha256:
        raise OcrkitError(f"{file} is damaged or belongs to another .json file: copy both again")
    try:
        model.load_state_dict(safetensors.torch.load(weights))
    except (RuntimeError, SafetensorError) as error:
        raise OcrkitError(
            f"{file_of(stem, '.json')} does not describe the weights beside it: copy both again"
        ) from error
    check_finite(model.state_dict(), file)


def check_finite(state: Mapping[str, Tensor], whose: str | Path) -> None:
    """Weights that are no numbers would be read as an empty text, without any error.

    Raises OcrkitError: NaN or infinity among them.
    """
    for key, value in state.items():
        if not torch.isfinite(value).all():
            raise OcrkitError(
                f"{whose}: {key} holds NaN or infinite numbers: train it again, or copy it again"
            )


def kept_state(model: Recognizer) -> dict[str, Tensor]:
    """The state without the auxiliary head, which only training needs."""
    state = model.state_dict()
    return {key: value for key, value in state.items() if not key.startswith("auxiliary.")}


def _check_classes(name: str, classes: int, charset: str) -> None:
    special = 2 if parse_name(name).prediction in WRITING else 1
    if len(charset) + special != classes:
        raise OcrkitError(
            f"{len(charset)} characters make {len(charset) + special} classes, but the model has "
            f"{classes}: give the charset it was trained with"
        )


def stem_of(path: str | Path) -> Path:
    """A checkpoint's path without the ending of either of its files."""
    # Not with_suffix: a model's name may hold a dot of its own, such as width0.25.
    text = str(path)
    for suffix in (".safetensors", ".json"):
        text = text.removesuffix(suffix)
    return Path(text)


def file_of(stem: Path, suffix: str) -> Path:
    """One of a checkpoint's two files."""
    return stem.parent / (stem.name + suffix)
