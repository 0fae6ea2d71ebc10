"""The reference's golden values, and small models."""

import csv
import json
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ocrkit.models import Recognizer
from ocrkit.models.reference import reference_name

GOLDEN = Path(__file__).parents[1] / "golden"


def golden_json(name: str) -> dict:
    return json.loads((GOLDEN / name).read_text())


def golden_parameters() -> dict[str, int]:
    with (GOLDEN / "parameters_24.csv").open() as file:
        rows = [list(row.values()) for row in csv.DictReader(file)]
    return {"-".join(stages): int(count) for *stages, count in rows}


def formula_tensor(name: str, like: Tensor) -> Tensor:
    """The made-up value of one entry of a reference state dict; what has none is kept."""
    if name.endswith(("num_batches_tracked", "localization_fc2.bias")):
        return like
    shape = tuple(like.shape)
    noise = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(like.numel())
    v = noise.reshape(shape)
    if name.endswith("running_mean"):
        v = 0.1 * v
    elif name.endswith("running_var"):
        v = 1 + 0.5 * np.abs(v)
    elif len(shape) == 1:
        v = 1 + 0.1 * v if name.endswith("weight") else 0.05 * v
    else:
        v = v * np.sqrt(2 / np.prod(shape[1:])) * (0.05 if "localization_fc2" in name else 1)
    return torch.from_numpy(v).float()


def formula_state(model: Recognizer) -> dict[str, Tensor]:
    """The formula's state dict of a model, under our names."""
    state = model.state_dict()
    return {key: formula_tensor(reference_name(key), value) for key, value in state.items()}


def noise_images(width: int, batch: int = 2, seed: int = 0) -> Tensor:
    """The golden values' input when batch = 2, seed = 0."""
    pixels = np.random.RandomState(seed).uniform(-1, 1, (batch, 1, 32, width))
    return torch.from_numpy(pixels).float()


def thin(name: str, **options: object) -> Recognizer:
    """An eighth-width model that reads 32x40 images of up to 3 of 10 classes."""
    torch.manual_seed(0)
    settings = {"classes": 10, "max_length": 3, "image_width": 40, "width": 0.125} | options
    return Recognizer(name, **settings)
