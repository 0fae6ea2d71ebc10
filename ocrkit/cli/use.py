"""The command that scores a trained model."""

from pathlib import Path
from typing import Annotated

import typer

from ocrkit.cli.base import PadOrStretch, app, complain, console
from ocrkit.errors import OcrkitError


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
    from ocrkit.results.show import to_rich
    from ocrkit.training import read_all
    from ocrkit.training.losses import can_say

    reader, rows = Reader(checkpoint, pad), []
    for path in sets:
        size = (reader.model.image_width, reader.model.image_height)
        images = load_pixels(ImageSet(path), *size, reader.pad)
        readings = read_all(reader.model, reader.converter, images.pixels)
        pairs = zip(readings.texts, images.texts, strict=True)
        pairs = [(said, true) for said, true in pairs if label_of(true)]
        if not pairs:
            raise OcrkitError(f"{path}: every label is empty: there is nothing to score against")
        said, true = zip(*pairs, strict=True)
        rows.append({"set": path.name, **score(said, true).as_dict()})
        frames = reader.model.frames
        odd = {
            "are empty, and left out": len(images) - len(pairs),
            "hold characters outside the checkpoint's charset, and count as errors": sum(
                bool(outside(label_of(text), reader.charset)) for text in true
            ),
            f"are too long for the model ({frames} frames, at most {reader.model.max_length} "
            "characters), and count as errors": sum(
                not can_say(reader.converter, text, frames) for text in true
            ),
        }
        for what, count in odd.items():
            if count:
                complain(f"{path}: {count} of {len(images)} labels {what}", "yellow")
        for index, reason in images.broken:
            complain(f"{path}: image {index} left out: {reason}", "yellow")
    to_rich(pd.DataFrame(rows), f"{reader.model.name} ({checkpoint.name})", console)
