"""Commands that train."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ocrkit.cli.base import (
    CORES,
    IMAGE_WIDTH,
    MAX_LENGTH,
    BatchSize,
    Charset,
    Compile,
    Cpus,
    DataFolder,
    Device,
    Engine,
    Gpus,
    ImageWidth,
    MaxLength,
    On,
    Out,
    Pad,
    Precision,
    PresetName,
    SaveEvery,
    Seed,
    Seeds,
    Steps,
    SyncBatchNorm,
    Timing,
    UnfitLimit,
    Width,
    Workers,
    app,
    complain,
    console,
    place,
    resumable,
    say,
)
from ocrkit.cli.data import prepared, show_findings
from ocrkit.errors import OcrkitError

if TYPE_CHECKING:
    from ocrkit.experiments.grid import Run
    from ocrkit.experiments.presets import Preset
    from ocrkit.training.distributed import World


@app.command()
def sweep(
    preset: PresetName = "mini",
    data: DataFolder = None,
    out: Out = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="one model; repeat for more")
    ] = None,
    seed: Seeds = None,
    workers: Workers = CORES,
    device: Device = "cpu",
    unfit_limit: UnfitLimit = None,
    recipe: Annotated[
        str | None, typer.Option(help="2019 or fast, instead of the preset's; use another --out")
    ] = None,
    on: On = "here",
    cpus: Cpus = 1,
    gpus: Gpus = None,
    timing: Timing = True,
) -> None:
    """Train and test the preset's models (or those named), then time each of them alone.

    Stop it when you like and start it again: finished runs are kept, and a run that was under way
    goes on from its last checkpoint.
    """
    from ocrkit.experiments import cluster_sweep, runner
    from ocrkit.experiments.grid import grid
    from ocrkit.experiments.presets import get_preset
    from ocrkit.files import check_writable
    from ocrkit.training.distributed import world_from_env
    from ocrkit.training.precision import find_device
    from ocrkit.training.recipe import find_recipe

    runs = grid(tuple(model or get_preset(preset).models), tuple(seed or (1,)))
    if on == "here":
        find_device(device)  # before any image is drawn
        if (cpus, gpus) != (1, None):
            raise OcrkitError("--cpus and --gpus are for --on ray: here, choose --workers")
    if world_from_env().size > 1:
        raise OcrkitError("a sweep starts its own processes (--workers): leave torchrun out")
    folder = out or Path("runs") / get_preset(preset).name
    check_writable(folder)
    with place(on, workers):
        chosen, images = prepared(preset, data, workers, on=on)
        chosen = _changed(chosen, unfit_limit)
        if recipe is not None:
            chosen = replace(chosen, recipe=find_recipe(recipe))
        what = (chosen, images, runs, folder)
        by = cluster_sweep if on == "ray" else runner
        share = {"cpus": cpus, "gpus": gpus} if on == "ray" else {"workers": workers}
        train_all = partial(by.sweep, *what, device=device, **share)
        time_all = partial(by.time_runs, *what, device) if timing else None
        _sweep(chosen, runs, folder, train_all, time_all)


def _changed(preset: "Preset", unfit_limit: float | None, precision: str | None = None) -> "Preset":
    """A preset with what was typed instead of its own."""
    if unfit_limit is not None:
        preset = replace(preset, unfit_limit=unfit_limit)
    if precision is not None:
        preset = replace(preset, recipe=replace(preset.recipe, precision=precision))
    return preset


def _sweep(
    preset: "Preset",
    runs: list["Run"],
    folder: Path,
    train_all: Callable[..., None],
    time_all: Callable[[], None] | None,
) -> None:
    """Train and test what is not done yet, with bars to watch it by, then time it."""
    from ocrkit.experiments.results import assemble, reference_seconds
    from ocrkit.progress import SweepBars

    bars = SweepBars(console, runs, reference_seconds(preset.name))
    try:
        with resumable(), bars:
            train_all(watch=bars.watch)
    finally:
        if folder.exists():
            assemble(folder)
    _conclude(runs, folder, time_all)


def _conclude(runs: list["Run"], folder: Path, time_all: Callable[[], None] | None) -> None:
    """Time what was trained, write `runs.csv` and say how it went.

    Raises:
        OcrkitError: not every run ended well.
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


