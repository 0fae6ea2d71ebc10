"""The command that trains one model: of a preset, or on sets of one's own."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ocrkit.cli import options
from ocrkit.cli.base import app, complain, console, resumable
from ocrkit.cli.data import prepared
from ocrkit.cli.own import as_sets, check_for_lines, train_on_own, train_own_lines
from ocrkit.cli.runs import changed, conclude, run_sweep
from ocrkit.cli.use import is_line_reader
from ocrkit.errors import OcrkitError
from ocrkit.resources import READER


@app.command()
def train(
    model: Annotated[
        str | None,
        typer.Argument(
            help="such as TPS-VGG-BiLSTM-Attn, or reader-ko; with --from, the checkpoint's"
        ),
    ] = None,
    preset: options.PresetName = "mini",
    data: options.DataFolder = None,
    out: options.Out = None,
    seed: options.Seed = 1,
    device: options.Device = "cpu",
    unfit_limit: options.UnfitLimit = None,
    sets: Annotated[
        list[Path] | None, typer.Option("--train", help="an LMDB set of your own; repeat for more")
    ] = None,
    valid: Annotated[Path | None, typer.Option(help="own sets: to follow the training by")] = None,
    start: Annotated[
        Path | None,
        typer.Option("--from", help="trained weights to begin with: NAME, NAME.pth, reader-ko"),
    ] = None,
    from_charset: Annotated[
        str | None,
        typer.Option(help="of a .pth file: its characters in training order, a text file"),
    ] = None,
    charset: options.Charset = None,
    image_width: options.ImageWidth = None,
    max_length: options.MaxLength = None,
    pad: options.Pad = False,
    width: options.Width = None,
    steps: options.Steps = None,
    batch_size: options.BatchSize = None,
    engine: options.Engine = "native",
    precision: options.Precision = None,
    compile: options.Compile = False,
    sync_batch_norm: options.SyncBatchNorm = False,
    save_every: options.SaveEvery = 30.0,
) -> None:
    """Train one model: of a preset (a sweep of one), or with --train on sets of your own.

    On several processes or GPUs, each with its part of every batch:
    torchrun --nproc-per-node 2 -m ocrkit train ...

    With --from it is fine-tuning: layers are kept, and the characters of both charsets. Sizes are
    the checkpoint's, and its characters stay unless --charset says otherwise.
    """
    from ocrkit.experiments import runner
    from ocrkit.experiments.grid import grid
    from ocrkit.experiments.own import OWN_RECIPE, characters_in_order
    from ocrkit.experiments.presets import get_preset
    from ocrkit.files import check_writable
    from ocrkit.models.transfer import load_start
    from ocrkit.progress import Bars
    from ocrkit.training.distributed import process_group, world_from_env
    from ocrkit.training.engines import check_engine
    from ocrkit.training.precision import find_device, resolve_precision

    world = world_from_env()
    console.quiet = not world.is_main
    device = world.device(device)
    # Before anything costs time.
    typed = {"steps": steps, "batch_size": batch_size, "precision": precision}
    changes = {name: value for name, value in typed.items() if value}
    settings = {"engine": engine, "compile": compile, "save_every": save_every}
    sizes = {"image_width": image_width, "max_length": max_length, "width": width}
    own = {f"--{name.replace('_', '-')}": value for name, value in sizes.items()}
    own |= {"--charset": charset, "--pad": pad}
    if model == READER or (start and is_line_reader(start)):
        unfit = {"--from-charset": from_charset, "--unfit-limit": unfit_limit}
        unfit |= {"--sync-batch-norm": sync_batch_norm}
        check_for_lines(world, model, start, sets, own | unfit)
        folder = out or Path("runs/own")
        sets, valid = as_sets(world, sets or [], valid, folder)
        what = {"seed": seed, "folder": folder, "device": device, **settings}
        train_own_lines(sets, valid, start, changes, **what)
        return
    if from_charset is not None and not start:
        raise OcrkitError("--from-charset is for a .pth file: give it with --from")
    begun = start and load_start(start, from_charset and characters_in_order(from_charset))
    name = model or (begun and begun.model.name)
    if not name:
        raise typer.BadParameter("give its name, or --from a checkpoint", param_hint="MODEL")
    (run,) = grid((name,), (seed,))
    found = find_device(device)
    check_engine(engine, found)
    resolve_precision(precision or "auto", found)
    settings["sync_batch_norm"] = sync_batch_norm
    own |= {"--valid": valid} | ({} if begun else {"--steps": steps, "--batch-size": batch_size})
    if not sets and (given := [option for option, value in own.items() if value]):
        raise OcrkitError(f"{given[0]} is for sets of your own: give them with --train")
    if sets or begun:
        with process_group(world, device):
            recipe, folder = OWN_RECIPE, out or Path("runs/own")
            if sets:
                sets, valid = as_sets(world, sets, valid, folder)
            else:
                chosen, images = world.broadcast_from_main(
                    lambda: prepared(preset, data, world.size)
                )
                sets = [images.folder / f"train-{kind}" for kind in chosen.train_kinds]
                valid, recipe = images.folder / "valid", chosen.recipe
                sizes |= {"image_width": chosen.image_width, "max_length": chosen.max_length}
            before = begun.model if begun else None
            train_on_own(
                world,
                *(sets, valid, run.model, charset, begun),
                recipe=replace(recipe, **changes),
                pad=pad or (begun is not None and begun.pad),
                unfit_limit=0.01 if unfit_limit is None else unfit_limit,
                seed=seed,
                folder=folder,
                device=device,
                **{k: v or getattr(before, k, options.OWN_SIZES[k]) for k, v in sizes.items()},
                **settings,
            )
        return
    folder = out or Path("runs") / get_preset(preset).name
    if world.is_main:
        check_writable(folder)
    with process_group(world, device):
        chosen, images = world.broadcast_from_main(lambda: prepared(preset, data, world.size))
        chosen = changed(chosen, unfit_limit, precision)
        if world.size > 1:
            with resumable(), Bars(console) as bars:
                watch = partial(bars.show_training, run.name)
                row = runner.run_together(
                    world, chosen, images, run, folder, device, watch, **settings
                )
    what = (chosen, images, [run], folder)
    time_all = partial(runner.time_runs, *what, device)
    if world.size == 1:
        train_all = partial(runner.sweep, *what, 1, device, settings=settings)
        run_sweep(chosen, [run], folder, train_all, time_all)
    elif row is not None:
        if row.get("error"):
            complain(f"{run.name}: {row['error']}", "red")
        conclude([run], folder, time_all)
