"""All measures on one machine: what was found, as a file and as a table."""

import datetime as dt
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL
import torch

import ocrkit
from ocrkit.bench import feed, generate, train
from ocrkit.bench.rates import Row
from ocrkit.training.precision import cpu_features

MEASURES = ("generate", "feed", "train")


def rows(measures: tuple[str, ...], trdg_python: Path, rounds: int) -> Iterator[Row]:
    """A row a measure, as they come."""
    if "generate" in measures:
        yield from generate.measure(trdg_python, rounds)
    if "feed" in measures:
        yield feed.measure(rounds)
    if "train" in measures:
        yield train.measure(rounds)


def describe_machine() -> dict[str, Any]:
    """Processor, cores, bf16 units, system, and how busy it is (load over the last minute)."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "bf16_units": [name for name, there in cpu_features().items() if there],
        "system": f"{platform.system()} {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def summary(machine: dict[str, Any]) -> str:
    """The machine in one line."""
    units = ", ".join(machine["bf16_units"]) or "no bf16 units"
    named = machine["processor"] or "unnamed processor"
    return f"{named}, {machine['cores']} cores ({units}), load {machine['load_before']}"


def stamp(machine: dict[str, Any]) -> dict[str, Any]:
    """What every file of measures begins with: the machine, the versions, the hour."""
    return {
        "machine": machine,
        "versions": {
            "ocrkit": ocrkit.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
        },
        "finished": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }


def document(machine: dict[str, Any], measured: list[Row]) -> dict[str, Any]:
    """What the file holds."""
    return {**stamp(machine), "rows": [row.as_dict() for row in measured]}


def table(found: dict[str, Any]) -> pd.DataFrame:
    """The document's rows for a person: rates and ratios by the clock that decides."""
    lines = []
    for row in found["rows"]:
        decides = row[row["clock"]]
        spread = [decides["lowest"], decides["highest"]]
        lines.append(
            {
                "measure": row["what"],
                "ours": decides["ours"],
                "theirs": decides["theirs"],
                "times": decides["times"],
                "rounds": "" if None in spread else "{:.3g}-{:.3g}".format(*spread),
                "wall_clock": row["wall"]["times"],
                "reach": row["reach"],
                "reached": row["reached"],
            }
        )
    numbers = ["ours", "theirs", "times", "wall_clock", "reach"]
    return pd.DataFrame(lines).astype(dict.fromkeys(numbers, float))


def notes(found: dict[str, Any]) -> list[str]:
    """What each measure was compared with, and its sizes; once for rows that share them."""
    said: dict[str, str] = {}
    for row in found["rows"]:
        said.setdefault(f"{row['against']}; by {row['clock']} time; {row['note']}", row["what"])
    return [f"{what}: {note}" for note, what in said.items()]
