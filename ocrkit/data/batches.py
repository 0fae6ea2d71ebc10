"""Which images make which batch: an equal part of every batch from each source.

A batch is a function of (seed, step) alone, so that a resumed run needs no sampler state.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ocrkit.data.cache import Pixels
from ocrkit.errors import OcrkitError


@dataclass(frozen=True)
class Batch:
    """pixels: (B, H, W) uint8; texts: B texts."""

    pixels: np.ndarray
    texts: list[str]


@lru_cache(maxsize=16)
def _order(count: int, seed: int, source: int, epoch: int) -> np.ndarray:
    """The order in which an epoch goes through a source: a permutation of range(count)."""
    return np.random.default_rng([seed, source, epoch]).permutation(count)


class Batches:
    """An endless sequence of batches, each with equal parts from each source.

    sources: one or more sets; each is walked through in epochs of its own, every image once.
    batch_size: images a batch; a multiple of the number of sources.
    seed: what the order depends on.
    processes: how many share each batch.
    Raises OcrkitError: no source, or a batch that cannot be split evenly.
    """

    def __init__(self, sources: list[Pixels], batch_size: int, seed: int, processes: int = 1):
        if not sources:
            raise OcrkitError("training needs at least one source of images")
        for count, what in ((len(sources), "sources"), (processes, "processes")):
            if batch_size < 1 or batch_size % count:
                raise OcrkitError(
                    f"a batch of {batch_size} cannot be split over {count} {what}: "
                    f"choose a multiple of {count}"
                )
        self.sources, self.batch_size, self.seed = sources, batch_size, seed

    def indices(self, step: int) -> list[np.ndarray]:
        """For each source, which of its images stand in the batch of this step (from 0)."""
        part = self.batch_size // len(self.sources)
        chosen = []
        for number, source in enumerate(self.sources):
            positions = np.arange(step * part, (step + 1) * part)
            epochs, offsets = np.divmod(positions, len(source))
            rows = [
                _order(len(source), self.seed, number, int(epoch))[offsets[epochs == epoch]]
                for epoch in np.unique(epochs)
            ]
            chosen.append(np.concatenate(rows))
        return chosen

    def texts(self, step: int) -> list[str]:
        """The texts of the whole batch of this step."""
        chosen = zip(self.sources, self.indices(step), strict=True)
        return [source.texts[i] for source, rows in chosen for i in rows]

    def __getitem__(self, step: int) -> Batch:
        return self.part(step, 0, 1)

    def part(self, step: int, rank: int, size: int) -> Batch:
        """The rows of one process: every `size`-th of the batch, beginning with row `rank`.

        Neighbouring rows go to different processes, so that each has its share of every source.
        """
        pixels, texts, before = [], [], 0
        for source, rows in zip(self.sources, self.indices(step), strict=True):
            mine = rows[(rank - before) % size :: size]
            before += len(rows)
            pixels.append(source.pixels[mine])
            texts += [source.texts[i] for i in mine]
        return Batch(np.concatenate(pixels), texts)
