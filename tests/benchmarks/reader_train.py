"""Training the line reader on drawn lines: `python tests/benchmarks/reader_train.py --steps 12000`.

One process draws lines, this one learns from them, in the loop that trains all models here:
stopped, the same command goes on from its last checkpoint. The rate stays up and falls to zero over
the last part of the steps. A later call, on another machine too, goes on from a finished reader
(--start).
(On lines of one's own: `ocrkit train --from reader-ko`.)
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch.utils.data import DataLoader, IterableDataset

from ocrkit.errors import OcrkitError
from ocrkit.labels import frames_needed
from ocrkit.processes import deaf_to_ctrl_c
from ocrkit.reader.charset import decode, encode
from ocrkit.reader.draw import Artist
from ocrkit.reader.faces import Faces
from ocrkit.reader.lines import BUCKET, load_reader, prepare, save_reader
from ocrkit.reader.network import HEIGHT, STRIDE, LineNetwork
from ocrkit.reader.task import READER_RECIPE, Batch, LineTask
from ocrkit.training import Loop, Progress, Recipe

BATCH_PIXELS = 4096  # of width: 10 lines of 400, or 40 of 100
WIDEST = 1408
WARM_UP = 200
CHECK_LINES, CHECK_SEED = 200, 987_654_321


def longest_at(step: int) -> int:
    """Characters of the longest line at a step: short ones first, for CTC finds its way sooner."""
    return min(4 + step // 30, 40)


def batches(artist: Artist, step: int = 0) -> Iterator[Batch]:
    """Endless batches of lines of like widths: inks (32, w) and labels.

    step: of the first batch; lines grow longer from it on.
    """
    waiting: dict[int, Batch] = {}
    while True:
        line = artist.line(longest_at(step))
        ink, label = prepare(line.image), encode(line.text)
        width = ink.shape[1]
        if width > WIDEST or frames_needed(decode(label)) > width // STRIDE:
            continue
        bucket = -(-width // BUCKET)
        inks, labels = waiting.setdefault(bucket, ([], []))
        inks.append(ink)
        labels.append(label)
        if (len(inks) + 1) * bucket * BUCKET > BATCH_PIXELS:
            step += 1
            yield waiting.pop(bucket)


class DrawnLines(IterableDataset):
    """`batches` from a step on: of the first training's lines none are drawn again by a later."""

    def __init__(self, seed: int, fonts: str, step: int) -> None:
        self.seed, self.fonts, self.step = seed, fonts, step

    def __iter__(self) -> Iterator[Batch]:
        return batches(Artist(self.seed + 1000 * self.step, Faces(self.fonts)), self.step)


class DrawnBatches:
    """Batches as another process draws them, from the first step that is requested.

    before: steps that the reader has learnt before step 0.
    """

    def __init__(self, seed: int, fonts: str, before: int) -> None:
        self.seed, self.fonts, self.before = seed, fonts, before
        self._drawn: Iterator[Batch] | None = None

    def __getitem__(self, step: int) -> Batch:
        if self._drawn is None:
            lines = DrawnLines(self.seed, self.fonts, self.before + step)
            how = {"num_workers": 1, "prefetch_factor": 32, "multiprocessing_context": "spawn"}
            with deaf_to_ctrl_c():
                self._drawn = iter(DataLoader(lines, None, collate_fn=tuple, **how))
        return next(self._drawn)

    def close(self) -> None:
        """End the process."""
        self._drawn = None


def rate_share(step: int, steps: int, decay: float) -> float:
    """The share of the peak rates at a step: up, then level, then down to zero."""
    return min(1.0, (step + 1) / WARM_UP, (steps - step) / max(decay * steps, 1))


def train(
    folder: Path,
    steps: int,
    start: Path | None = None,
    seed: int = 1,
    fonts: str = "system",
    decay: float = 0.4,
    recipe: Recipe = READER_RECIPE,
    watch: Callable[[Progress], None] = lambda progress: None,
    save_every: float = 60.0,
) -> None:
    """Train to the last step, the rate falling to zero over the last `decay` (a share) of them.

    Raises:
        OcrkitError: `start` cannot be read, or the folder holds another training.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    network, before = LineNetwork(), 0
    if start:
        reader = load_reader(start)
        network, before = reader.network, reader.info["steps"]
    checks = Artist(CHECK_SEED, Faces(fonts))
    held_out = [checks.line() for _ in range(CHECK_LINES)]
    valid = [prepare(line.image) for line in held_out], [line.text for line in held_out]
    batches = DrawnBatches(seed, fonts, before)
    loop = Loop(
        network,
        LineTask(batches, valid),
        replace(recipe, steps=steps),
        seed,
        folder=folder / "state",
        identity={"start": str(start), "fonts": fonts, "decay": decay},
        save_every=save_every,
    )
    loop.schedule = torch.optim.lr_scheduler.LambdaLR(
        loop.engine.optimizer, partial(rate_share, steps=steps, decay=decay)
    )

    def save(progress: Progress) -> None:
        if progress.valid_accuracy is not None:
            row = loop.history[-1]
            print({name: round(value, 4) for name, value in row.items()}, flush=True)
            cer = round(row["valid_cer_spaces"] / 100, 4)
            about = {"steps": before + progress.step, "cer_drawn": cer, "height": HEIGHT}
            save_reader(network, folder / "reader-ko", **about)
        watch(progress)

    try:
        loop.run(save)
    finally:
        batches.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, required=True, help="of this training")
    parser.add_argument("--folder", type=Path, default=Path("runs/reader"))
    parser.add_argument("--start", type=Path, help="a finished reader to go on from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fonts", default="system", help="system, koreanize, or a folder")
    parser.add_argument("--decay", type=float, default=0.4, help="share of the steps, above 0")
    train(**vars(parser.parse_args()))


if __name__ == "__main__":
    try:
        main()
    except OcrkitError as error:
        sys.exit(str(error))
