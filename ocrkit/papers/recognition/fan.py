"""FAN: attention that drifts from its glyph, and a second network that pulls it back.

Cheng et al., "Focusing Attention: Towards Accurate Text Recognition in Natural Images" (ICCV 2017).
"""

from collections.abc import Sequence
from functools import cache, partial

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.data.batches import Batches
from ocrkit.data.cache import to_input
from ocrkit.labels import AttentionLabels
from ocrkit.papers.recognition.attention import Looks, Reader, as_pixels
from ocrkit.papers.recognition.focus import (
    BACKGROUND,
    attention_centres,
    crop,
    labels_at,
    receptive_centres,
)
from ocrkit.papers.recognition.word_readers import LONGEST, labels, marks, read_words, word_study
from ocrkit.papers.shared.scene_sets import PARTS, WordSet, word_set
from ocrkit.synth.scenes import SceneSettings
from ocrkit.training import Recipe
from ocrkit.training.losses import attention_loss

SIZE = (32, 96)  # rows and columns of the images
# lambda, the focusing loss's part of the whole, and the share of the steps after which it begins.
SHARE, BEGIN = 0.5, 0.3
HARD = SceneSettings(turned_share=0.5, angle=12.0, curved_share=0.4, wave=(0.1, 0.25))
_BLURRED, _BLUR = 0.5, (0.5, 1.6)  # share of the images; standard deviations, pixels
_SIDE, _SPACING = 5, 4.0  # a patch: 5 x 5 points, pixels apart
_INNER = 0.5
_LOCAL = 14  # how many of the reader's layers come before the map that patches are cut from


@cache
def hard_words(part: str, count: int, seed: int = 0) -> WordSet:
    """Word images of low quality: half are turned, 2 in 5 bent, half blurred; kept in memory."""
    words = word_set(part, count, HARD, SIZE, seed)
    rng = np.random.default_rng([seed, PARTS.index(part)])
    images = words.images.copy()
    for image in images:
        strength = rng.uniform(*_BLUR)
        if rng.random() < _BLURRED:
            image[...] = cv2.GaussianBlur(image, None, strength)
    return WordSet(images, words.texts, words.character_quads)


def patch_points() -> Tensor:
    """The points of a patch around its centre, (P * P, 2) as (x, y), pixels."""
    line = _SPACING * (torch.arange(_SIDE) - (_SIDE - 1) / 2)
    return torch.cartesian_prod(line, line).flip(1)


