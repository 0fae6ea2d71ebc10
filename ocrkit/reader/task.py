"""Learning from labelled lines of one's own: sets of pictures of any width, spaces and all."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from ocrkit.data.store import ImageSet
from ocrkit.errors import OcrkitError
from ocrkit.hangul import nfc
from ocrkit.labels import frames_needed
from ocrkit.metrics import rates
from ocrkit.reader.charset import decode, encode
from ocrkit.reader.lines import BUCKET, Reader, prepare, to_batch
from ocrkit.reader.network import STRIDE, LineNetwork, ctc_loss
from ocrkit.training import Recipe

# A batch is by width: about ten drawn lines, or so many as the recipe says of one's own.
READER_RECIPE = Recipe(
    *("reader", "muon", 3e-3),
    steps=12_000,
    batch_size=10,
    grad_clip=2.0,
    muon_rate=0.02,
    validate_every=400,
)

Batch = tuple[list[np.ndarray], list[list[int]]]


class LabelledLines:
    """The lines of a set that the reader can learn: inks in memory, 32 bytes a pixel of width.

    Raises OcrkitError: there is no line to learn from, or the set cannot be read.
    """

    def __init__(self, images: ImageSet) -> None:
        self.inks: list[np.ndarray] = []  # uint8 (32, w) each
        self.labels: list[list[int]] = []  # their ids
        self.texts: list[str] = []  # what they say, with single spaces
        self.left_out: list[tuple[int, str]] = []  # index and reason of the others
        for index in range(len(images)):
            text = " ".join(nfc(images.text(index)).split())
            try:
                ink, label = prepare(np.asarray(images.image(index))), encode(text)
                _check(ink, label, text)
            except OcrkitError as error:
                self.left_out.append((index, str(error)))
                continue
            self.inks.append(ink)
            self.labels.append(label)
            self.texts.append(text)
        if not self.inks:
            raise OcrkitError(f"{images.path} has no line to learn from: {self.left_out[0][1]}")

    def __len__(self) -> int:
        return len(self.inks)


def _check(ink: np.ndarray, label: list[int], text: str) -> None:
    """See that a line can be learnt.

    Raises OcrkitError: its label is empty, holds what the reader cannot write, or does not fit.
    """
    if unknown := "".join(dict.fromkeys(c for c in text if not encode(c))):
        raise OcrkitError(f"the line reader cannot write {unknown!r}")
    if not label:
        raise OcrkitError("the label is empty")
    frames = -(-ink.shape[1] // STRIDE)
    if (needed := frames_needed(decode(label))) > frames:
        raise OcrkitError(
            f"{len(label)} characters need {needed} frames of {STRIDE} pixels, and the line has "
            f"{frames} at a height of 32"
        )


class LineBatches:
    """Batches of lines of like widths as a function of (seed, step).

    Sets take turns, so that a small one weighs as much as a large one. In an epoch of a set each of
    its lines comes once.
    """

    def __init__(self, sources: Sequence[LabelledLines], batch_size: int, seed: int) -> None:
        self.sources, self.batch_size, self.seed = sources, batch_size, seed
        self.buckets = [
            np.array([-(-ink.shape[1] // BUCKET) for ink in source.inks]) for source in sources
        ]
        self._epoch: Callable[[int, int], list[np.ndarray]] = lru_cache(4)(self._cut)
        self.lengths = [len(self._epoch(source, 0)) for source in range(len(sources))]

    def _cut(self, source: int, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, the same number in each: which lines stand in which."""
        rng = np.random.default_rng([self.seed, source, epoch])
        buckets = self.buckets[source]
        shuffled = rng.permutation(len(buckets))
        parts: list[np.ndarray] = []
        for bucket in np.unique(buckets):
            alike = shuffled[buckets[shuffled] == bucket]
            parts += np.array_split(alike, -(-len(alike) // self.batch_size))
        return [parts[i] for i in rng.permutation(len(parts))]

    def __getitem__(self, step: int) -> Batch:
        """Inks and labels of a step (from 0)."""
        turn, source = divmod(step, len(self.sources))
        epoch, place = divmod(turn, self.lengths[source])
        chosen, lines = self._epoch(source, epoch)[place], self.sources[source]
        return [lines.inks[i] for i in chosen], [lines.labels[i] for i in chosen]


class LineTask:
    """What a `Loop` learns: to say the labels of `batches`.

    batches: give inks and labels for a step (`batches[step]`).
    valid: inks and texts to validate on, or None.
    """

    def __init__(self, batches: Any, valid: tuple[list[np.ndarray], list[str]] | None) -> None:
        self.batches, self.valid = batches, valid

    def loss(self, model: torch.nn.Module, step: int) -> torch.Tensor:
        """CTC's loss of this step's batch."""
        inks, labels = self.batches[step]
        images, frames = to_batch(inks)
        device = next(model.parameters()).device
        return ctc_loss(model(images.to(device)), labels, frames)

    def validate(self, model: LineNetwork) -> dict[str, float]:
        """Accuracy, and character error rate without spaces and with them; percent."""
        return line_scores(Reader(model), *self.valid) if self.valid else {}


def line_scores(reader: Reader, inks: list[np.ndarray], texts: list[str]) -> dict[str, float]:
    """How well lines are read; see `LineTask.validate`."""
    read = [line.text for line in reader.read_inks(inks)]
    right = sum(r == t for r, t in zip(read, texts, strict=True))
    closed, spaced = rates(read, texts)
    return {
        "valid_accuracy": 100 * right / len(read),
        "valid_cer": 100 * closed,
        "valid_cer_spaces": 100 * spaced,
    }
