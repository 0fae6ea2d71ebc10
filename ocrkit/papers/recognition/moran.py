"""MORAN: every part of the image is moved to where the reader wants it, then read.

Luo, Jin and Sun, "MORAN: A Multi-Object Rectified Attention Network for Scene Text Recognition"
(Pattern Recognition 90, 2019).
"""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.data.cache import to_input
from ocrkit.models.recognizer import initialise
from ocrkit.papers.recognition.bent_words import (
    OFFSET_SCALE,
    READER_SIZE,
    UprightThenBent,
    evaluate_unseen,
    rectifier_layers,
    small_copy,
    unseen_words,
)
from ocrkit.papers.recognition.word_readers import (
    MAX_LENGTH,
    RECIPE,
    AttentionReader,
    attention_labels,
    attention_studies,
)
from ocrkit.training import Recipe
from ocrkit.training.losses import training_loss

# Where the curriculum's second and third stage begin, as shares of the steps.
STAGES = (0.2, 0.22)


def identity_grid(height: int, width: int) -> Tensor:
    """Where each pixel's centre lies: (height, width, 2) as (x, y), -1 to 1 from edge to edge."""
    y, x = ((2 * torch.arange(n) + 1) / n - 1 for n in (height, width))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=2)


def rectify(images: Tensor, offsets: Tensor, size: tuple[int, int]) -> Tensor:
    """Sample each pixel of the result a little beside its place, (B, C, *size).

    images: (B, C, H, W).
    offsets: (B, 2, h, w), across and down, in halves of the image; corner to corner.
    """
    # offset' = resize(offset) + basic
    fine = F.interpolate(offsets, size, mode="bilinear", align_corners=True)
    grid = identity_grid(*size).to(fine) + fine.permute(0, 2, 3, 1)
    # I'(i, j) = I(offset'(i, j)), between pixels bilinearly
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


class MORN(nn.Module):
    """The rectification network: a coarse map of offsets, (B, 1, 64, 96) -> (B, 2, 3, 5).

    Half the paper's channels, on a small copy; the last pooling takes the mean, for a maximum
    prefers one direction to its opposite.
    """

    def __init__(self) -> None:
        super().__init__()
        layers = rectifier_layers((32, 64, 32, 16), pooled=range(3))
        last = nn.Conv2d(16, 2, 3, padding=1)
        self.layers = nn.Sequential(*layers, last)
        initialise(self)
        nn.init.zeros_(last.weight)  # at first nothing moves

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) -> offsets (B, 2, 3, 5), across and down, -1 to 1.

        Of images of any size, for a copy of one size is looked at.
        """
        # Ink is dark. As the smaller value it would be what pooling for the larger rubs out.
        raw = self.layers(-small_copy(images))
        # offset = tanh(mean over 2 x 2)
        return torch.tanh(OFFSET_SCALE * F.avg_pool2d(raw, 2, stride=1))


class MORAN(nn.Module):
    """MORN and an attention reader; without MORN (`rectifying` False) the reader alone."""

    def __init__(self, classes: int, rectifying: bool) -> None:
        super().__init__()
        self.reader = AttentionReader(classes, MAX_LENGTH, output_context=True)
        self.morn = MORN() if rectifying else None

    def straight(self, images: Tensor) -> Tensor:
        """What the reader gets: (B, 1, 64, 96) -> (B, 1, 32, 96)."""
        # A bfloat16 keeps 8 bits: too coarse for a coordinate.
        with torch.autocast(images.device.type, enabled=False):
            if self.morn is not None:
                return rectify(images, self.morn(images), READER_SIZE)
            return rectify(images, images.new_zeros(len(images), 2, 1, 1), READER_SIZE)

    def forward(self, images: Tensor, text: Tensor | None = None) -> Tensor:
        """Images (B, 1, 64, 96) -> logits (B, 5, classes), as `AttentionReader.forward`.

        In training attention is blurred by fractional pickup.
        """
        pickup = self.training and text is not None
        return self.reader.decode(self.straight(images), text, pickup).logits


class Curriculum:
    """Learn to read in three stages, from `images` bent words and half as many upright ones.

    1. The reader alone, on upright words. 2. The reader is frozen; MORN learns on bent words. 3.
    Both learn on. A reader without MORN sees the same images in the same order and learns all the
    time.
    """

    def __init__(self, seed: int, recipe: Recipe, images: int = 6000) -> None:
        self.steps, self.batches = recipe.steps, UprightThenBent(seed, recipe, images, STAGES[0])

    def stage(self, step: int) -> int:
        """1, 2 or 3, from the step number (from 0)."""
        return 1 + sum(step >= round(share * self.steps) for share in STAGES)

    def loss(self, model: MORAN, step: int) -> Tensor:
        """Cross-entropy of this step's batch, with the stage's parts learning."""
        if model.morn is not None:
            stage = self.stage(step)
            model.morn.requires_grad_(stage > 1)
            model.reader.requires_grad_(stage != 2)
            model.reader.train(stage != 2)  # frozen, its norms keep their counts
        batch = self.batches[step]
        return training_loss(model, attention_labels(), to_input(batch.pixels), batch.texts)

    def validate(self, model: MORAN) -> dict[str, float]:
        return self.batches.validate(model)


# Free offsets are learnt slowly: half as many steps again as the other readers take.
_RECIPE = replace(RECIPE, steps=4500, validate_every=450)
STUDIES = attention_studies("moran", MORAN, Curriculum, evaluate_unseen, unseen_words, _RECIPE)
