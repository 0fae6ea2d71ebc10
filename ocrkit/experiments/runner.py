"""One run, from a model's name to its row; and a sweep of many, on several processes."""

import contextlib
import datetime as dt
import json
import multiprocessing
import platform
import queue
import shutil
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import ocrkit
from ocrkit.data.cache import load_pixels, to_input
from ocrkit.errors import OcrkitError
from ocrkit.experiments.datasets import DataSets
from ocrkit.experiments.grid import Run, longest_first
from ocrkit.experiments.presets import Preset
from ocrkit.experiments.results import read_row, write_row
from ocrkit.experiments.scoring import test_scores
from ocrkit.experiments.setup import decode_all, make_trainer, state_folder
from ocrkit.files import read_json, write_json
from ocrkit.latency import measure_latency
from ocrkit.models import load_checkpoint, parse_name, save_checkpoint
from ocrkit.processes import start_worker
from ocrkit.schemas import Experiment
from ocrkit.training import Progress
from ocrkit.training.interruption import Interrupted, save_on_sigterm, stop_requested
from ocrkit.training.precision import find_device

LATENCY_BATCH = 32


@dataclass(frozen=True)
class Event:
    """A run's progress, or its end (with the row)."""

    run: Run
    step: int = 0
    steps: int = 0
    accuracy: float | None = None
    row: dict | None = None


Watch = Callable[[Event], None]


def run_one(
    preset: Preset,
    data: DataSets,
    run: Run,
    folder: Path,
    device: str = "cpu",
    watch: Callable[[Progress], None] = lambda progress: None,
    **settings: Any,
) -> dict:
    """Train and test one model; write its checkpoint and its row, and return the row.

    A run that was stopped goes on from its last checkpoint. One that fails is a row that says so.
    `settings` are other fields of `Trainer`, such as engine.

    Raises:
        OcrkitError: there is no such device.
        Interrupted: a SIGTERM came (where it is heeded), and the run is saved.
    """
    found = find_device(device)
    try:
        row = _train_and_test(preset, data, run, folder, found, watch, settings)
    except Exception as error:  # whatever it was, the other runs go on
        where = traceback.extract_tb(error.__traceback__)[-1]
        row = {
            **_identity(preset, data, run, found),
            "status": "failed",
            "error": f"{type(error).__name__}: {error} "
            f"({Path(where.filename).name}:{where.lineno})",
        }
    write_row(folder, run, row)
    if is_done(row):
        # Not before: a run without a row goes on from here. Now it is of no more use.
        shutil.rmtree(state_folder(folder, run), ignore_errors=True)
    return row


