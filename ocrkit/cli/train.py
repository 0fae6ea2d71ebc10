"""The command that trains one model: of a preset, or on sets of one's own."""

import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ocrkit.cli import options
from ocrkit.cli.base import app, complain, console, resumable, say
from ocrkit.cli.data import pack_set, prepared, show_findings
from ocrkit.cli.runs import changed, conclude
from ocrkit.cli.use import is_line_reader
from ocrkit.errors import OcrkitError
from ocrkit.resources import READER

if TYPE_CHECKING:
    from ocrkit.experiments.diagnose import Finding
    from ocrkit.models.transfer import Start
    from ocrkit.training.distributed import World

TABLES = (".tsv", ".csv", ".txt")


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
    from_charset: options.ReferenceCharset = None,
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
    import torch

    from ocrkit.experiments import runner
    from ocrkit.experiments.grid import grid
    from ocrkit.experiments.own import OWN_RECIPE, characters_in_order
    from ocrkit.experiments.presets import get_preset
    from ocrkit.files import check_writable
    from ocrkit.models.transfer import load_start
    from ocrkit.progress import Bars, ended
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
    found = find_device(device)
    check_engine(engine, found)
    resolve_precision(precision or "auto", found)
    if model == READER or (start and is_line_reader(start)):
        unfit = {"--from-charset": from_charset, "--unfit-limit": unfit_limit}
        unfit |= {"--sync-batch-norm": sync_batch_norm}
        settings |= {"seed": seed, "folder": out or Path("runs/own"), "device": device}
        _train_lines(world, model, start, sets, valid, changes, own | unfit, **settings)
        return
    if from_charset is not None and not start:
        raise OcrkitError("--from-charset is for a .pth file: give it with --from")
    begun = start and load_start(start, from_charset and characters_in_order(from_charset))
    name = model or (begun and begun.model.name)
    if not name:
        raise typer.BadParameter("give its name, or --from a checkpoint", param_hint="MODEL")
    (run,) = grid((name,), (seed,))
    settings["sync_batch_norm"] = sync_batch_norm
    own |= {"--valid": valid} | ({} if begun else {"--steps": steps, "--batch-size": batch_size})
    if not sets and (given := [option for option, value in own.items() if value]):
        raise OcrkitError(f"{given[0]} is for sets of your own: give them with --train")
    if sets or begun:
        recipe, folder, limit = OWN_RECIPE, out or Path("runs/own"), 0.01
        with process_group(world, device):
            if sets:
                sets, valid = as_sets(world, sets, valid, folder)
            else:
                chosen, images = world.broadcast_from_main(
                    lambda: prepared(preset, data, world.size)
                )
                sets = [images.folder / f"train-{kind}" for kind in chosen.train_kinds]
                valid, recipe = images.folder / "valid", chosen.recipe
                sizes |= {"image_width": chosen.image_width, "max_length": chosen.max_length}
                limit = chosen.unfit_limit
            before = begun.model if begun else None
            _train_on_own(
                *(world, sets, valid, run.model, charset, begun),
                recipe=replace(recipe, **changes),
                pad=pad or (begun is not None and begun.pad),
                unfit_limit=limit if unfit_limit is None else unfit_limit,
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
        if world.size == 1 and device == "cpu":
            torch.set_num_threads(1)  # as in a sweep, whose numbers these are
    with process_group(world, device):
        chosen, images = world.broadcast_from_main(lambda: prepared(preset, data, world.size))
        what = (changed(chosen, unfit_limit, precision), images)
        with resumable(), Bars(console) as bars:
            watch = partial(bars.show_training, run.name)
            row = runner.run_together(world, *what, run, folder, device, watch, **settings)
    if row is not None:
        console.print(ended(run, row), soft_wrap=True)
        conclude([run], folder, partial(runner.time_runs, *what, [run], folder, device))


def as_sets(
    world: "World", sets: list[Path], valid: Path | None, out: Path
) -> tuple[list[Path], Path | None]:
    """LMDB sets as they are; a folder of images with a table of their labels is packed into one.

    world: rank 0 packs.
    out: where packed sets go: NAME, then NAME-2 for another folder of that name, and so on.
    Raises OcrkitError: a folder that is neither, or whose images cannot be packed.
    """
    paths = [*sets, *([valid] if valid else [])]
    # Where each folder's set is; those that are given as sets lie where they are.
    made = {path.resolve(): path for path in paths if (path / "data.mdb").exists()}

    def packed(folder: Path) -> Path:
        whole = folder.resolve()
        if whole in made:
            return made[whole]
        if not folder.is_dir():
            return folder
        tables = sorted(path for path in folder.iterdir() if path.suffix.lower() in TABLES)
        if len(tables) != 1:
            raise OcrkitError(
                f"{folder} is no LMDB set (it has no data.mdb), and holds {len(tables)} tables "
                f"({', '.join(TABLES)}) instead of one with the labels: see `ocrkit pack`"
            )
        taken = {path.resolve() for path in made.values()}
        names = itertools.chain([whole.name], (f"{whole.name}-{i}" for i in itertools.count(2)))
        free = (out / "sets" / name for name in names)
        made[whole] = next(path for path in free if path.resolve() not in taken)
        pack_set(tables[0], folder, made[whole], folder.name)
        return made[whole]

    found = world.broadcast_from_main(lambda: list(map(packed, paths)))
    return found[: len(sets)], found[-1] if valid else None


def _train_on_own(
    world: "World",
    sets: list[Path],
    valid: Path | None,
    model: str,
    charset: str | None,
    start: "Start | None",
    **settings: Any,
) -> None:
    """A training on sets of one's own; `settings` as `train_own`."""
    from ocrkit.data.store import ImageSet
    from ocrkit.experiments.diagnose import refuse
    from ocrkit.experiments.own import find_charset, train_own
    from ocrkit.progress import Bars

    def choose() -> str:
        images = [ImageSet(path) for path in (*sets, *([valid] if valid else []))]
        chosen = find_charset(charset or "data", images)
        if start and charset is None:  # whoever brings few labels does not mean to forget the rest
            chosen = "".join(dict.fromkeys(start.charset + chosen))
        return chosen

    def look(findings: list["Finding"]) -> None:
        known = ["unseen characters"] if start else []
        show_findings(one for one in findings if one.level == "warn" and one.what not in known)
        refuse(findings)
        if start:
            say(start.kept(settings["charset"], settings["image_width"]))

    settings["charset"] = world.broadcast_from_main(choose)
    with resumable(), Bars(console) as bars:
        settings["watch"] = partial(bars.show_training, model)
        checkpoint = train_own(
            *(sets, valid, model), look=look, world=world, start=start, **settings
        )
    say(f"checkpoint: {checkpoint}")


def _train_lines(
    world: "World",
    model: str | None,
    start: Path | None,
    sets: list[Path] | None,
    valid: Path | None,
    changes: dict[str, Any],
    unfit: dict[str, Any],
    **settings: Any,
) -> None:
    """The line reader, trained on lines of one's own; `settings` as `train_lines`.

    unfit: option -> value of those that are for the 24 models alone.
    Raises OcrkitError: what was typed does not fit the line reader.
    """
    from ocrkit.experiments.own_lines import LINES_RECIPE, TUNING_RECIPE, train_lines
    from ocrkit.progress import Bars
    from ocrkit.reader.lines import weights_of

    if model not in (None, READER):
        raise OcrkitError(f"{start} is a line reader, not a {model}: leave the name out")
    if start and start.suffix == ".onnx":
        raise OcrkitError(f"{start} can be read with, not trained: start from its .safetensors")
    if given := [option for option, value in unfit.items() if value]:
        raise OcrkitError(f"{given[0]} is for the 24 models: leave it out for the line reader")
    if not sets:
        raise OcrkitError("the line reader is trained on lines of your own: give --train SETS")
    if world.size > 1:
        raise OcrkitError("the line reader is trained by one process: leave torchrun out")
    sets, valid = as_sets(world, sets, valid, settings["folder"])
    settings["start"] = start and weights_of(start)
    settings["recipe"] = replace(TUNING_RECIPE if start else LINES_RECIPE, **changes)
    settings["warn"] = partial(complain, style="yellow")
    with resumable(), Bars(console) as bars:
        settings["watch"] = partial(bars.show_training, READER)
        checkpoint = train_lines(sets, valid, **settings)
    say(f"checkpoint: {checkpoint}")
