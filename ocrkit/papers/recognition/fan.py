"""FAN: attention that drifts from its glyph, and a second network that pulls it back.

Cheng et al., "Focusing Attention: Towards Accurate Text Recognition in Natural Images" (ICCV 2017).
Points are (x, y) in continuous pixels: pixel (i, j) covers [j, j + 1] x [i, i + 1].
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.data.batches import Batches
from ocrkit.data.cache import to_input
from ocrkit.labels import AttentionLabels
from ocrkit.models.prediction import AttentionOutput
from ocrkit.papers.recognition.word_readers import (
    MAX_LENGTH,
    AttentionReader,
    as_pixels,
    attention_labels,
    attention_studies,
    evaluate,
    read_words,
)
from ocrkit.papers.shared.scene_sets import PARTS, WordSet, word_set
from ocrkit.synth.scenes import SceneSettings
from ocrkit.training import Recipe
from ocrkit.training.losses import attention_loss

SIZE = (32, 96)  # rows and columns of the images
FOCUS_WEIGHT = 0.5  # lambda, the focusing loss's part of the whole
FOCUS_START = 0.3  # share of the steps after which it begins
PATCH_SIDE, PATCH_SPACING = 5, 4.0  # a patch: 5 x 5 points, pixels apart
INNER_SHARE = 0.5  # of a glyph's box, each way: where it counts as standing
BACKGROUND = 0  # the label of a point where no glyph stands; no character has this id
HARD = SceneSettings(turned_share=0.5, angle=12.0, curved_share=0.4, wave=(0.1, 0.25))
BLURRED_SHARE, BLUR = 0.5, (0.5, 1.6)  # of the images; standard deviations, pixels


class Focus(nn.Module):
    """The focusing network: for every point of a patch, which character stands there.

    Section 3.2 softmaxes e = tanh(R h + S F + b), which caps a class at 9 % of 82: here one more
    matrix follows the tanh.
    """

    def __init__(self, channels: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.from_state = nn.Linear(hidden, hidden)
        self.from_patch = nn.Linear(channels, hidden, bias=False)
        self.classes = nn.Linear(hidden, classes)

    def forward(self, states: Tensor, patches: Tensor) -> Tensor:
        """States (B, steps, hidden), patches (B, steps, P * P, C) -> (B, steps, P * P, classes)."""
        state = self.from_state(states)[:, :, None]
        return self.classes(torch.tanh(state + self.from_patch(patches)))


class FAN(nn.Module):
    """A reader with attention and, if `focusing`, the focusing network beside it."""

    x: Tensor
    patch: Tensor

    def __init__(self, classes: int, focusing: bool) -> None:
        super().__init__()
        self.reader = AttentionReader(classes, MAX_LENGTH)
        layers, channels = self.reader.features, self.reader.fine_channels
        self.focus = Focus(channels, self.reader.head.hidden, classes) if focusing else None
        self.register_buffer("x", receptive_centres(layers, SIZE[1], axis=1), persistent=False)
        self.register_buffer("patch", patch_points(), persistent=False)
        self.y = receptive_centres(layers, SIZE[0], axis=0).mean().item()

    def forward(self, images: Tensor, text: Tensor | None = None) -> Tensor:
        """Images (B, 1, 32, 96) -> logits (B, 5, classes): reading needs no focusing network."""
        return self.reader(images, text)

    def attend(self, images: Tensor, text: Tensor | None) -> tuple[AttentionOutput, Tensor, Tensor]:
        """Images (B, 1, 32, 96) -> five steps; attention centres (B, 5, 2), pixels; fine map.

        text: (B, >= 5) ids from [GO] on (teacher forcing); None: greedy.
        """
        layers, fine = self.reader.features, self.reader.fine_layers
        local = layers[:fine](images)
        frames = self.reader.frames(layers[fine:](local))
        attention = self.reader.head.decode(frames, text, MAX_LENGTH + 1, stop=False)
        return attention, attention_centres(attention.alpha, self.x, self.y), local


def receptive_centres(layers: nn.Sequential, length: int, axis: int) -> Tensor:
    """Centres of the last map's receptive fields along an axis (0 down, 1 across), (n,), pixels."""
    first, step = 0.5, 1.0
    for layer in layers:
        if not hasattr(layer, "kernel_size"):
            continue
        sizes: list[Any] = [layer.kernel_size, layer.stride, layer.padding]  # one, or one an axis
        kernel, stride, padding = (
            value if isinstance(value, int) else value[axis] for value in sizes
        )
        # Unit j of a layer has its centre at place j s - p + (k - 1) / 2 of the map below.
        first += step * ((kernel - 1) / 2 - padding)
        step *= stride
        length = (length + 2 * padding - kernel) // stride + 1
    return first + step * torch.arange(length)


