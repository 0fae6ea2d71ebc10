"""Training the line reader: `python -m ocrkit.reader.train --minutes 60`.

One process draws lines, this one learns from them. It has no end of its own: the rate stays up and
falls to zero over the last part of the minutes given, and a later call, on another machine too,
goes on from the state in its folder or from a finished reader (--start).
"""

import argparse
import csv
import multiprocessing as mp
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rapidfuzz.distance import Levenshtein

from ocrkit.files import atomic_file
from ocrkit.reader.charset import encode
from ocrkit.reader.draw import Artist, Line
from ocrkit.reader.faces import Faces
from ocrkit.reader.lines import BUCKET, Reader, load_reader, prepare, save_reader, to_batch
from ocrkit.reader.network import HEIGHT, STRIDE, LineNetwork, ctc_loss
from ocrkit.training.optimizers import MuonAdamW, muon_groups

BATCH_PIXELS = 4096  # of width: 10 lines of 400, or 40 of 100
WIDEST = 1408
ADAMW_RATE, MUON_RATE = 3e-3, 0.02
WARM_UP = 200
CHECK_EVERY, CHECK_LINES, CHECK_SEED = 400, 200, 987_654_321

Batch = tuple[list[np.ndarray], list[list[int]]]


def longest_at(step: int) -> int:
    """Characters of the longest line at a step: short ones first, for CTC finds its way sooner."""
    return min(4 + step // 30, 40)


def batches(artist: Artist, longest: Any) -> Iterator[Batch]:
    """Endless batches of lines of like widths: inks (32, w) and labels.

    longest: has a `value`, characters of the longest line, which may change.
    """
    waiting: dict[int, Batch] = {}
    while True:
        line = artist.line(longest.value)
        ink, label = prepare(line.image), encode(line.text)
        width = ink.shape[1]
        # CTC needs a frame a character and one between equal ones.
        needed = len(label) + sum(a == b for a, b in pairwise(label))
        if width > WIDEST or needed > width // STRIDE:
            continue
        bucket = -(-width // BUCKET)
        inks, labels = waiting.setdefault(bucket, ([], []))
        inks.append(ink)
        labels.append(label)
        if (len(inks) + 1) * bucket * BUCKET > BATCH_PIXELS:
            yield waiting.pop(bucket)


def _draw(queue: Any, longest: Any, seed: int, fonts: str) -> None:
    for batch in batches(Artist(seed, Faces(fonts)), longest):
        queue.put(batch)


@contextmanager
def drawing(seed: int, fonts: str, longest: Any, context: Any) -> Iterator[Any]:
    """A queue that another process fills with batches until the context ends."""
    queue = context.Queue(maxsize=32)
    process = context.Process(target=_draw, args=(queue, longest, seed, fonts), daemon=True)
    process.start()
    try:
        yield queue
    finally:
        process.terminate()
        process.join()


def learn(network: LineNetwork, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    """One step on one batch; returns the loss."""
    images, frames = to_batch(batch[0])
    loss = ctc_loss(network(images), batch[1], frames)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
    optimizer.step()
    return loss.item()


def error_rate(reader: Reader, lines: list[Line]) -> float:
    """Character error rate, spaces counted."""
    read = reader.read_lines([line.image for line in lines])
    edits = sum(
        Levenshtein.distance(r.text, line.text) for r, line in zip(read, lines, strict=True)
    )
    return edits / sum(len(line.text) for line in lines)


class Run:
    """The state of a training in a folder: last.pt to go on from, curve.csv, reader-ko.*."""

    def __init__(self, folder: Path, start: Path | None) -> None:
        self.folder, self.step, self.lines = folder, 0, 0
        self.network = LineNetwork()
        last = folder / "last.pt"
        if last.is_file():
            state = torch.load(last, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.step, self.lines = state["step"], state["lines"]
        elif start:
            reader = load_reader(start)
            self.network = reader.network
            self.step, self.lines = reader.info["steps"], reader.info["lines"]
        self.optimizer = MuonAdamW(muon_groups(self.network, ADAMW_RATE, MUON_RATE, 0.0))
        self.warm_up = WARM_UP
        if last.is_file():
            self.optimizer.load_state_dict(state["optimizer"])
            self.warm_up = 1
        for group in self.optimizer.param_groups:
            group["peak"] = MUON_RATE if group["muon"] else ADAMW_RATE
        folder.mkdir(parents=True, exist_ok=True)

    def set_rate(self, share: float) -> None:
        """Rates as a share of their peaks."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * share

    def save(self, **info: Any) -> None:
        """Write the state, and the reader as it is now."""
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "lines": self.lines,
        }
        with atomic_file(self.folder / "last.pt") as temporary:
            torch.save(state, temporary)
        stem = self.folder / "reader-ko"
        save_reader(self.network, stem, steps=self.step, lines=self.lines, **info)

    def log(self, row: dict[str, float]) -> None:
        """A line of curve.csv."""
        file = self.folder / "curve.csv"
        new = not file.exists()
        with file.open("a", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, row.keys())
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(row, flush=True)


def train(
    folder: Path,
    minutes: float,
    start: Path | None = None,
    seed: int = 1,
    fonts: str = "system",
    decay: float = 0.4,
) -> None:
    """Train for a time, the rate falling to zero over the last `decay` (a share) of it."""
    torch.set_num_threads(1)
    run = Run(folder, start)
    context = mp.get_context("spawn")
    longest = context.Value("i", longest_at(run.step))
    checks = Artist(CHECK_SEED, Faces(fonts))
    held_out = [checks.line() for _ in range(CHECK_LINES)]
    first, losses, began = run.step, [], time.monotonic()
    # Another call must not draw the lines of the first again.
    with drawing(seed + 1000 * run.step, fonts, longest, context) as queue:
        while (gone := (time.monotonic() - began) / 60) < minutes:
            share = min(1.0, (run.step - first + 1) / run.warm_up, (1 - gone / minutes) / decay)
            run.set_rate(share)
            batch = queue.get()
            losses.append(learn(run.network.train(), run.optimizer, batch))
            run.step, run.lines = run.step + 1, run.lines + len(batch[0])
            longest.value = longest_at(run.step)
            if run.step % CHECK_EVERY == 0:
                _check(run, held_out, gone, losses, share)
                losses = []
    _check(run, held_out, minutes, losses or [float("nan")], 0.0)


def _check(run: Run, held_out: list[Line], gone: float, losses: list[float], share: float) -> None:
    cer = error_rate(Reader(run.network), held_out)
    row = {
        "step": run.step,
        "lines": run.lines,
        "minutes": round(gone, 1),
        "rate": round(share, 3),
        "loss": round(float(np.mean(losses)), 4),
        "cer_drawn": round(cer, 4),
    }
    run.log(row)
    run.save(cer_drawn=row["cer_drawn"], height=HEIGHT)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, required=True, help="of this call, by the clock")
    parser.add_argument("--folder", type=Path, default=Path("runs/reader"))
    parser.add_argument("--start", type=Path, help="a finished reader to go on from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fonts", default="system", help="system, koreanize, or a folder")
    parser.add_argument("--decay", type=float, default=0.4, help="share of the time, above 0")
    train(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
