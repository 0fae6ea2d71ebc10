"""A sweep on a Ray cluster: the same rows as `runner.sweep`, from more machines.

Each run is a task that asks for processors or a GPU, and that Ray starts again elsewhere when its
worker is lost. Data and results lie on a disk that all machines share, so that a run which is
started again goes on from its last checkpoint.
"""

import platform
import signal
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ocrkit.errors import OcrkitError
from ocrkit.experiments import runner
from ocrkit.experiments.cluster import import_ray, plain_errors
from ocrkit.experiments.datasets import DataSets
from ocrkit.experiments.grid import Run, longest_first
from ocrkit.experiments.presets import Preset
from ocrkit.experiments.results import read_row, write_row
from ocrkit.experiments.runner import Event, Watch, check_folder, is_done, run_one
from ocrkit.experiments.setup import decode_all
from ocrkit.files import read_json
from ocrkit.training import Progress
from ocrkit.training.interruption import Interrupted, save_on_sigterm, stop_requested

LOSSES = 10  # how often a run may lose its worker before it is given up
PATIENCE = 60  # seconds that the runs under way have to save in when they are stopped
TELL_EVERY = 0.5  # seconds between two words of a run, and between two looks at the board


class Board:
    """An actor: where runs pin up how far they are, the last word of each, and are told to stop."""

    def __init__(self) -> None:
        self._events: dict[Run, Event] = {}
        self._heard: set[Run] = set()
        self._stopping = False

    def tell(self, event: Event) -> bool:
        """A run's progress, in the place of what it said before; returns whether it must stop."""
        before = self._events.get(event.run)
        if before and event.accuracy is None:  # nobody has seen that one yet
            event = replace(event, accuracy=before.accuracy)
        self._events[event.run] = event
        self._heard.add(event.run)
        return self._stopping

    def take(self) -> list[Event]:
        """What is new since the last call."""
        events, self._events = list(self._events.values()), {}
        return events

    def stop(self) -> set[Run]:
        """Have all runs stop; returns those that have begun."""
        self._stopping = True
        return self._heard


def sweep(
    preset: Preset,
    data: DataSets,
    runs: list[Run],
    folder: Path,
    device: str = "cpu",
    watch: Watch = lambda event: None,
    settings: dict[str, Any] | None = None,
    cpus: float = 1,
    gpus: float | None = None,
) -> None:
    """As `runner.sweep`, each run a task of the cluster; call it within `cluster.connected`.

    Args:
        cpus: processors that each run asks for; its threads on the CPU.
        gpus: GPUs that each run asks for; 0.5 lets two share one. None is 1, or 0 on the CPU.

    Raises:
        OcrkitError: the folder holds another experiment, no machine of the cluster has what a run
            asks for, one does not see the data, or a run lost its worker again and again.
        Interrupted: a SIGTERM came (where it is heeded), and the runs under way are saved.
    """
    ray = import_ray()

    folder, data = folder.absolute(), replace(data, folder=data.folder.absolute())
    check_folder(folder, preset, data)
    todo = longest_first([run for run in runs if not is_done(read_row(folder, run))])
    for run in runs:
        if run not in todo:
            watch(Event(run, row=read_row(folder, run)))
    if not todo:
        return
    wanted = _wanted(device, cpus, gpus)
    decode_all(preset, data)
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=True
    )
    board = ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=here)(Board).remote()
    with plain_errors():
        ray.get(board.take.remote())  # it is up: no run goes by unseen
    task = ray.remote(max_retries=LOSSES, **wanted)(_train)
    rest = (folder, device, settings or {}, board)
    jobs = {task.options(name=run.name).remote(preset, data, run, *rest): run for run in todo}
    news, given_up = board.take.remote(), []
    try:
        while jobs:
            done, _ = ray.wait(list(jobs), timeout=TELL_EVERY)
            if ray.wait([news], timeout=0)[0]:
                for event in _read(news):
                    if event.run in jobs.values():
                        watch(event)
                news = board.take.remote()
            for job in done:
                run = jobs.pop(job)
                if (row := _row(job)) is None:
                    given_up.append(run.name)
                    continue
                if read_row(folder, run) != row:  # a shared disk may be slow to show it here
                    write_row(folder, run, row)
                watch(Event(run, row={k: v for k, v in row.items() if k != "history"}))
            if jobs and stop_requested():
                raise Interrupted
    finally:
        if jobs:
            _stop(board, jobs)
    if given_up:
        raise OcrkitError(
            f"lost their workers more than {LOSSES} times (out of memory?): {', '.join(given_up)}; "
            "start again, and they go on from their last checkpoints"
        )


