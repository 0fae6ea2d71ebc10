"""The command line: words typed by a person become calls into the library."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ocrkit.errors import OcrkitError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="""Reproduce the HCLT 2019 study of Korean sentence OCR, and train Korean OCR of your own.

    The road: [bold]generate[/] draws images, [bold]sweep[/] trains and tests the 24 models,
    [bold]report[/] prints the paper's tables beside yours. `ocrkit doctor` says what this machine
    can do.""",
    rich_markup_mode="rich",
)
console = Console()
err = Console(stderr=True)

PresetName = Annotated[
    str, typer.Option("--preset", "-p", help="smoke (minutes), mini (an hour), paper-v1, paper-v2")
]
DataFolder = Annotated[
    Path | None, typer.Option(help="where the images lie [default: data/generated/PRESET]")
]
Out = Annotated[Path | None, typer.Option(help="where to write [default: runs/PRESET]")]
Workers = Annotated[int, typer.Option(min=1, help="processes side by side")]
Device = Annotated[str, typer.Option(help="cpu or cuda")]
UnfitLimit = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="share of labels that may not fit CTC's frames, 0 to 1"),
]
CORES = os.cpu_count() or 1


def _complain(text: object, style: str) -> None:
    """One line to the error stream: never wrapped, and brackets in file names stay as they are."""
    err.print(Text(str(text), style), soft_wrap=True)


@app.command()
def doctor() -> None:
    """Say what this machine can do and what is missing."""
    from ocrkit.doctor import examine

    findings = examine(Path.cwd())
    for what, well, found in findings:
        console.print(f"{'[green]ok[/]' if well else '[red]!![/]'}  {what:<18} {found}")
    if not all(well for _, well, _ in findings):
        raise typer.Exit(1)


@app.command()
def models(
    format: Annotated[str, typer.Option(help="table or csv")] = "table",
    classes: Annotated[int, typer.Option(help="of a CTC model; attention has one more")] = 973,
) -> None:
    """List the 24 models and their parameters by stage, at the paper's full size."""
    import pandas as pd

    from ocrkit.experiments.grid import count_parameters
    from ocrkit.models import MODEL_NAMES, parse_name
    from ocrkit.report.text import to_rich

    if format not in ("table", "csv"):
        raise OcrkitError(f"unknown format {format!r}: choose table or csv")
    rows = []
    for name in MODEL_NAMES:
        stages = count_parameters(name, classes)
        stages = {f"params_{stage.lower()}": count for stage, count in stages.items()}
        named = {"model": name} if format == "table" else parse_name(name)._asdict()
        rows.append({**named, "parameters": sum(stages.values()), **stages})
    frame = pd.DataFrame(rows)
    if format == "csv":
        sys.stdout.write(frame.to_csv(index=False))
    else:
        to_rich(frame, f"The 24 models, {classes} classes", console)


def _prepare(preset_name: str, data: Path | None, workers: int, words=None, fonts=None):
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
    _, data = _prepare(preset, out, workers, words, fonts)
    sets = sorted(p.name for p in data.folder.iterdir() if p.is_dir())
    console.print(f"{data.folder}: {', '.join(sets)}")
    console.print(f"{len(data.charset)} syllables; fingerprint {data.fingerprint}")


@app.command()
def sweep(
    preset: PresetName = "mini",
    data: DataFolder = None,
    out: Out = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="one model; repeat for more")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="one seed; repeat for more")] = None,
    workers: Workers = CORES,
    device: Device = "cpu",
    unfit_limit: UnfitLimit = None,
) -> None:
    """Train and test the 24 models (or those named), then time each of them alone.

    Stop it when you like and start it again: finished runs are kept, and a run that was under way
    goes on from its last checkpoint.
    """
    from ocrkit.experiments.grid import grid
    from ocrkit.experiments.results import assemble, read_row, reference_seconds
    from ocrkit.experiments.runner import is_done, time_runs
    from ocrkit.experiments.runner import sweep as run_sweep
    from ocrkit.progress import SweepBars
    from ocrkit.training.precision import find_device

    runs = grid(tuple(model or ()), tuple(seed or (1,)))
    find_device(device)  # before any image is drawn
    chosen, sets = _prepare(preset, data, workers)
    if unfit_limit is not None:
        chosen = replace(chosen, unfit_limit=unfit_limit)
    folder = out or Path("runs") / chosen.name
    try:
        with SweepBars(console, runs, reference_seconds(chosen.name)) as bars:
            run_sweep(chosen, sets, runs, folder, workers, device, bars.watch)
        with console.status("timing each model alone"):
            time_runs(chosen, sets, runs, folder, device)
    finally:
        if folder.exists():
            assemble(folder)
    failed = [run.name for run in runs if not is_done(read_row(folder, run))]
    console.print(f"{len(runs) - len(failed)} of {len(runs)} runs in {folder / 'runs.csv'}")
    if failed:
        raise OcrkitError(f"failed, and tried again next time: {', '.join(failed)}")