@app.command()
def train(
    model: Annotated[str, typer.Argument(help="such as TPS-VGG-BiLSTM-Attn")],
    preset: PresetName = "mini",
    data: DataFolder = None,
    out: Out = None,
    seed: Seed = 1,
    device: Device = "cpu",
    unfit_limit: UnfitLimit = None,
    sets: Annotated[
        list[Path] | None, typer.Option("--train", help="an LMDB set of your own; repeat for more")
    ] = None,
    valid: Annotated[Path | None, typer.Option(help="own sets: to follow the training by")] = None,
    charset: Charset = None,
    image_width: ImageWidth = None,
    max_length: MaxLength = None,
    pad: Pad = False,
    width: Width = 0.25,
    steps: Steps = None,
    batch_size: BatchSize = None,
    engine: Engine = "native",
    precision: Precision = None,
    compile: Compile = False,
    sync_batch_norm: SyncBatchNorm = False,
    save_every: SaveEvery = 30.0,
) -> None:
    """Train one model: of a preset (a sweep of one), or with --train on sets of your own.

    On several processes or GPUs, each with its part of every batch:
    torchrun --nproc-per-node 2 -m ocrkit train ...
    """
    from ocrkit.experiments import runner
    from ocrkit.experiments.grid import grid
    from ocrkit.experiments.presets import get_preset
    from ocrkit.experiments.together import run_together
    from ocrkit.files import check_writable
    from ocrkit.progress import RunBar
    from ocrkit.training.distributed import process_group, world_from_env
    from ocrkit.training.engines import check_engine
    from ocrkit.training.precision import find_device, resolve_precision

    world = world_from_env()
    console.quiet = not world.is_main
    device = world.device(device)
    # Before anything costs time.
    (run,) = grid((model,), (seed,))
    found = find_device(device)
    check_engine(engine, found)
    resolve_precision(precision or "auto", found)
    settings = {
        "engine": engine,
        "compile": compile,
        "sync_batch_norm": sync_batch_norm,
        "save_every": save_every,
    }
    if sets:
        with process_group(world, device):
            _train_own(
                world,
                *(sets, valid, model, charset),
                changes={"steps": steps, "batch_size": batch_size, "precision": precision},
                image_width=image_width or IMAGE_WIDTH,
                max_length=max_length or MAX_LENGTH,
                pad=pad,
                unfit_limit=0.01 if unfit_limit is None else unfit_limit,
                width=width,
                seed=seed,
                folder=out or Path("runs/own"),
                device=device,
                **settings,
            )
        return
    own = {
        **{"--pad": pad, "--valid": valid, "--charset": charset, "--image-width": image_width},
        **{"--max-length": max_length, "--steps": steps, "--batch-size": batch_size},
    }
    if given := [option for option, value in own.items() if value]:
        raise OcrkitError(f"{given[0]} is for sets of your own: give them with --train")
    folder = out or Path("runs") / get_preset(preset).name
    if world.is_main:
        check_writable(folder)
    with process_group(world, device):
        chosen, images = world.broadcast_from_main(lambda: prepared(preset, data, world.size))
        chosen = _changed(chosen, unfit_limit, precision)
        if world.size > 1:
            with resumable(), RunBar(console, run.name) as bar:
                row = run_together(
                    world, chosen, images, run, folder, device, bar.watch, **settings
                )
    what = (chosen, images, [run], folder)
    time_all = partial(runner.time_runs, *what, device)
    if world.size == 1:
        train_all = partial(runner.sweep, *what, 1, device, settings=settings)
        _sweep(chosen, [run], folder, train_all, time_all)
    elif row is not None:
        if row.get("error"):
            complain(f"{run.name}: {row['error']}", "red")
        _conclude([run], folder, time_all)


def _train_own(
    world: "World",
    sets: list[Path],
    valid: Path | None,
    model: str,
    charset: str | None,
    *,
    changes: dict[str, Any],
    **settings: Any,
) -> None:
    """A training on sets of one's own; `changes` to the recipe, `settings` as `train_own`."""
    from ocrkit.data.store import ImageSet
    from ocrkit.experiments.diagnose import diagnose as examine
    from ocrkit.experiments.own import OWN_RECIPE, find_charset, train_own
    from ocrkit.progress import RunBar

    def examined() -> str:
        opened = [ImageSet(path) for path in sets]
        followed = ImageSet(valid) if valid else None
        chosen = find_charset(charset or "data", [*opened, *([followed] if followed else [])])
        keys = ("image_width", "max_length", "pad", "unfit_limit")
        sizes = {key: settings[key] for key in keys}
        findings = examine(opened, model, test=followed, charset=chosen, **sizes)
        show_findings(finding for finding in findings if finding.level != "ok")
        return chosen

    recipe = replace(OWN_RECIPE, **{key: value for key, value in changes.items() if value})
    settings["charset"] = world.broadcast_from_main(examined)
    with resumable(), RunBar(console, model) as bar:
        checkpoint = train_own(
            sets, valid, model, recipe=recipe, watch=bar.watch, world=world, **settings
        )
    say(f"checkpoint: {checkpoint}")
