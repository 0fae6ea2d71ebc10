"""One run, from a model's name to its row; and a sweep of many, on several processes."""

import contextlib
import datetime as dt
import json
import multiprocessing
import platform
import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import ocrkit
from ocrkit.data.cache import load_pixels, to_input
from ocrkit.errors import OcrkitError
from ocrkit.experiments.datasets import DataSets
from ocrkit.experiments.grid import Run, longest_first
from ocrkit.experiments.presets import Preset
from ocrkit.experiments.results import check_folder, read_row, write_row
from ocrkit.experiments.scoring import test_scores
from ocrkit.experiments.setup import decode_all, make_trainer, state_folder
from ocrkit.files import read_json, write_json
from ocrkit.latency import measure_latency
from ocrkit.models import load_checkpoint, parse_name, save_checkpoint
from ocrkit.processes import deaf_to_ctrl_c, start_worker
from ocrkit.schemas import RunProgress
from ocrkit.training import Progress
from ocrkit.training.distributed import ALONE, World
from ocrkit.training.interruption import Interrupted, save_on_sigterm, stop_requested
from ocrkit.training.precision import find_device

LATENCY_BATCH = 32
WRITE_EVERY, LOOK_EVERY = 0.5, 0.2  # seconds between two reports of a run, and two looks at them


@dataclass(frozen=True)
class Event:
    """A run's progress, or its end (with the row)."""

    run: Run
    step: int = 0
    steps: int = 0
    accuracy: float | None = None
    row: dict | None = None


# Starts `train_apart` with these arguments somewhere. The future raises BrokenExecutor where that
# process was lost.
Submit = Callable[..., Future]


def run_one(
    preset: Preset,
    data: DataSets,
    run: Run,
    folder: Path,
    device: str = "cpu",
    watch: Callable[[Progress], None] = lambda progress: None,
    world: World = ALONE,
    **settings: Any,
) -> dict | None:
    """Train and test one model; write its checkpoint and its row, and return the row.

    A run that was stopped goes on from its last checkpoint. One that fails is a row that says so.
    world: of several connected processes, of which rank 0 tests and writes; None in the others.
    `settings` are other fields of `Trainer`, such as engine.
    Raises OcrkitError: there is no such device; Interrupted: a SIGTERM came (where it is heeded),
    and the run is saved.
    """
    found = find_device(device)
    try:
        state = state_folder(folder, run)
        trainer = make_trainer(preset, data, run, state, found, world=world, **settings)
        model, result = trainer.model, trainer.run(watch)
        if not world.is_main:
            return None
        sizes = model.stage_parameters()
        row = {
            "status": "ok",
            "error": "",
            "steps": result.steps,
            "images": result.images,
            "train_seconds": round(result.seconds, 1),
            "cpu_seconds": round(result.cpu_seconds, 1),
            "final_loss": result.final_loss,
            "unfit_share": trainer.unfit_share,
            "precision": result.precision,
            **test_scores(model, trainer.converter, preset, data),
            "params": sum(sizes.values()),
            **{f"params_{stage.lower()}": count for stage, count in sizes.items()},
            "history": result.history,
        }
        checkpoint = folder / "checkpoints" / run.name
        about = {"preset": preset.name, "seed": run.seed, "accuracy": row["accuracy"]}
        save_checkpoint(model, checkpoint, trainer.converter.charset, **about)
    except Exception as error:  # whatever it was, the other runs go on
        if not world.is_main:
            raise
        line = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(line.filename).name}:{line.lineno}"
        row = {"status": "failed", "error": f"{type(error).__name__}: {error} ({where})"}
    row = _origin(preset, data, run, found) | row
    write_row(folder, run, row)
    if is_done(row):
        # Not before: a run without a row goes on from here. Now it is of no more use.
        shutil.rmtree(state_folder(folder, run), ignore_errors=True)
    return row


def _origin(preset: Preset, data: DataSets, run: Run, device: torch.device) -> dict[str, Any]:
    """The part of a row that says what was trained, on what, where and when."""
    versions = {module.__name__: module.__version__ for module in (ocrkit, torch)}
    cpu = f"CPU ({torch.backends.cpu.get_cpu_capability()}, {platform.machine()})"
    return {
        "model": run.model,
        **parse_name(run.model)._asdict(),
        "seed": run.seed,
        "preset": preset.name,
        "recipe": preset.recipe.name,
        "dataset": data.fingerprint,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
        "versions": json.dumps(versions | {"python": platform.python_version()}),
        "finished": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }


def run_together(
    world: World,
    preset: Preset,
    data: DataSets,
    run: Run,
    folder: Path,
    *args: Any,
    **settings: Any,
) -> dict | None:
    """As `run_one`, unless it is done, by all processes of `world`, each with its part of a batch.

    Raises OcrkitError: as `run_one`, the folder holds another experiment, or a process was lost.
    """

    def begin() -> dict | None:
        check_folder(folder, preset, data)
        decode_all(preset, data)
        if is_done(row := read_row(folder, run)):
            shutil.rmtree(state_folder(folder, run), ignore_errors=True)  # of a killed process
        return row

    row = world.broadcast_from_main(begin)
    if not is_done(row):
        return run_one(preset, data, run, folder, *args, world=world, **settings)
    return row if world.is_main else None


def is_done(row: dict | None) -> bool:
    """Has a run ended well?"""
    return bool(row and row["status"] == "ok")