class Focus(nn.Module):
    """The focusing network: for every point of a patch, which character stands there.

    Section 3.2 has e = tanh(R h + S F + b) and a softmax over e. No class can then have more than
    9 % of 82, so that one more matrix follows the tanh here.
    """

    def __init__(self, channels: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.from_state = nn.Linear(hidden, hidden)
        self.from_patch = nn.Linear(channels, hidden, bias=False)
        self.classes = nn.Linear(hidden, classes)

    def forward(self, states: Tensor, patches: Tensor) -> Tensor:
        """States (B, steps, hidden), patches (B, steps, P * P, C) -> (B, steps, P * P, classes)."""
        return self.classes(
            torch.tanh(self.from_state(states)[:, :, None] + self.from_patch(patches))
        )


class FAN(nn.Module):
    """A reader with attention and, if `focusing`, the focusing network beside it."""

    def __init__(self, classes: int, focusing: bool) -> None:
        super().__init__()
        self.reader = Reader(classes, LONGEST)
        layers, hidden = self.reader.features, self.reader.head.hidden
        channels = layers[_LOCAL - 3].out_channels
        self.focus = Focus(channels, hidden, classes) if focusing else None
        self.register_buffer("x", receptive_centres(layers, SIZE[1], axis=1), persistent=False)
        self.register_buffer("patch", patch_points(), persistent=False)
        self.y = receptive_centres(layers, SIZE[0], axis=0).mean().item()

    def forward(self, images: Tensor, text: Tensor | None = None) -> Tensor:
        """Images (B, 1, 32, 96) -> logits (B, 5, classes): reading needs no focusing network."""
        return self.reader(images, text)

    def look(self, images: Tensor, text: Tensor | None) -> tuple[Looks, Tensor, Tensor]:
        """Images -> what was said, centres (B, 5, 2) in pixels, and the map (B, C, 8, 24)."""
        layers = self.reader.features
        local = layers[:_LOCAL](images)
        frames = self.reader.frames(layers[_LOCAL:](local))
        looks = self.reader.head.look(frames, text, LONGEST + 1)
        return looks, attention_centres(looks.alpha, self.x, self.y), local


def focus_loss(
    model: FAN, looked: tuple[Looks, Tensor, Tensor], ids: Tensor, quads: Tensor
) -> Tensor:
    """Cross-entropy of what the focusing network sees around the attention centres.

    L_focus = - sum over t, i, j of log P(y_t^(i,j)), here the mean. The label of a point is what
    stands there once the patch lies on its glyph. So a patch beside its glyph is wrong, and the
    gradient moves it, through `crop` and the attention weights.

    Args:
        looked: what `FAN.look` gave.
        ids: (B, 4), classes of the characters, 0 or 1 after the last; quads: (B, 4, 4, 2) pixels.
    """
    looks, centres, local = looked
    glyphs, states = quads.mean(dim=2), looks.states[:, :LONGEST]
    truth = labels_at(glyphs[:, :, None] + model.patch, inner_quads(quads), ids)
    there = ids > AttentionLabels.EOS
    losses = []
    # Seen at the glyph as well, the network knows what belongs there before attention does.
    for at in (centres[:, :LONGEST], glyphs):
        said = model.focus(states, crop(local.float(), at[:, :, None] + model.patch, SIZE))
        losses.append(F.cross_entropy(said[there].flatten(0, 1), truth[there].flatten()))
    return torch.stack(losses).mean()


def inner_quads(quads: Tensor) -> Tensor:
    """The inner half, each way, of quads (..., 4, 2): where a glyph counts as standing.

    With whole boxes all points of a patch would say the same wherever it lies inside.
    """
    return quads.lerp(quads.mean(dim=-2, keepdim=True), 1 - _INNER)


def padded(quads: Sequence[np.ndarray]) -> Tensor:
    """Quads (n, 4, 2) of the characters of N words as (N, 4, 4, 2), 0 after the last."""
    table = np.zeros((len(quads), LONGEST, 4, 2), np.float32)
    for row, own in zip(table, quads, strict=True):
        row[: len(own)] = own
    return torch.from_numpy(table)


class Focusing:
    """Learn to read hard words and, where the model has a focusing network, to look at the glyph.

    Args:
        images: how many to learn from.
    """

    def __init__(self, seed: int, recipe: Recipe, images: int = 8000) -> None:
        self.labels, self.begin = labels(), BEGIN * recipe.steps
        self.words, self.valid = hard_words("train", images), hard_words("valid", 200)
        self.quads = padded(self.words.character_quads)
        self.batches = Batches([as_pixels(self.words)], recipe.batch_size, seed)

    def loss(self, model: FAN, step: int) -> Tensor:
        """L = (1 - lambda) L_att + lambda L_focus of this step's batch."""
        (rows,) = self.batches.indices(step)
        device = model.x.device
        images = to_input(self.words.images[rows]).to(device)
        ids = self.labels.encode([self.words.texts[row] for row in rows])[0].to(device)
        looked = model.look(images, ids)
        reading = attention_loss(looked[0].logits, ids)
        if model.focus is None or step < self.begin:
            return reading
        with torch.autocast(device.type, enabled=False):
            focusing = focus_loss(model, looked, ids[:, 1:-1], self.quads[rows].to(device))
        return (1 - SHARE) * reading + SHARE * focusing

    def judge(self, model: FAN) -> dict[str, float]:
        """Accuracy (percent) and drift on words never seen."""
        right = marks(read_words(model, self.valid), self.valid)["accuracy"]
        judged = {"accuracy": right, **drift(model, self.valid)}
        return {f"valid_{name}": value for name, value in judged.items()}


@torch.inference_mode()
def centres_of(model: FAN, words: WordSet) -> Tensor:
    """Where attention looks for each character, (N, 4, 2) pixels; of no meaning after the last.

    The decoder is told the true characters before, so that step t is glyph t even where it errs.
    """
    model.eval()
    ids = labels().encode(words.texts)[0].to(model.x.device)
    images = to_input(words.images).to(model.x.device)
    parts = zip(images.split(100), ids.split(100), strict=True)
    return torch.cat([model.look(*part)[1] for part in parts])[:, :LONGEST].cpu()


def drift(model: FAN, words: WordSet) -> dict[str, float]:
    """How far attention looks from the glyphs.

    Returns:
        centre_px: mean distance from attention centre to glyph centre; across_px: mean distance
        along the rows alone; outside: percent of the centres that lie outside their glyph.
    """
    ids, quads = labels().encode(words.texts)[0][:, 1:-1], padded(words.character_quads)
    there = ids > AttentionLabels.EOS
    centres, quads = centres_of(model, words)[there], quads[there]
    away = centres - quads.mean(dim=1)
    on = labels_at(centres[:, None], quads[:, None], ids[there][:, None]) != BACKGROUND
    return {
        "centre_px": away.norm(dim=1).mean().item(),
        "across_px": away[:, 0].abs().mean().item(),
        "outside": 100 * (1 - on.float().mean().item()),
    }


@cache
def exam_words(count: int = 600) -> WordSet:
    """Hard images of words that no training image holds."""
    return hard_words("test", count)


def examine(model: FAN) -> dict[str, float]:
    """Drift (pixels, percent) and accuracy (percent, with its interval) on the exam."""
    words = exam_words()
    return {**drift(model, words), **marks(read_words(model, words), words)}


STUDIES = {
    name: word_study(name, partial(FAN, focusing=focusing), Focusing, examine, exam_words)
    for name, focusing in (("fan", True), ("fan-plain", False))
}
