"""Commands that train, and report on what was trained."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ocrkit.cli.base import (
    CORES,
    IMAGE_WIDTH,
    MAX_LENGTH,
    Charset,
    DataFolder,
    Device,
    ImageWidth,
    MaxLength,
    Out,
    PresetName,
    UnfitLimit,
    Workers,
    app,
    console,
)
from ocrkit.cli.data import prepared, show_findings
from ocrkit.errors import OcrkitError


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
    recipe: Annotated[
        str | None, typer.Option(help="2019 or fast, instead of the preset's; use another --out")
    ] = None,
) -> None:
    """Train and test the preset's models (or those named), then time each of them alone.

    Stop it when you like and start it again: finished runs are kept, and a run that was under way
    goes on from its last checkpoint.
    """
    from ocrkit.experiments.grid import grid
    from ocrkit.experiments.presets import get_preset
    from ocrkit.experiments.results import assemble, read_row, reference_seconds
    from ocrkit.experiments.runner import is_done, time_runs
    from ocrkit.experiments.runner import sweep as run_sweep
    from ocrkit.progress import SweepBars
    from ocrkit.training.precision import find_device
    from ocrkit.training.recipe import find_recipe

    runs = grid(tuple(model or get_preset(preset).models), tuple(seed or (1,)))
    find_device(device)  # before any image is drawn
    chosen, sets = prepared(preset, data, workers)
    if unfit_limit is not None:
        chosen = replace(chosen, unfit_limit=unfit_limit)
    if recipe is not None:
        chosen = replace(chosen, recipe=find_recipe(recipe))
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
    sets: Annotated[
        list[Path] | None, typer.Option("--train", help="an LMDB set of your own; repeat for more")
    ] = None,
    valid: Annotated[Path | None, typer.Option(help="own sets: to follow the training by")] = None,
    charset: Charset = None,
    image_width: ImageWidth = None,
    max_length: MaxLength = None,
    width: Annotated[float, typer.Option(help="own sets: 1 is the paper's layers")] = 0.25,
    steps: Annotated[int | None, typer.Option(min=1, help="own sets: optimiser steps")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="own sets: images a step")] = None,
) -> None:
    """Train one model: of a preset (a sweep of one), or with --train on sets of your own."""
    if not sets:
        sweep(preset, data, out, [model], [seed], 1, device, unfit_limit)
        return
    from ocrkit.data.store import ImageSet
    from ocrkit.experiments.diagnose import diagnose as examine
    from ocrkit.experiments.own import OWN_RECIPE, find_charset, train_own
    from ocrkit.progress import RunBar

    opened = [ImageSet(path) for path in sets]
    followed = ImageSet(valid) if valid else None
    settings = {
        "charset": find_charset(charset or "data", [*opened, *([followed] if followed else [])]),
        "image_width": image_width or IMAGE_WIDTH,
        "max_length": max_length or MAX_LENGTH,
        "unfit_limit": 0.01 if unfit_limit is None else unfit_limit,
    }
    found = examine(opened, model, test=followed, **settings)
    show_findings(finding for finding in found if finding.level != "ok")
    changes = {"steps": steps, "batch_size": batch_size}
    recipe = replace(OWN_RECIPE, **{k: v for k, v in changes.items() if v})
    with RunBar(console, model) as bar:
        checkpoint = train_own(
            *(sets, valid, model),
            **settings,
            width=width,
            recipe=recipe,
            seed=seed,
            folder=out or Path("runs/own"),
            device=device,
            watch=bar.watch,
        )
    console.print(f"checkpoint: {checkpoint}")


@app.command()
def report(
    preset: PresetName = "mini",
    out: Out = None,
    claims: Annotated[
        bool, typer.Option("--claims", help="each claim of the paper, with a verdict, as well")
    ] = False,
) -> None:
    """Print Tables 1 and 2 (the paper's, the reference run's, yours) and write the report page."""
    from ocrkit.report.build import build_report, print_claims, print_tables

    folder = out or Path("runs") / preset
    page = build_report(preset, folder)
    print_tables(preset, folder, console)
    if claims:
        print_claims(preset, folder, console)
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
