"""Commands that make data."""

from pathlib import Path
from typing import Annotated

import typer

from ocrkit.cli.base import CORES, DataFolder, PresetName, Workers, app, console


def prepared(preset_name: str, data: Path | None, workers: int, words=None, fonts=None):
    """The preset and its data, drawn now if it is not there yet."""
    from ocrkit.experiments.datasets import prepare
    from ocrkit.experiments.presets import get_preset
    from ocrkit.progress import DataBars

    preset = get_preset(preset_name)
    folder = data or Path("data/generated") / preset.name
    with DataBars(console) as bars:
        return preset, prepare(preset, folder, workers, bars.watch, words, fonts)


@app.command()
def generate(
    preset: PresetName = "mini",
    out: DataFolder = None,
    workers: Workers = CORES,
    words: Annotated[Path | None, typer.Option(help="another word list: a text file")] = None,
    fonts: Annotated[
        str | None, typer.Option(help="koreanize (four pinned faces), system, or a folder")
    ] = None,
) -> None:
    """Draw the training, validation and test images of a preset, as LMDB sets.

    The same preset gives the same bytes everywhere, however many workers draw. Sets that are
    there already are kept.
    """
    _, data = prepared(preset, out, workers, words, fonts)
    sets = sorted(p.name for p in data.folder.iterdir() if p.is_dir())
    console.print(f"{data.folder}: {', '.join(sets)}")
    console.print(f"{len(data.charset)} syllables; fingerprint {data.fingerprint}")