@contextlib.contextmanager
def here(workers: int, device: str) -> Iterator[Submit]:
    """Within the block `train_apart` is called in processes of this machine, each of one thread.

    Two of them train more images than one process with two threads: a thin model's small layers
    leave threads little to share.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _start_worker, (device,))
    jobs: list[Future] = []

    def submit(*job: Any) -> Future:
        with deaf_to_ctrl_c():
            jobs.append(pool.submit(train_apart, *job))
        return jobs[-1]

    try:
        yield submit
    finally:
        # Without this, Ctrl-C would wait for every run that has not even begun.
        if not all(job.done() for job in jobs):
            for process in list((pool._processes or {}).values()):
                process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(device: str) -> None:
    start_worker()
    if device == "cpu":
        torch.set_num_threads(1)


def train_apart(
    run: Run, preset: Preset, data: DataSets, folder: Path, device: str, settings: dict[str, Any]
) -> dict | None:
    """A sweep's run in this process, which says in a file how far it is; None where it was stopped.

    A SIGTERM ends this process once its run is saved: it must not wait for more work.
    """
    written = 0.0

    def watch(now: Progress) -> None:
        nonlocal written
        if now.valid_accuracy is not None or time.monotonic() > written + WRITE_EVERY:
            written = time.monotonic()
            told = {"step": now.step, "steps": now.steps, "accuracy": now.valid_accuracy}
            with contextlib.suppress(OcrkitError):  # a full disk is said where it matters
                write_json(progress_path(folder, run), told)

    with save_on_sigterm(), contextlib.suppress(Interrupted):
        return run_one(preset, data, run, folder, device, watch, **settings)


def progress_path(folder: Path, run: Run) -> Path:
    """Where a run of a sweep says how far it is."""
    return state_folder(folder, run) / "progress.json"


def sweep(
    preset: Preset,
    data: DataSets,
    runs: list[Run],
    folder: Path,
    workers: int = 2,
    device: str = "cpu",
    watch: Callable[[Event], None] = lambda event: None,
    settings: dict[str, Any] | None = None,
    executor: Callable[[int, str], contextlib.AbstractContextManager[Submit]] = here,
) -> None:
    """Train and test what is not done yet, the longest runs first.

    workers: runs side by side. settings: other fields of `Trainer`.
    executor: where they run: `here` in processes of this machine, `cluster.on_ray` on a cluster.
    Raises OcrkitError: the folder holds another experiment, a worker died (on a cluster: again and
    again), or as the executor; Interrupted: a SIGTERM came (where it is heeded), and the runs under
    way are saved.
    """
    check_folder(folder, preset, data)
    todo = longest_first([run for run in runs if not is_done(read_row(folder, run))])
    for run in runs:
        if run not in todo:
            shutil.rmtree(state_folder(folder, run), ignore_errors=True)  # of a killed process
            watch(Event(run, row=read_row(folder, run)))
    if not todo:
        return
    decode_all(preset, data)
    for run in todo:
        progress_path(folder, run).unlink(missing_ok=True)  # an earlier sweep's
    data = replace(data, folder=data.folder.absolute())  # other machines work in other folders
    job = (preset, data, folder.absolute(), device, settings or {})
    seen, lost = {}, []
    with executor(min(workers, len(todo)), device) as submit:
        jobs = {submit(run, *job): run for run in todo}
        while jobs:
            done, _ = wait(jobs, LOOK_EVERY, FIRST_COMPLETED)
            for run in jobs.values():
                with contextlib.suppress(OcrkitError):  # it has not begun
                    event = Event(run, **read_json(progress_path(folder, run), RunProgress))
                    if event != seen.get(run):
                        watch(event)
                    seen[run] = event
            for ended in done:
                run, row = jobs.pop(ended), None
                with contextlib.suppress(BrokenExecutor):
                    row = ended.result()
                if row is None:
                    lost.append(run.name)
                    continue
                if read_row(folder, run) != row:  # a shared disk may be slow to show it
                    write_row(folder, run, row)
                watch(Event(run, row={k: v for k, v in row.items() if k != "history"}))
            # A worker that got the SIGTERM too has saved, and is gone.
            if (jobs or lost) and stop_requested():
                raise Interrupted
    if lost:
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        raise OcrkitError(
            f"ended from outside (out of memory?): {', '.join(lost[:3])}{more}; start again, and "
            "they go on from their last checkpoints; fewer --workers need less memory"
        )


def time_runs(
    preset: Preset, data: DataSets, runs: list[Run], folder: Path, device: str = "cpu"
) -> None:
    """Measure the reading time of every trained model, alone on the machine, after the sweep."""
    images = load_pixels(data.open("test-basic"), preset.image_width).pixels[:LATENCY_BATCH]
    inputs = to_input(images.copy()).to(device)
    for run in runs:
        row = read_row(folder, run)
        if not row or not is_done(row) or "latency_n" in row:
            continue
        model, _ = load_checkpoint(folder / "checkpoints" / run.name)
        model.to(device)
        for name, batch, repeats, digits in (("1", inputs[:1], 20, 3), ("n", inputs, 7, 4)):
            median, p95 = measure_latency(model, batch, repeats)
            row[f"latency_{name}_ms_median"] = round(median, digits)
            row[f"latency_{name}_ms_p95"] = round(p95, digits)
        write_row(folder, run, row | {"latency_n": len(inputs)})