def attention_centres(alpha: Tensor, x: Tensor, y: float) -> Tensor:
    """Weights (B, steps, T) of frames that look at (x_j, y) -> centres (B, steps, 2), pixels."""
    # c_t = sum over j of alpha_tj c_j, with c_j = (x_j, y)
    across = alpha @ x.to(alpha)
    return torch.stack([across, torch.full_like(across, y)], dim=2)


def patch_points() -> Tensor:
    """The points of a patch around its centre, (P * P, 2) as (x, y), pixels."""
    line = PATCH_SPACING * (torch.arange(PATCH_SIDE) - (PATCH_SIDE - 1) / 2)
    return torch.cartesian_prod(line, line).flip(1)


def crop(features: Tensor, points: Tensor, size: tuple[int, int]) -> Tensor:
    """F_t = Crop(F, c_t, P, P): features at points of the image, bilinear, (B, steps, P * P, C).

    features: (B, C, h, w), a map of the whole image.
    points: (B, steps, P * P, 2) as (x, y), pixels of the image of `size` (rows, columns).
    """
    # grid_sample wants the image's edges at -1 and 1.
    grid = 2 * points / points.new_tensor([size[1], size[0]]) - 1
    sampled = F.grid_sample(features, grid, padding_mode="border", align_corners=False)
    return sampled.permute(0, 2, 3, 1)


def labels_at(points: Tensor, quads: Tensor, ids: Tensor) -> Tensor:
    """Which character stands at each point, BACKGROUND where none does: (B, ..., 2) -> (B, ...).

    points: pixels.
    quads: (B, n, 4, 2) of the characters, clockwise; ids: (B, n) int64, their classes.
    """
    flat = points.flatten(1, -2)[:, :, None, None]  # (B, points, 1 character, 1 side, 2)
    side, away = (quads.roll(-1, 2) - quads)[:, None], flat - quads[:, None]
    # Clockwise with y down: what is inside lies to the right of every side.
    inside = (side[..., 0] * away[..., 1] - side[..., 1] * away[..., 0] > 0).all(dim=3)
    labels = torch.where(inside, ids[:, None], BACKGROUND).amax(dim=2)
    return labels.unflatten(1, points.shape[1:-1])


def inner_quads(quads: Tensor) -> Tensor:
    """The inner part of quads (..., 4, 2), `INNER_SHARE` of them each way."""
    return quads.lerp(quads.mean(dim=-2, keepdim=True), 1 - INNER_SHARE)


def focus_loss(
    model: FAN, attended: tuple[AttentionOutput, Tensor, Tensor], ids: Tensor, quads: Tensor
) -> Tensor:
    """Cross-entropy of what the focusing network sees around the attention centres.

    L_focus = - mean over t, i, j of log P(y_t^(i,j)); the label of a point is what stands there
    once the patch lies on its glyph, so that the gradient moves a patch beside its glyph.

    attended: what `FAN.attend` gave.
    ids: (B, 4), classes of the characters, 0 or 1 after the last; quads: (B, 4, 4, 2) pixels.
    """
    assert model.focus is not None, "a plain model has no such loss"
    output, centres, local = attended
    glyphs, states = quads.mean(dim=2), output.states[:, :MAX_LENGTH]
    truth = labels_at(glyphs[:, :, None] + model.patch, inner_quads(quads), ids)
    there = ids > AttentionLabels.EOS
    losses = []
    # Seen at the glyph as well, the network knows what belongs there before attention does.
    for at in (centres[:, :MAX_LENGTH], glyphs):
        patches = crop(local.float(), at[:, :, None] + model.patch, SIZE)
        logits = model.focus(states, patches)
        losses.append(F.cross_entropy(logits[there].flatten(0, 1), truth[there].flatten()))
    return torch.stack(losses).mean()


