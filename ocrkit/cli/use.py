"""The command that scores a trained model."""

from pathlib import Path
from typing import Annotated

import typer

from ocrkit.cli.base import PadOrStretch, app, complain, console


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="such as runs/mini/checkpoints/NAME")],
    sets: Annotated[list[Path], typer.Argument(help="LMDB sets with labels")],
    pad: PadOrStretch = None,
) -> None:
    """Score a checkpoint on LMDB sets: accuracy with its interval, and every error rate."""
    import pandas as pd

    from ocrkit.data.cache import load_pixels
    from ocrkit.data.store import ImageSet
    from ocrkit.labels import label_of, outside
    from ocrkit.metrics import score
    from ocrkit.reading import Reader
    from ocrkit.report.text import to_rich
    from ocrkit.training import read_all

    reader, rows = Reader(checkpoint, pad), []
    for path in sets:
        size = (reader.model.image_width, reader.model.image_height)
        images = load_pixels(ImageSet(path), *size, reader.pad)
        readings = read_all(reader.model, reader.converter, images.pixels)
        rows.append({"set": path.name, **score(readings.texts, images.texts).as_dict()})
        unknown = sum(bool(outside(label_of(t), reader.charset)) for t in images.texts)
        if unknown:
            complain(
                f"{path}: {unknown} of {len(images)} labels hold characters outside the "
                "checkpoint's charset, and count as errors",
                "yellow",
            )
        for index, reason in images.broken:
            complain(f"{path}: image {index} left out: {reason}", "yellow")
    to_rich(pd.DataFrame(rows), f"{reader.model.name} ({checkpoint.name})", console)