@app.command()
def train(
    model: Annotated[str, typer.Argument(help="such as TPS-VGG-BiLSTM-Attn")],
    preset: PresetName = "mini",
    data: DataFolder = None,
    out: Out = None,
    seed: Annotated[int, typer.Option()] = 1,
    device: Device = "cpu",
    unfit_limit: UnfitLimit = None,
) -> None:
    """Train and test one model of a preset; the same as a sweep of one."""
    sweep(preset, data, out, [model], [seed], 1, device, unfit_limit)


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="such as runs/mini/checkpoints/NAME")],
    sets: Annotated[list[Path], typer.Argument(help="LMDB sets with labels")],
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

    reader, rows = Reader(checkpoint), []
    for path in sets:
        images = load_pixels(ImageSet(path), reader.model.image_width)
        readings = read_all(reader.model, reader.converter, images.pixels)
        rows.append({"set": path.name, **score(readings.texts, images.texts).as_dict()})
        unknown = sum(bool(outside(label_of(t), reader.charset)) for t in images.texts)
        if unknown:
            _complain(
                f"{path}: {unknown} of {len(images)} labels hold characters outside the "
                "checkpoint's charset, and count as errors",
                "yellow",
            )
        for index, reason in images.broken:
            _complain(f"{path}: image {index} left out: {reason}", "yellow")
    to_rich(pd.DataFrame(rows), f"{reader.model.name} ({checkpoint.name})", console)


@app.command()
def report(
    preset: PresetName = "mini",
    out: Out = None,
) -> None:
    """Print Tables 1 and 2 (the paper's, the reference run's, yours) and write the report page."""
    from ocrkit.report.build import build_report, print_tables

    folder = out or Path("runs") / preset
    page = build_report(preset, folder)
    print_tables(preset, folder, console)
    console.print(f"the report page: {page}")


@app.command()
def promote(
    preset: PresetName = "mini",
    source: Annotated[Path | None, typer.Option(help="a run [default: runs/PRESET]")] = None,
) -> None:
    """For the project's keepers: make a finished run the committed reference run."""
    from ocrkit.report.build import promote_run

    promoted = promote_run(preset, source or Path("runs") / preset)
    console.print("promoted: " + ", ".join(map(str, promoted)))


@app.command()
def read(
    checkpoint: Annotated[Path, typer.Argument(help="such as runs/mini/checkpoints/NAME")],
    images: Annotated[list[Path], typer.Argument(help="image files, one line of text each")],
    force: Annotated[bool, typer.Option("--force", help="read what looks hopeless")] = False,
) -> None:
    """Read image files with a checkpoint, and say where the result cannot be trusted."""
    from ocrkit.reading import Reader

    reader, refused = Reader(checkpoint), 0
    _complain(reader.limits(), "dim")
    for image in images:
        try:
            reading = reader.read(image, force)
        except OcrkitError as error:
            refused += 1
            _complain(error, "red")
            continue
        typer.echo(f"{image}\t{reading.text}\t{reading.confidence:.2f}")
        for warning in reading.warnings:
            _complain(f"{image}: {warning}", "yellow")
    if refused:
        raise typer.Exit(1)


@app.command()
def notebooks(
    names: Annotated[
        list[str] | None, typer.Argument(help="numbers or parts of names [default: all]")
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="quick, and not saved")] = False,
) -> None:
    """Run the notebooks top to bottom and save them with their outputs."""
    import tempfile

    from ocrkit.notebooks import execute, find_notebooks, tidy

    for path in find_notebooks():
        if names and not any(name in path.name for name in names):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / path.name
            seconds = execute(path, out, smoke)
            tidy(out)
            if not smoke:
                path.write_bytes(out.read_bytes())
        console.print(f"{path}  {seconds:.0f} s")


def main() -> None:
    """The entry point: an error a user can mend is one line, not a traceback."""
    try:
        app(standalone_mode=True)
    except OcrkitError as error:
        _complain(f"ocrkit: {error}", "red")
        sys.exit(1)
    except SystemExit as end:
        if end.code == 130:  # what typer makes of Ctrl-C
            err.print("stopped; start it again and it goes on from where it was")
        raise


if __name__ == "__main__":
    main()
