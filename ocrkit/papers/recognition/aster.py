"""ASTER: a spline bends the image until its text lies level; then it is read from both ends.

Shi, Yang, Wang, Lyu, Yao and Bai, "ASTER: An Attentional Scene Text Recognizer with Flexible
Rectification" (TPAMI 41, 2019; online 2018).
"""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.data.cache import to_input
from ocrkit.models.prediction import Attention, greedy_score
from ocrkit.models.recognizer import initialise
from ocrkit.models.transformation import FIDUCIALS, spline_matrices, target_fiducials
from ocrkit.papers.recognition.bent_words import (
    COPY_SIZE,
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
    AttentionReader,
    attention_labels,
    attention_studies,
    evaluate,
)
from ocrkit.papers.shared.scene_sets import WordSet
from ocrkit.training import Recipe
from ocrkit.training.losses import attention_loss

POWERS = 4  # of x in the moves of control points
UPRIGHT_SHARE = 0.25  # of the steps, which begin with upright words


@cache
def spline(height: int, width: int) -> Tensor:
    """What each control point adds to each sampling point: (height * width, 20) float64."""
    # P' = P_hat inverse(Delta) [C'; 0] = S C'
    p_hat, inv_delta = spline_matrices(height, width)
    return p_hat @ inv_delta[:, :FIDUCIALS]


def straighten(images: Tensor, points: Tensor, size: tuple[int, int]) -> Tensor:
    """Sample images (B, C, H, W) along the spline through their control points, (B, C, *size).

    points: C' (B, 20, 2), (x, y) from -1 to 1 between the image's edges, or outside; those of
        the text's upper edge from left to right, then those of its lower edge.
    """
    # P' = S C', all x and y of the batch as rows of one product
    rows = points.mT.flatten(0, 1) @ spline(*size).to(points).T
    grid = rows.view(-1, 2, *size).permute(0, 2, 3, 1)
    # I_r(p) = I(p'), between pixels bilinearly
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def smooth_moves() -> Tensor:
    """Ways to move all control points at once, (20, 2 * POWERS) float64, orthogonal, mean square 1.

    Columns x^k and y x^k for k below POWERS: shifts, zooms, slants, turns, arcs, waves.
    """
    x, y = target_fiducials().T[:, :, None]
    powers = x ** torch.arange(POWERS)
    moves, _ = torch.linalg.qr(torch.cat([powers, y * powers], dim=1))
    return moves * FIDUCIALS**0.5


