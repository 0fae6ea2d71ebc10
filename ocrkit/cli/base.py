"""What all commands share: the application, where it prints, and options of the same meaning."""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ocrkit.errors import OcrkitError
from ocrkit.limits import MAX_IMAGE_WIDTH, MAX_SEED, MAX_WIDTH
from ocrkit.limits import MAX_LENGTH as MOST_CHARACTERS

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Reproduce the HCLT 2019 study of Korean sentence OCR, and train Korean OCR of your own."
    "\n\n"
    "The road: [bold]generate[/] draws images, [bold]sweep[/] trains and tests the 24 models, "
    "[bold]report[/] prints the paper's tables beside yours. `ocrkit doctor` says what this "
    "machine can do.",
    rich_markup_mode="rich",
)
# Brackets and colons in the names of files are no markup and no emoji.
console = Console(markup=False, emoji=False)
err = Console(stderr=True, markup=False, emoji=False)


def _a_number(value: float | None) -> float | None:
    """Typer's ranges let "nan" through, which is neither above nor below anything."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number")
    return value


PresetName = Annotated[
    str,
    typer.Option(
        "--preset",
        "-p",
        help="smoke (minutes), mini (an hour), mix, paper-v1, paper-v2, paper-taste",
    ),
]
DataFolder = Annotated[
    Path | None, typer.Option(help="where the images lie [default: data/generated/PRESET]")
]
Out = Annotated[Path | None, typer.Option(help="where to write [default: runs/PRESET]")]
Workers = Annotated[int, typer.Option(min=1, max=1024, help="processes side by side")]
Device = Annotated[str, typer.Option(help="cpu or cuda")]
UnfitLimit = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, callback=_a_number, help="share of labels that may not fit CTC's frames"
    ),
]
Charset = Annotated[
    str | None, typer.Option(help="data (what the labels hold), 972, ksx1001, or a text file")
]
ImageWidth = Annotated[
    int | None,
    typer.Option(min=32, max=MAX_IMAGE_WIDTH, help="pixels; the height is 32"),
]
MaxLength = Annotated[
    int | None, typer.Option(min=1, max=MOST_CHARACTERS, help="longest label in characters")
]
Pad = Annotated[
    bool, typer.Option("--pad", help="own sets: keep the images' shapes and pad, do not stretch")
]
PadOrStretch = Annotated[
    bool | None, typer.Option("--pad/--stretch", help="[default: as in the model's training]")
]
Width = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=MAX_WIDTH,
        callback=_a_number,
        help="own sets: 1 is the paper's layers [default: 0.25]",
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=MAX_SEED)]
Seeds = Annotated[
    list[int] | None,
    typer.Option("--seed", min=0, max=MAX_SEED, help="one seed; repeat for more [default: 1]"),
]
Steps = Annotated[
    int | None, typer.Option(min=1, max=100_000_000, help="own sets: optimiser steps")
]
BatchSize = Annotated[int | None, typer.Option(min=1, max=65_536, help="own sets: images a step")]
Engine = Annotated[str, typer.Option(help="native, or apex: NVIDIA Apex, on GPUs")]
Precision = Annotated[
    str | None, typer.Option(help="fp32, bf16, fp16 or auto, instead of the recipe's")
]
Compile = Annotated[bool, typer.Option("--compile", help="let torch.compile make the kernels")]
SyncBatchNorm = Annotated[
    bool,
    typer.Option("--sync-batch-norm", help="batch norm over all processes' images (torchrun)"),
]
SaveEvery = Annotated[
    float,
    typer.Option(min=0, max=86_400, callback=_a_number, help="seconds between two checkpoints"),
]
On = Annotated[
    str, typer.Option("--on", help="here, or ray: the cluster at RAY_ADDRESS, else one of its own")
]
Cpus = Annotated[
    float,
    typer.Option(min=0.01, max=1024, callback=_a_number, help="on ray: processors for each run"),
]
Gpus = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1024,
        callback=_a_number,
        help="on ray: GPUs for each run [default: 1 with cuda]",
    ),
]
Timing = Annotated[
    bool, typer.Option("--timing/--no-timing", help="when all are trained, time each alone")
]
# What sets of one's own are trained with where nothing else is said.
IMAGE_WIDTH, MAX_LENGTH = 200, 25
CORES = os.cpu_count() or 1


def say(text: object) -> None:
    """One line of the result: never wrapped."""
    console.print(Text(str(text)), soft_wrap=True)


def complain(text: object, style: str) -> None:
    """One line to the error stream: never wrapped, and brackets in file names stay as they are."""
    err.print(Text(str(text), style), soft_wrap=True)


@contextlib.contextmanager
def place(on: str, workers: int) -> Iterator[None]:
    """Within the block the machines to work on are at hand: "here" this one, "ray" a cluster.

    Raises:
        OcrkitError: an unknown place, or a cluster that cannot be had.
    """
    if on not in ("here", "ray"):
        raise OcrkitError(f"unknown place {on!r} to work on: choose here or ray")
    if on == "here":
        yield
        return
    from ocrkit.experiments.cluster import connected

    with connected(workers):
        yield


@contextlib.contextmanager
def resumable() -> Iterator[None]:
    """Within the block a SIGTERM lets the training save, and ends the command with code 75."""
    from ocrkit.training.interruption import EXIT_RESUMABLE, Interrupted, save_on_sigterm

    try:
        with save_on_sigterm():
            yield
    except Interrupted:
        if not console.quiet:
            complain("stopped by SIGTERM, and saved: the same command goes on from there", "yellow")
        raise typer.Exit(EXIT_RESUMABLE) from None
