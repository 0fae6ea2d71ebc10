"""Toy runs for the tests of this folder: noise for images, thin models, a few steps."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ocrkit.data.cache import Pixels
from ocrkit.models import Recognizer, parse_name
from ocrkit.training import Recipe, Trainer
from ocrkit.training.losses import make_converter

CHARSET = "가나다라마바사아"
CTC, ATTN = "None-VGG-BiLSTM-CTC", "TPS-RCNN-None-Attn"
RECIPE = Recipe(
    "toy", "adamw", 2e-3, steps=8, batch_size=4, one_cycle=True, weight_decay=0.01, validate_every=3
)


def pixels(count: int = 10, seed: int = 0, longest: int = 3) -> Pixels:
    """Noise, 32 x 32, with labels of 1 to `longest` characters, no two neighbours alike."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 32, 32), dtype=np.uint8)
    texts = [
        "".join(rng.permutation(list(CHARSET))[: rng.integers(1, longest + 1)])
        for _ in range(count)
    ]
    return Pixels(images, texts, [])


def toy_model(name: str = CTC, seed: int = 0) -> Recognizer:
    """A model of a twentieth of the paper's width; its weights depend on the seed alone."""
    torch.manual_seed(seed)
    special = 1 if parse_name(name).prediction == "CTC" else 2
    return Recognizer(
        name, classes=len(CHARSET) + special, max_length=4, image_width=32, width=0.05
    )


def toy_trainer(name: str = CTC, folder: Path | None = None, **changes: Any) -> Trainer:
    """A trainer that saves after every step where it has a folder."""
    settings = {
        "model": toy_model(name),
        "sources": [pixels(10, 1), pixels(7, 2)],
        "valid": pixels(5, 3),
        "recipe": RECIPE,
        "seed": 5,
        "folder": folder,
        "identity": {"model": name},
        "save_every": 0.0,
    }
    converter = make_converter(parse_name(name).prediction, CHARSET, 4)
    return Trainer(converter=converter, **{**settings, **changes})