class Localisation(nn.Module):
    """Where the text's edges run: images (B, 1, H, W) -> control points (B, 20, 2).

    Unlike the paper's it sees a small copy, keeps the place of each feature (flattened maps), and
    gives the lengths of the `smooth_moves` in place of single points: 48,000 words are few.
    """

    moves: Tensor
    start: Tensor

    def __init__(self) -> None:
        super().__init__()
        channels, hidden = (16, 32, 64, 64), 64
        shrunk = 2 ** (len(channels) - 1)
        cells = (COPY_SIZE[0] // shrunk) * (COPY_SIZE[1] // shrunk)
        layers = rectifier_layers(channels, pooled=range(1, len(channels)))
        self.maps = nn.Sequential(*layers, nn.Flatten())
        # Without the norm a few steps push every unit below zero, and no gradient lifts it again.
        self.hidden = nn.Sequential(
            nn.Linear(cells * channels[-1], hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
        )
        moves = smooth_moves().float()
        self.last = nn.Linear(hidden, 2 * moves.shape[1])
        self.register_buffer("moves", moves, persistent=False)
        self.register_buffer("start", target_fiducials().float(), persistent=False)
        initialise(self)
        nn.init.zeros_(self.last.weight)  # at first every image gets the same points

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) -> C' (B, 20, 2), (x, y) from -1 to 1 between the edges, or beyond."""
        far = self.last(self.hidden(self.maps(small_copy(images)))).unflatten(1, (-1, 2))
        # C' = C'_start + moves . (how far, across and down)
        return self.start + OFFSET_SCALE * self.moves @ far


class ASTER(nn.Module):
    """Localisation, spline and a reader with two decoders; `rectifying` False: the reader alone."""

    def __init__(self, classes: int, rectifying: bool) -> None:
        super().__init__()
        self.reader = AttentionReader(classes, MAX_LENGTH, output_context=True)
        head = self.reader.head
        self.back = Attention(head.inputs, head.hidden, classes, output_context=True)
        initialise(self.back)
        self.localisation = Localisation() if rectifying else None

    def points(self, images: Tensor) -> Tensor:
        """Control points (B, 20, 2); those of the whole image where nothing is rectified."""
        if self.localisation is None:
            return target_fiducials().to(images).expand(len(images), -1, -1)
        return self.localisation(images)

    def straight(self, images: Tensor) -> Tensor:
        """What the reader gets: (B, 1, 64, 96) -> (B, 1, 32, 96), cut from the large image."""
        # A bfloat16 keeps 8 bits: too coarse for a coordinate.
        with torch.autocast(images.device.type, enabled=False):
            return straighten(images, self.points(images), READER_SIZE)

    def decode_both(
        self, images: Tensor, ids: Sequence[Tensor | None] = (None, None)
    ) -> list[Tensor]:
        """Logits (B, 5, classes) of the decoders from the left and from the right.

        ids: for each decoder the true ids (B, >= 5) from [GO] on, in its own order; None: greedy.
        """
        frames = self.reader.frames(self.reader.features(self.straight(images)))
        heads = (self.reader.head, self.back)
        return [head(frames, text, MAX_LENGTH + 1) for head, text in zip(heads, ids, strict=True)]

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 1, 64, 96) -> logits (B, 5, classes) of the decoder with the higher score."""
        return higher_scored(*self.decode_both(images))


def reverse_text(logits: Tensor) -> Tensor:
    """A reading (B, steps, classes) with its characters in reverse order; [s] and the rest stay."""
    count = greedy_score(logits)[1][:, None]
    step = torch.arange(logits.shape[1], device=logits.device)
    order = torch.where(step < count, count - 1 - step, step)
    return logits.gather(1, order[:, :, None].expand_as(logits))


def higher_scored(forward: Tensor, backward: Tensor) -> Tensor:
    """The likelier of two readings (B, steps, classes), from the left and from the right."""
    wins = greedy_score(forward)[0] >= greedy_score(backward)[0]
    return torch.where(wins[:, None, None], forward, reverse_text(backward))


class BidirectionalReading:
    """Learn from `images` bent words and half as many upright ones, with both decoders."""

    def __init__(self, seed: int, recipe: Recipe, images: int = 6000) -> None:
        self.batches = UprightThenBent(seed, recipe, images, UPRIGHT_SHARE)

    def loss(self, model: ASTER, step: int) -> Tensor:
        """Mean of the two decoders' cross-entropies on this step's batch."""
        batch, labels = self.batches[step], attention_labels()
        ids = [
            labels.encode(texts)[0] for texts in (batch.texts, [text[::-1] for text in batch.texts])
        ]
        logits = model.decode_both(to_input(batch.pixels), [row[:, :-1] for row in ids])
        # L = -1/2 sum over t of (log p_ltr(y_t) + log p_rtl(y_t))
        forward, backward = map(attention_loss, logits, ids)
        return (forward + backward) / 2

    def validate(self, model: ASTER) -> dict[str, float]:
        return self.batches.validate(model)


@torch.inference_mode()
def read_both_ways(model: ASTER, words: WordSet) -> dict[str, list[str]]:
    """Word images of 64 x 96 read by the decoders ("ahead", "back") and by both ("better")."""
    model.eval()
    texts: dict[str, list[str]] = {"ahead": [], "back": [], "better": []}
    for part in to_input(words.images).split(100):
        ahead, back = model.decode_both(part)
        ways = (ahead, reverse_text(back), higher_scored(ahead, back))
        for way, logits in zip(texts, ways, strict=True):
            texts[way] += attention_labels().decode(logits.argmax(dim=2))
    return texts


def evaluate_both_ways(model: ASTER) -> dict[str, float]:
    """`evaluate_unseen`, and the accuracy on bent words of each decoder alone (percent)."""
    bent = unseen_words()
    texts = read_both_ways(model, bent)
    alone = {f"{way}_accuracy": evaluate(texts[way], bent)["accuracy"] for way in ("ahead", "back")}
    return {**evaluate_unseen(model), **alone}


STUDIES = attention_studies("aster", ASTER, BidirectionalReading, evaluate_both_ways, unseen_words)