@cache
def hard_words(part: str, count: int) -> WordSet:
    """Word images of low quality: half are turned, 2 in 5 bent, half blurred."""
    words = word_set(part, count, HARD, SIZE)
    rng = np.random.default_rng([0, PARTS.index(part)])
    images = words.images.copy()
    for image in images:
        strength = rng.uniform(*BLUR)
        if rng.random() < BLURRED_SHARE:
            image[...] = cv2.GaussianBlur(image, (0, 0), strength)
    return WordSet(images, words.texts, words.character_quads)


def padded(quads: Sequence[np.ndarray]) -> Tensor:
    """Quads (n, 4, 2) of the characters of N words as (N, 4, 4, 2), 0 after the last."""
    each = (torch.from_numpy(own).float() for own in quads)
    return torch.stack([F.pad(own, (0, 0, 0, 0, 0, MAX_LENGTH - len(own))) for own in each])


class Focusing:
    """Learn to read `images` hard words and, if the model focuses, to look at the glyph."""

    def __init__(self, seed: int, recipe: Recipe, images: int = 8000) -> None:
        self.labels, self.focus_start = attention_labels(), FOCUS_START * recipe.steps
        self.words, self.valid = hard_words("train", images), hard_words("valid", 200)
        self.quads = padded(self.words.character_quads)
        self.batches = Batches([as_pixels(self.words)], recipe.batch_size, seed)

    def loss(self, model: FAN, step: int) -> Tensor:
        """L = (1 - lambda) L_att + lambda L_focus of this step's batch."""
        (rows,) = self.batches.indices(step)
        ids = self.labels.encode([self.words.texts[row] for row in rows])[0]
        attended = model.attend(to_input(self.words.images[rows]), ids)
        reading = attention_loss(attended[0].logits, ids)
        if model.focus is None or step < self.focus_start:
            return reading
        with torch.autocast("cpu", enabled=False):
            focusing = focus_loss(model, attended, ids[:, 1:-1], self.quads[rows])
        return (1 - FOCUS_WEIGHT) * reading + FOCUS_WEIGHT * focusing

    def validate(self, model: FAN) -> dict[str, float]:
        """Accuracy (percent) and drift on words never seen."""
        accuracy = evaluate(read_words(model, self.valid), self.valid)["accuracy"]
        found = {"accuracy": accuracy, **drift(model, self.valid)}
        return {f"valid_{name}": value for name, value in found.items()}


@torch.inference_mode()
def centres_of(model: FAN, words: WordSet) -> Tensor:
    """Attention centres of each character, teacher-forced, (N, 4, 2) pixels."""
    model.eval()
    images, ids = to_input(words.images), attention_labels().encode(words.texts)[0]
    parts = zip(images.split(100), ids.split(100), strict=True)
    return torch.cat([model.attend(*part)[1] for part in parts])[:, :MAX_LENGTH]


def drift(model: FAN, words: WordSet) -> dict[str, float]:
    """How far attention looks from the glyphs.

    Returns centre_px: mean distance of attention and glyph centre; across_px: along the rows alone;
    outside: percent of the centres that lie outside their glyph.
    """
    ids, quads = attention_labels().encode(words.texts)[0][:, 1:-1], padded(words.character_quads)
    there = ids > AttentionLabels.EOS
    centres, quads = centres_of(model, words)[there], quads[there]
    away = centres - quads.mean(dim=1)
    on = labels_at(centres[:, None], quads[:, None], ids[there][:, None]) != BACKGROUND
    return {
        "centre_px": away.norm(dim=1).mean().item(),
        "across_px": away[:, 0].abs().mean().item(),
        "outside": 100 * (1 - on.float().mean().item()),
    }


def unseen_words(count: int = 600) -> WordSet:
    """Hard images of words that no training image holds."""
    return hard_words("test", count)


def evaluate_unseen(model: FAN) -> dict[str, float]:
    """Drift (pixels, percent) and accuracy (percent, with its interval) on the test set."""
    words = unseen_words()
    return {**drift(model, words), **evaluate(read_words(model, words), words)}


STUDIES = attention_studies("fan", FAN, Focusing, evaluate_unseen, unseen_words)
