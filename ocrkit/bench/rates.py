"""Two sides measured in turns, and the row that comes of it."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

CLOCKS = ("processor", "wall")


@dataclass(frozen=True)
class Rate:
    """Images a second of processor time, and a second by the clock on the wall."""

    processor: float
    wall: float


@dataclass(frozen=True)
class Row:
    """One measure.

    Attributes:
        what: what was done.
        against: what it was done with on the other side.
        reach: how many times as fast as that it ought to be.
        clock: which clock decides. Processor time where one thread works: another program's share
            of the core does not count. The wall's where several do: they wait for each other.
        ours, theirs: a rate for each round; `theirs` is empty where the other side cannot run.
        note: sizes, or why the other side could not run.
    """

    what: str
    against: str
    reach: float
    clock: str
    ours: list[Rate]
    theirs: list[Rate]
    note: str = ""

    def by(self, clock: str) -> dict[str, float | None]:
        """Medians over the rounds, their ratio, and the rounds' lowest and highest ratio."""
        ours = [getattr(rate, clock) for rate in self.ours]
        theirs = [getattr(rate, clock) for rate in self.theirs]
        found: dict[str, float | None] = {"ours": median(ours)}
        if not theirs:
            return found | dict.fromkeys(("theirs", "times", "lowest", "highest"))
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        found["theirs"] = median(theirs)
        found["times"] = found["ours"] / found["theirs"]
        return found | {"lowest": min(ratios), "highest": max(ratios)}

    def as_dict(self) -> dict[str, Any]:
        """The row for the file. `reached` is None where there is nothing to compare with."""
        clocks = {
            clock: {k: v and float(f"{v:.4g}") for k, v in self.by(clock).items()}
            for clock in CLOCKS
        }
        times = clocks[self.clock]["times"]
        return {
            "what": self.what,
            "against": self.against,
            "unit": "images/s",
            "clock": self.clock,
            "rounds": len(self.ours),
            **clocks,
            "reach": self.reach,
            "reached": None if times is None else times >= self.reach,
            "note": self.note,
        }


def timed(work: Callable[[], int], device: torch.device | None = None) -> Rate:
    """The rate of some work in this process; the work says how many images it was.

    device: a GPU is waited for, before and after.
    """
    _wait(device)
    processor, wall = time.process_time(), time.perf_counter()
    count = work()
    _wait(device)
    return Rate(count / (time.process_time() - processor), count / (time.perf_counter() - wall))


def _wait(device: torch.device | None) -> None:
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)


def deciding_clock(device: torch.device) -> str:
    """Of one thread's work on this device: processor time, which other programs do not change."""
    return "wall" if device.type == "cuda" else "processor"


def in_turns(
    ours: Callable[[], Rate], theirs: Callable[[], Rate] | None, rounds: int
) -> tuple[list[Rate], list[Rate]]:
    """Ours, theirs, ours, theirs, ...: what slows the machine for a while slows both.

    One round more is run than counted: the first fills caches. Without `theirs`, ours alone.
    """
    pairs = [(ours(), theirs() if theirs else None) for _ in range(rounds + 1)][1:]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs if pair[1]]


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use so many threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