def _wanted(device: str, cpus: float, gpus: float | None) -> dict[str, float]:
    """What a run asks for. One machine must have it all, for else Ray would wait for ever."""
    ray = import_ray()

    if gpus is None:
        gpus = 0 if device == "cpu" else 1
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(has.get("CPU", 0) >= cpus and has.get("GPU", 0) >= gpus for has in machines):
        raise OcrkitError(
            f"none of the cluster's machines ({len(machines)}) has the {cpus:g} CPUs and {gpus:g} "
            "GPUs that a run asks for: ask for less, or add a machine"
        )
    return {"num_cpus": cpus, "num_gpus": gpus}


def _read(news: Any) -> list[Event]:
    """What the board says, if it is there."""
    ray = import_ray()

    try:
        return ray.get(news)
    except ray.exceptions.RayError:  # its process was lost, and is started again
        return []


def _row(job: Any) -> dict | None:
    """The row of a run that has ended; None where its workers were lost too often."""
    ray = import_ray()

    try:
        return ray.get(job)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError:
        return None


def _stop(board: Any, jobs: dict[Any, Run]) -> None:
    """Wait until the runs under way have saved; those that have not begun shall not."""
    ray = import_ray()

    try:
        begun = ray.get(board.stop.remote(), timeout=PATIENCE)
    except ray.exceptions.RayError:
        begun = set()
    for job, run in jobs.items():
        if run not in begun:
            ray.cancel(job, force=True)
    ray.wait(list(jobs), num_returns=len(jobs), timeout=PATIENCE)


def _train(
    preset: Preset,
    data: DataSets,
    run: Run,
    folder: Path,
    device: str,
    settings: dict[str, Any],
    board: Any,
) -> dict | None:
    """One run on a machine of the cluster: its row, or None where the sweep was stopped.

    It never waits for the board: Ray would lend its processor to another run meanwhile.
    """
    ray = import_ray()

    _check_disk(data, folder)
    row = read_row(folder, run)
    if is_done(row):  # the worker before was lost just after it had written this
        return row
    if device == "cpu":
        cpus = ray.get_runtime_context().get_assigned_resources().get("CPU", 1)
        torch.set_num_threads(max(1, int(cpus)))
    told, stopped = 0.0, False
    answer: Future[bool] | None = None

    def watch(now: Progress) -> None:
        nonlocal told, stopped, answer
        if answer and not answer.done():
            return
        if answer and not answer.exception() and answer.result():
            stopped = True
            signal.raise_signal(signal.SIGTERM)  # the training saves after its next step
        if now.valid_accuracy is not None or time.monotonic() > told + TELL_EVERY:
            told = time.monotonic()
            event = Event(run, now.step, now.steps, now.valid_accuracy)
            answer = board.tell.remote(event).future()

    try:
        with save_on_sigterm():
            return run_one(preset, data, run, folder, device, watch, **settings)
    except Interrupted:
        if not stopped:  # this machine alone is taken away: go on from here on another
            raise
        return None


def _check_disk(data: DataSets, folder: Path) -> None:
    """Does this machine see the data and the results of the one that asks?"""
    looked_for = {data.folder / "data.json": "fingerprint", folder / "experiment.json": "dataset"}
    for path, key in looked_for.items():
        try:
            seen = read_json(path).get(key)
        except OcrkitError:
            seen = None
        if seen != data.fingerprint:
            raise OcrkitError(
                f"{platform.node()} does not see {path} with data {data.fingerprint}: data and "
                "results must lie on a disk that all machines of the cluster share"
            )


def time_runs(
    preset: Preset, data: DataSets, runs: list[Run], folder: Path, device: str = "cpu"
) -> None:
    """As `runner.time_runs`, on one machine of the cluster; call it within `cluster.connected`."""
    ray = import_ray()

    task = ray.remote(**_wanted(device, 1, None))(runner.time_runs)
    data = replace(data, folder=data.folder.absolute())
    with plain_errors():
        ray.get(task.remote(preset, data, runs, folder.absolute(), device))