def _identity(preset: Preset, data: DataSets, run: Run, device: torch.device) -> dict[str, Any]:
    """The part of a row that is known before training."""
    versions = {
        "ocrkit": ocrkit.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    return {
        "model": run.model,
        **parse_name(run.model)._asdict(),
        "seed": run.seed,
        "preset": preset.name,
        "recipe": preset.recipe.name,
        "dataset": data.fingerprint,
        "device": _describe(device),
        "versions": json.dumps(versions),
        "finished": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }


def _describe(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU ({torch.backends.cpu.get_cpu_capability()}, {platform.machine()})"


def _train_and_test(
    preset: Preset,
    data: DataSets,
    run: Run,
    folder: Path,
    device: torch.device,
    watch: Callable[[Progress], None],
    settings: dict[str, Any],
) -> dict:
    trainer = make_trainer(preset, data, run, state_folder(folder, run), device, **settings)
    model, converter = trainer.model, trainer.converter
    result = trainer.run(watch)
    row = {
        **_identity(preset, data, run, device),
        "status": "ok",
        "error": "",
        "steps": result.steps,
        "images": result.images,
        "train_seconds": round(result.seconds, 1),
        "cpu_seconds": round(result.cpu_seconds, 1),
        "final_loss": result.final_loss,
        "unfit_share": trainer.unfit_share,
        "precision": result.precision,
        **test_scores(model, converter, preset, data),
        "params": sum(model.stage_parameters().values()),
        **{f"params_{k.lower()}": v for k, v in model.stage_parameters().items()},
        "history": result.history,
    }
    about = {"preset": preset.name, "seed": run.seed, "accuracy": row["accuracy"]}
    save_checkpoint(model, folder / "checkpoints" / run.name, data.charset, **about)
    return row


def is_done(row: dict | None, with_latency: bool = False) -> bool:
    """Has a run ended well (and been timed)?"""
    return bool(row and row["status"] == "ok" and (not with_latency or "latency_n" in row))


def check_folder(folder: Path, preset: Preset, data: DataSets) -> None:
    """Refuse to mix the rows of two experiments in one folder.

    Raises:
        OcrkitError: the folder holds rows of other data or of another preset.
    """
    note = {"preset": json.loads(json.dumps(preset.as_dict())), "dataset": data.fingerprint}
    path = folder / "experiment.json"
    if path.exists() and not same_experiment(read_json(path, Experiment), note):
        raise OcrkitError(
            f"{folder} holds the runs of another experiment (other data or settings): "
            f"move it away, or choose another folder with --out"
        )
    write_json(path, note)


def same_experiment(one: dict, other: dict) -> bool:
    """Do two notes (`experiment.json`) tell of the same data and settings?

    The unfit limit does not count: it decides what is refused and trains nothing.
    """
    presets = [{**note["preset"], "unfit_limit": None} for note in (one, other)]
    return presets[0] == presets[1] and one["dataset"] == other["dataset"]


def sweep(
    preset: Preset,
    data: DataSets,
    runs: list[Run],
    folder: Path,
    workers: int = 2,
    device: str = "cpu",
    watch: Watch = lambda event: None,
    settings: dict[str, Any] | None = None,
) -> None:
    """Train and test what is not done yet, each run in one of `workers` processes of one thread.

    Two processes with one thread each train more images than one process with two threads: a thin
    model's small layers leave threads little to share. `settings` are other fields of `Trainer`.

    Raises:
        OcrkitError: the folder holds another experiment, or a worker process died.
        Interrupted: a SIGTERM came (where it is heeded), and the runs under way are saved.
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
    context = multiprocessing.get_context("spawn")
    events = context.Queue()
    pool = ProcessPoolExecutor(min(workers, len(todo)), context, _start_worker, (events, device))
    try:
        rest = (folder, device, settings or {})
        waiting = {pool.submit(_job, preset, data, run, *rest) for run in todo}
        while waiting:
            done, waiting = wait_for(waiting, timeout=0.2)
            _forward(events, watch)
            for job in done:
                job.result()
            if waiting and stop_requested():
                raise Interrupted
    except BrokenProcessPool:
        if stop_requested():  # a worker that got the SIGTERM too has saved, and is gone
            raise Interrupted from None
        raise OcrkitError(
            "a training process was ended from outside (out of memory?): start again, "
            "and it goes on from its last checkpoint; --workers 1 needs less memory"
        ) from None
    finally:
        # Without this, Ctrl-C would wait for every run that has not even begun.
        for process in list((pool._processes or {}).values()) if waiting else ():
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)
    _forward(events, watch)


def _forward(events: Any, watch: Watch) -> None:
    while True:
        try:
            event = events.get_nowait()
        except (queue.Empty, EOFError, OSError):  # or the messenger was ended with all the others
            return
        watch(event)


_events: Any = None  # of this worker process


def _start_worker(events: Any, device: str) -> None:
    global _events
    _events = events
    start_worker()
    if device == "cpu":
        torch.set_num_threads(1)


def _job(
    preset: Preset, data: DataSets, run: Run, folder: Path, device: str, settings: dict[str, Any]
) -> None:
    def send(event: Event) -> None:
        with contextlib.suppress(EOFError, OSError):  # nobody listens any more: save all the same
            _events.put(event)

    def watch(progress: Progress) -> None:
        if progress.step % 10 == 0 or progress.step == progress.steps:
            send(Event(run, progress.step, progress.steps, progress.valid_accuracy))

    # A SIGTERM ends this worker once its run is saved: it must not wait for more work.
    with save_on_sigterm(), contextlib.suppress(Interrupted):
        row = run_one(preset, data, run, folder, device, watch, **settings)
        send(Event(run, row={k: v for k, v in row.items() if k != "history"}))


def time_runs(
    preset: Preset,
    data: DataSets,
    runs: list[Run],
    folder: Path,
    device: str = "cpu",
    watch: Watch = lambda event: None,
) -> None:
    """Measure the reading time of every trained model, alone on the machine, after the sweep."""
    images = load_pixels(data.open("test-basic"), preset.image_width).pixels[:LATENCY_BATCH]
    inputs = to_input(images.copy()).to(device)
    for run in runs:
        row = read_row(folder, run)
        if row is None or not is_done(row) or is_done(row, with_latency=True):
            continue
        model, _ = load_checkpoint(folder / "checkpoints" / run.name)
        model.to(device)
        one, many = measure_latency(model, inputs[:1]), measure_latency(model, inputs, repeats=7)
        row |= {
            "latency_1_ms_median": round(one.median_ms, 3),
            "latency_1_ms_p95": round(one.p95_ms, 3),
            "latency_n_ms_median": round(many.median_ms, 4),
            "latency_n_ms_p95": round(many.p95_ms, 4),
            "latency_n": many.batch,
        }
        write_row(folder, run, row)
        watch(Event(run, row=row))
