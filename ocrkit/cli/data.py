"""Commands that make data."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ocrkit.cli.base import (
    CORES,
    IMAGE_WIDTH,
    MAX_LENGTH,
    Charset,
    DataFolder,
    ImageWidth,
    MaxLength,
    On,
    Pad,
    PresetName,
    UnfitLimit,
    Workers,
    app,
    complain,
    console,
    place,
    say,
)

if TYPE_CHECKING:
    from ocrkit.experiments.datasets import DataSets, Plan
    from ocrkit.experiments.label_checks import Finding
    from ocrkit.experiments.presets import Preset


def prepared(
    preset_name: str,
    data: Path | None,
    workers: int,
    on: str = "here",
    planned: "Plan | None" = None,
) -> "tuple[Preset, DataSets]":
    """The preset and its data, drawn now if it is not there yet; `on` ray within `place`."""
    from ocrkit.experiments.cluster import draw
    from ocrkit.experiments.datasets import prepare
    from ocrkit.experiments.presets import get_preset
    from ocrkit.progress import DataBars

    preset = get_preset(preset_name)
    folder = data or Path("data/generated") / preset.name
    with DataBars(console) as bars:
        by = draw if on == "ray" else None
        return preset, prepare(preset, folder, workers, bars.watch, planned, draw=by)


@app.command()
def generate(
    preset: PresetName = "mini",
    out: DataFolder = None,
    workers: Workers = CORES,
    words: Annotated[Path | None, typer.Option(help="another word list: a text file")] = None,
    syllables: Annotated[
        int | None,
        typer.Option(min=0, help="so many of its commonest characters; 0: all [the preset's]"),
    ] = None,
    longest: Annotated[
        int | None, typer.Option(min=1, help="characters of the longest word [the preset's]")
    ] = None,
    all_characters: Annotated[
        bool,
        typer.Option("--all-characters", help="its digits, Latin letters, Hanja and signs too"),
    ] = False,
    fonts: Annotated[
        str | None, typer.Option(help="koreanize (four pinned faces), system, or a folder")
    ] = None,
    on: On = "here",
) -> None:
    """Draw the training, validation and test images of a preset, as LMDB sets.

    The same preset gives the same bytes everywhere, however many workers draw. Sets that are
    there already are kept. Words of a list of your own that are not drawn are named.
    """
    from ocrkit.experiments.datasets import first_few, plan
    from ocrkit.experiments.presets import get_preset

    planned = plan(
        get_preset(preset),
        words,
        fonts,
        syllables=syllables,
        longest=longest,
        all_characters=all_characters,
    )
    if planned.choices:
        for reason, entries in planned.left_out_words.items():
            complain(f"left out: {first_few(entries)} {reason}", "yellow")
        for font, why in planned.left_out_fonts.items():
            lacks = "" if why.startswith("unreadable") else "it lacks "
            complain(f"left out: the font {font}: {lacks}{why[:40]}", "yellow")
    with place(on, workers):
        _, data = prepared(preset, out, workers, on, planned)
    sets = sorted(p.name for p in data.folder.iterdir() if p.is_dir())
    say(f"{data.folder}: {', '.join(sets)}")
    say(f"{len(data.charset)} syllables; fingerprint {data.fingerprint}")


@app.command()
def pack(
    truth: Annotated[Path, typer.Argument(help="lines of a file, a tab and its text")],
    images: Annotated[Path, typer.Argument(help="the folder that the files lie in")],
    out: Annotated[Path, typer.Argument(help="the LMDB set to write")],
) -> None:
    """Pack labelled images of your own into an LMDB set; what cannot be used is named."""
    from ocrkit.data.pack import pack as pack_images
    from ocrkit.progress import DataBars

    with DataBars(console, "packing") as bars:
        written = pack_images(truth, images, out, lambda *done: bars.watch(out.name, *done))
    for name, reason in written.refused:
        complain(f"left out: {name}: {reason}", "yellow")
    say(f"{out}: {written.count} images, {len(written.refused)} left out")


@app.command()
def diagnose(
    sets: Annotated[list[Path], typer.Argument(help="the LMDB sets to train on")],
    model: Annotated[str, typer.Option("--model", "-m", help="such as None-VGG-BiLSTM-CTC")],
    preset: Annotated[
        str | None, typer.Option("--preset", "-p", help="take width, length, charset from it")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="the set that you will test on")] = None,
    charset: Charset = None,
    image_width: ImageWidth = None,
    max_length: MaxLength = None,
    pad: Pad = False,
    unfit_limit: UnfitLimit = None,
) -> None:
    """Say before any training what would go wrong with these sets, and what to change."""
    from ocrkit.data.store import ImageSet
    from ocrkit.experiments.diagnose import diagnose as examine
    from ocrkit.experiments.own import find_charset, preset_charset
    from ocrkit.experiments.presets import get_preset

    chosen = get_preset(preset) if preset else None
    train, held_out = [ImageSet(path) for path in sets], test and ImageSet(test)
    if chosen and charset is None:
        characters = preset_charset(chosen)
    else:
        characters = find_charset(charset or "data", [*train, *([held_out] if held_out else [])])
    limit = chosen.unfit_limit if chosen else 0.01
    findings = examine(
        train,
        model,
        image_width=image_width or (chosen.image_width if chosen else IMAGE_WIDTH),
        max_length=max_length or (chosen.max_length if chosen else MAX_LENGTH),
        charset=characters,
        test=held_out,
        pad=pad,
        unfit_limit=limit if unfit_limit is None else unfit_limit,
    )
    show_findings(findings)
    if any(finding.level == "stop" for finding in findings):
        raise typer.Exit(1)


def show_findings(findings: Iterable["Finding"]) -> None:
    """One line a finding: its level, what it is about, what was found and what to change."""
    colours = {"stop": "red", "warn": "yellow", "ok": "green"}
    for one in findings:
        line = Text(f"{one.level:<5}", style=colours[one.level])
        line.append(
            f"{one.what}: {one.message}{f'; {one.advice}' if one.advice else ''}", "default"
        )
        console.print(line, soft_wrap=True)
