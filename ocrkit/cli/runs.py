"""Commands that train and test many models, and report on them."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocrkit.cli import options
from ocrkit.cli.base import app, console, resumable, say
from ocrkit.cli.data import prepared
from ocrkit.errors import OcrkitError

if TYPE_CHECKING:
    from ocrkit.experiments.grid import Run
    from ocrkit.experiments.presets import Preset


@app.command()
def papers(
    study: Annotated[list[str] | None, typer.Argument(help="such as craft or moran-plain")] = None,
    seed: options.Seeds = None,
    out: Annotated[Path, typer.Option(help="where rows and weights go")] = Path("runs/papers"),
) -> None:
    """Train the small models of the reading list, or list them.

    Finished runs are kept; one that was stopped goes on from its last checkpoint.
    """
    import shutil

    import torch

    from ocrkit.files import check_writable
    from ocrkit.papers.shared.study import all_studies, find_study, run_study
    from ocrkit.progress import Bars

    if not study:
        for name in all_studies():
            say(name)
        return
    check_writable(out)
    torch.set_num_threads(2)  # as the committed runs, whose last digits depend on it
    for found in list(map(find_study, study)):  # all names, before the first is trained
        for number in seed or [1]:
            state = out / "state" / f"{found.name}-s{number}"
            with Bars(console) as bars:
                watch = partial(bars.show_training, f"{found.name}, seed {number}")
                row = run_study(found, number, out, watch, state)
            shutil.rmtree(state, ignore_errors=True)
            console.print({k: v for k, v in row.items() if k not in ("history", "recipe")})


@app.command()
def report(preset: options.PresetName = "mini", out: options.Out = None) -> None:
    """Print Tables 1 and 2 (the paper's, the reference run's, yours) and write the report page."""
    from ocrkit.report import print_tables, write_report

    folder = out or Path("runs") / preset
    print_tables(preset, folder, console)
    say(f"the report page: {write_report(preset, folder)}")


@app.command()
def sweep(
    preset: options.PresetName = "mini",
    data: options.DataFolder = None,
    out: options.Out = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="one model; repeat for more")
    ] = None,
    seed: options.Seeds = None,
    workers: options.Workers = options.CORES,
    device: options.Device = "cpu",
    unfit_limit: options.UnfitLimit = None,
    recipe: Annotated[
        str | None, typer.Option(help="2019 or fast, instead of the preset's; use another --out")
    ] = None,
    on: Annotated[
        str,
        typer.Option("--on", help="here, or ray: the cluster at RAY_ADDRESS, else one of its own"),
    ] = "here",
    cpus: options.Cpus = 1,
    gpus: options.Gpus = None,
    timing: options.Timing = True,
) -> None:
    """Train and test the preset's models (or those named), then time each of them alone.

    Stop it when you like and start it again: finished runs are kept, and a run that was under way
    goes on from its last checkpoint.
    """
    from ocrkit.experiments import cluster, runner
    from ocrkit.experiments.grid import grid
    from ocrkit.experiments.presets import get_preset
    from ocrkit.experiments.results import assemble, reference_seconds
    from ocrkit.files import check_writable
    from ocrkit.progress import SweepBars
    from ocrkit.training.distributed import world_from_env
    from ocrkit.training.precision import find_device
    from ocrkit.training.recipe import find_recipe

    runs = grid(tuple(model or get_preset(preset).models), tuple(seed or (1,)))
    if on not in ("here", "ray"):
        raise OcrkitError(f"unknown place {on!r} to work on: choose here or ray")
    if on == "here":
        find_device(device)  # before any image is drawn
        if (cpus, gpus) != (1, None):
            raise OcrkitError("--cpus and --gpus are for --on ray: here, choose --workers")
    if world_from_env().size > 1:
        raise OcrkitError("a sweep starts its own processes (--workers): leave torchrun out")
    folder = out or Path("runs") / get_preset(preset).name
    check_writable(folder)
    with cluster.connected(workers) if on == "ray" else contextlib.nullcontext():
        chosen, images = prepared(preset, data, workers)
        chosen = changed(chosen, unfit_limit)
        if recipe is not None:
            chosen = replace(chosen, recipe=find_recipe(recipe))
        what = (chosen, images, runs, folder)
        executor, time_runs = runner.here, runner.time_runs
        if on == "ray":
            executor = partial(cluster.on_ray, cpus=cpus, gpus=gpus)
            time_runs = cluster.time_runs
        try:
            with resumable(), SweepBars(console, runs, reference_seconds(chosen.name)) as bars:
                runner.sweep(*what, workers, device, bars.watch, executor=executor)
        finally:
            assemble(folder)
        conclude(runs, folder, partial(time_runs, *what, device) if timing else None)


def changed(preset: "Preset", unfit_limit: float | None, precision: str | None = None) -> "Preset":
    """A preset with what was typed instead of its own."""
    if unfit_limit is not None:
        preset = replace(preset, unfit_limit=unfit_limit)
    if precision is not None:
        preset = replace(preset, recipe=replace(preset.recipe, precision=precision))
    return preset


def conclude(runs: list["Run"], folder: Path, time_all: Callable[[], None] | None) -> None:
    """Time what was trained, write `runs.csv` and say how it went.

    Raises OcrkitError: not every run ended well.
    """
    from ocrkit.experiments.results import assemble, read_row
    from ocrkit.experiments.runner import is_done

    try:
        if time_all:
            with console.status("timing each model alone"):
                time_all()
    finally:
        assemble(folder)
    failed = [run.name for run in runs if not is_done(read_row(folder, run))]
    say(f"{len(runs) - len(failed)} of {len(runs)} runs in {folder / 'runs.csv'}")
    if failed:
        raise OcrkitError(f"failed, and tried again next time: {', '.join(failed)}")
