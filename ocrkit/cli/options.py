"""Options that several commands share: their types, ranges and helps."""

import math
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from ocrkit.schemas import MAX_IMAGE_WIDTH, MAX_LENGTH, MAX_SEED, MAX_WIDTH

# What sets of one's own are trained with where nothing else is said.
OWN_SIZES = {"image_width": 200, "max_length": 25, "width": 0.25}
CORES = os.cpu_count() or 1


def _finite(value: float | None) -> float | None:
    """Typer's ranges let "nan" through, which is neither above nor below anything."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number")
    return value


def _number(least: float, most: float, help: str | None = None) -> Any:
    return typer.Option(min=least, max=most, callback=_finite, help=help)


_PRESETS = (
    "smoke (minutes), mini (an hour of a core), mini-adamw, sentence (hours), sentence-ten, mix, "
    "paper-v1, paper-v2, paper-taste"
)
PresetName = Annotated[str, typer.Option("--preset", "-p", help=_PRESETS)]
DataFolder = Annotated[
    Path | None, typer.Option(help="where the images lie (default: PRESET in data/generated)")
]
Out = Annotated[Path | None, typer.Option(help="where to write (default: runs/PRESET)")]
Workers = Annotated[int, _number(1, 1024, "processes side by side")]
Device = Annotated[str, typer.Option(help="cpu or cuda")]
UnfitLimit = Annotated[float | None, _number(0, 1, "share of labels that may not fit CTC's frames")]
Charset = Annotated[
    str | None, typer.Option(help="data (what the labels hold), 972, ksx1001, or a text file")
]
ImageWidth = Annotated[int | None, _number(32, MAX_IMAGE_WIDTH, "pixels; the height is 32")]
MaxLength = Annotated[int | None, _number(1, MAX_LENGTH, "longest label in characters")]
Pad = Annotated[
    bool, typer.Option("--pad", help="own sets: keep the images' shapes and pad, do not stretch")
]
PadOrStretch = Annotated[
    bool | None,
    typer.Option(
        "--pad/--stretch",
        help="what to do with images of another shape (default: as in the model's training)",
    ),
]
Width = Annotated[
    float | None, _number(0.01, MAX_WIDTH, "own sets: 1 is the paper's layers (default: 0.25)")
]
Seed = Annotated[int, _number(0, MAX_SEED)]
Seeds = Annotated[
    list[int] | None,
    typer.Option("--seed", min=0, max=MAX_SEED, help="one seed; repeat for more (default: 1)"),
]
Steps = Annotated[int | None, _number(1, 100_000_000, "own sets: optimiser steps")]
BatchSize = Annotated[int | None, _number(1, 65_536, "own sets: images a step")]
Engine = Annotated[str, typer.Option(help="native, or apex: NVIDIA Apex, on GPUs")]
Precision = Annotated[
    str | None, typer.Option(help="fp32, bf16, fp16 or auto, instead of the recipe's")
]
Compile = Annotated[bool, typer.Option("--compile", help="let torch.compile make the kernels")]
_ALL_IMAGES = "batch norm over all processes' images (torchrun)"
SyncBatchNorm = Annotated[bool, typer.Option("--sync-batch-norm", help=_ALL_IMAGES)]
SaveEvery = Annotated[float, _number(0, 86_400, "seconds between two checkpoints")]
Cpus = Annotated[float, _number(0.01, 1024, "on ray: processors for each run")]
Gpus = Annotated[float | None, _number(0, 1024, "on ray: GPUs for each run (default: 1 with cuda)")]
Timing = Annotated[
    bool, typer.Option("--timing/--no-timing", help="when all are trained, time each alone")
]
# Of a .pth file of the reference framework, which holds none of these.
ReferenceCharset = Annotated[
    str | None, typer.Option(help="of a .pth file: its characters in training order, a text file")
]
ReferenceWidth = Annotated[
    int | None, _number(32, MAX_IMAGE_WIDTH, "of a .pth file (default: TPS's, or 100)")
]
ReferenceLength = Annotated[
    int | None, _number(1, MAX_LENGTH, "of a .pth file: longest text (default: 25)")
]
