"""Commands about the machine and the models, and those that make data."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ocrkit.cli import options
from ocrkit.cli.base import app, complain, console, one_line, say

if TYPE_CHECKING:
    from ocrkit.experiments.datasets import DataSets, Plan
    from ocrkit.experiments.diagnose import Finding
    from ocrkit.experiments.presets import Preset


@app.command()
def doctor() -> None:
    """Say what this machine can do and what is missing."""
    from ocrkit.doctor import examine

    findings = examine(Path.cwd())
    for what, well, found in findings:
        line = Text("ok" if well else "!!", "green" if well else "red")
        line.append(f"  {what:<18} {found}", "default")
        console.print(line, soft_wrap=True)
    if not all(well for _, well, _ in findings):
        raise typer.Exit(1)


@app.command()
def models() -> None:
    """List the 24 models and their parameters by stage, at the paper's full size."""
    import pandas as pd

    from ocrkit.experiments.grid import count_parameters
    from ocrkit.models import MODEL_NAMES
    from ocrkit.results.show import to_rich

    rows = []
    for name in MODEL_NAMES:
        stages = {f"params_{s.lower()}": count for s, count in count_parameters(name).items()}
        rows.append({"model": name, "parameters": sum(stages.values()), **stages})
    to_rich(pd.DataFrame(rows), "The 24 models, 972 characters", console)


def prepared(
    preset_name: str, data: Path | None, workers: int, planned: "Plan | None" = None
) -> "tuple[Preset, DataSets]":
    """The preset and its data, drawn now if it is not there yet."""
    from ocrkit.experiments.datasets import prepare
    from ocrkit.experiments.presets import get_preset
    from ocrkit.progress import Bars

    preset = get_preset(preset_name)
    folder = data or Path("data/generated") / preset.name
    with Bars(console) as bars:
        return preset, prepare(preset, folder, workers, bars.show_images, planned)


@app.command()
def generate(
    preset: options.PresetName = "mini",
    out: options.DataFolder = None,
    workers: options.Workers = options.CORES,
    words: Annotated[Path | None, typer.Option(help="another word list: a text file")] = None,
    syllables: Annotated[
        int | None,
        typer.Option(min=0, help="so many of its commonest characters; 0: all (the preset's)"),
    ] = None,
    longest: Annotated[
        int | None, typer.Option(min=1, help="characters of the longest word (the preset's)")
    ] = None,
    all_characters: Annotated[
        bool,
        typer.Option("--all-characters", help="its digits, Latin letters, Hanja and signs too"),
    ] = False,
    fonts: Annotated[
        str | None,
        typer.Option(help="koreanize (four pinned faces), system, handwriting, or a folder"),
    ] = None,
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
    _, data = prepared(preset, out, workers, planned)
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
    pack_set(truth, images, out, out.name)


def pack_set(truth: Path, images: Path, out: Path, name: str) -> None:
    """As `ocrkit.data.pack.pack`, with a bar of this name, and what was left out named."""
    from ocrkit.data.pack import pack as pack_images
    from ocrkit.progress import Bars

    with Bars(console) as bars:
        written = pack_images(truth, images, out, partial(bars.show_images, one_line(name)))
    for line, reason in written.refused:
        complain(f"left out: {truth}, {line}: {reason}", "yellow")
    say(f"{out}: {written.count} images, {len(written.refused)} left out")


@app.command()
def diagnose(
    sets: Annotated[list[Path], typer.Argument(help="the LMDB sets to train on")],
    model: Annotated[str, typer.Option("--model", "-m", help="such as None-VGG-BiLSTM-CTC")],
    preset: Annotated[
        str | None, typer.Option("--preset", "-p", help="take width, length, charset from it")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="the set that you will test on")] = None,
    charset: options.Charset = None,
    image_width: options.ImageWidth = None,
    max_length: options.MaxLength = None,
    pad: options.Pad = False,
    unfit_limit: options.UnfitLimit = None,
) -> None:
    """Say before any training what would go wrong with these sets, and what to change."""
    from ocrkit.data.store import ImageSet
    from ocrkit.experiments.diagnose import diagnose as examine
    from ocrkit.experiments.own import find_charset, preset_charset
    from ocrkit.experiments.presets import get_preset

    train, held_out = [ImageSet(path) for path in sets], test and ImageSet(test)
    chosen = get_preset(preset) if preset else None
    own = options.OWN_SIZES | {"unfit_limit": 0.01}
    typed = {"image_width": image_width, "max_length": max_length, "unfit_limit": unfit_limit}
    sizes: dict[str, Any] = {
        name: getattr(chosen, name, own[name]) if value is None else value
        for name, value in typed.items()
    }
    if chosen and charset is None:
        characters = preset_charset(chosen)
    else:
        characters = find_charset(charset or "data", [*train, *([held_out] if held_out else [])])
    findings = examine(train, model, charset=characters, test=held_out, pad=pad, **sizes)
    show_findings(findings)
    if any(finding.level == "stop" for finding in findings):
        raise typer.Exit(1)


def show_findings(findings: Iterable["Finding"]) -> None:
    """One line a finding: its level, what it is about, what was found and what to change."""
    colours = {"stop": "red", "warn": "yellow", "ok": "green"}
    for one in findings:
        line = Text(f"{one.level:<5}", style=colours[one.level])
        said = f"{one.what}: {one.message}; {one.advice}" if one.message else one.what
        line.append(one_line(said), "default")
        console.print(line, soft_wrap=True)
