"""What models cost and what they reach: measured, as a file, and as the tables of a document."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ocrkit.bench import ceilings, cuts, models
from ocrkit.bench.rates import torch_threads
from ocrkit.bench.run import describe_machine, stamp
from ocrkit.bench.sizes import MINI, PAPER
from ocrkit.errors import OcrkitError
from ocrkit.files import write_text

# The first of each is not counted. Small steps are short: more of them, for a steady median.
ROUNDS = {PAPER: 2, MINI: 15}


def measure(
    device: torch.device, said: Callable[[str], None] = lambda what: None
) -> dict[str, Any]:
    """Everything on one device, on one thread of its processor; `said` is told what is done."""
    machine = describe_machine()
    if device.type == "cuda":
        machine["gpu"] = torch.cuda.get_device_name(device)
    found: dict[str, Any] = {"device": str(device)}
    with torch_threads(1):
        found["ceilings"] = ceilings.measure(device)
        said("ceilings")
        found["cuts"], found["models"] = [], []
        for size, rounds in ROUNDS.items():
            for row in cuts.measure(size, device, rounds):
                found["cuts"].append(row)
                said(f"{size.name}: {row['what']}")
            for row in models.measure(size, device, rounds):
                found["models"].append(row)
                said(f"{size.name}: {row['model']}")
    return {**stamp(machine), **found}


def tables(found: dict[str, Any]) -> dict[str, str]:
    """Markdown tables by name: ceilings, cuts, and train and read of each size."""
    made = {"ceilings": _ceilings(found["ceilings"]), "cuts": _cuts(found)}
    for size in (PAPER, MINI):
        rows = [row for row in found["models"] if row["size"] == size.name]
        for task in ("train", "read"):
            made[f"{task}-{size.name}"] = _models(rows, task, found["ceilings"])
    return made


def write_tables(document: Path, found: dict[str, Any]) -> None:
    """Put each table between its marks in a document: `<!-- table: NAME -->` and `<!-- end -->`.

    Raises:
        OcrkitError: a mark is missing.
    """
    text = document.read_text(encoding="utf-8")
    for name, table in tables(found).items():
        text, count = re.subn(
            rf"(<!-- table: {name} -->\n).*?(<!-- end -->)",
            lambda marks, table=table: f"{marks[1]}\n{table}\n\n{marks[2]}",
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise OcrkitError(
                f"{document} has no place for the table {name}: write <!-- table: {name} --> and "
                "<!-- end --> on lines of their own"
            )
    write_text(document, text)


def shares(row: dict[str, Any], task: str, ceiling: dict[str, float]) -> tuple[float, float]:
    """How much of the ceilings the fast side reaches: arithmetic, and memory at most (0 to 1).

    Operations a second by the faster of product and convolution in its precision; bytes as if
    nothing stayed in a cache, at the precision's width.
    """
    cost, half = row[task], row["precision"] != "fp32"
    kind = "bf16" if half else "fp32"
    most = max(ceiling[f"product_{kind}"], ceiling[f"convolution_{kind}"])
    moved = cost["bytes"] / (2 if half else 1)
    speed = cost["fast"]
    return speed * cost["flops"] / most, speed * moved / ceiling["bytes_per_second"]


def _models(rows: list[dict[str, Any]], task: str, ceiling: dict[str, float]) -> str:
    heads = ["model", "GFLOP", "MB", "plain", "fast", "times", "arithmetic", "memory, at most"]
    lines = []
    for row in rows:
        cost = row[task]
        arithmetic, memory = shares(row, task, ceiling)
        lines.append(
            [
                row["model"],
                _three(cost["flops"] / 1e9),
                _three(cost["bytes"] / 1e6),
                _three(cost["plain"]),
                _three(cost["fast"]),
                f"{cost['fast'] / cost['plain']:.2f}",
                f"{100 * arithmetic:.0f} %",
                f"{100 * memory:.0f} %",
            ]
        )
    return _markdown(heads, lines)


def _ceilings(ceiling: dict[str, float]) -> str:
    lines = [
        [name.replace("_", " "), f"{ceiling[name] / 1e9:,.0f} GFLOP/s"]
        for name in ceiling
        if name != "bytes_per_second"
    ]
    lines.append(["memory", f"{ceiling['bytes_per_second'] / 1e9:.1f} GB/s"])
    return _markdown(["ceiling", "measured"], lines)


def _cuts(found: dict[str, Any]) -> str:
    heads = ["cut", "size", "plain, ms", "cut, ms", "times"]
    lines = [
        [row["what"], row["size"], _three(row["plain_ms"]), _three(row["cut_ms"]),
         f"{row['times']:.2f}"]
        for row in found["cuts"]
    ]  # fmt: skip
    return _markdown(heads, lines)


def _three(value: float) -> str:
    """Three digits that say something: 0.123, 1.23, 12.3, 123, 1,230."""
    digits = max(0, 2 - len(str(int(value))) + 1) if value >= 1 else 3
    return f"{float(f'{value:.3g}'):,.{digits}f}"


def _markdown(heads: list[str], lines: list[list[str]]) -> str:
    """The first column to the left, numbers to the right."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, rule, *lines])
