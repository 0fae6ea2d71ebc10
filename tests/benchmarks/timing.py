"""Seconds of several ways to do the same, taken in turns on one machine."""

import os
import platform
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.utils.benchmark import Timer

from ocrkit.training.precision import cpu_features


def in_turns(
    ways: Sequence[Callable[[], Any]], rounds: int = 5, wall: bool = False
) -> list[list[float]]:
    """Seconds of each way's calls on one thread, `rounds` of them: what slows one slows all.

    Processor time, which other programs do not change; `wall` time for a GPU, which is waited for.
    """
    clock = {} if wall else {"timer": time.process_time}
    timers = [Timer("way()", globals={"way": way}, **clock) for way in ways]
    # Before the call that counts, timeit makes two that do not.
    seconds = [[timer.timeit(1).median for timer in timers] for _ in range(rounds)]
    return [list(way) for way in zip(*seconds, strict=True)]


def row(what: str, against: str, ours: list[float], theirs: list[float], note: str) -> dict:
    """Two sides' images a second of processor time, round by round, as a row of bench.json."""
    numbers = {"ours": median(ours), "theirs": median(theirs) if theirs else None, "times": None}
    if theirs:
        numbers["times"] = numbers["ours"] / numbers["theirs"]
    rounded = {name: value and float(f"{value:.4g}") for name, value in numbers.items()}
    return {"what": what, "against": against, "rounds": len(ours), "processor": rounded,
            "unit": "images/s", "note": note}  # fmt: skip


def machine() -> dict[str, Any]:
    """Processor, cores, bf16 units, system, load of the last minute; versions and the hour."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "machine": {
            "processor": [*names, platform.processor()][0],
            "cores": os.cpu_count(),
            "bf16_units": [name for name, there in cpu_features().items() if there],
            "system": f"{platform.system()} {platform.machine()}",
            "load_before": round(os.getloadavg()[0], 2),
        },
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "finished": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }
