"""A Ray cluster, joined or started on this machine, that trains. Ray is an extra.

Each run of a sweep is a task that asks for processors or a GPU, and that Ray starts again elsewhere
when its worker is lost. Data and results lie on a disk that all machines share, so that a run which
is started again goes on from its last checkpoint.
"""

import contextlib
import logging
import os
import platform
import signal
import socket
import warnings
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ocrkit.errors import OcrkitError
from ocrkit.experiments import runner
from ocrkit.experiments.datasets import DataSets
from ocrkit.experiments.grid import Run
from ocrkit.experiments.presets import Preset
from ocrkit.experiments.results import read_row
from ocrkit.files import read_json

LOSSES = 10  # how often a run may lose its worker before it is given up
PATIENCE = 60  # seconds that the runs under way have to save in when they are stopped
_STARTS = 3  # Ray gives its own parts seconds to come up, too few on a busy machine
_STORE = 256 * 2**20  # bytes of shared memory of a cluster of our own: results are small
_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}


def import_ray() -> Any:
    """Ray, whose own annotations know too little. Raises OcrkitError: it is not installed."""
    logging.getLogger("ray").setLevel(logging.ERROR)  # in notebooks it misses widgets
    try:
        with warnings.catch_warnings(action="ignore"):  # and so does its progress bar
            import ray
    except ImportError:
        raise OcrkitError(
            "Ray is not installed: `pip install 'ocrkit[ray]'`, in a clone "
            "`.venv/bin/pip install --constraint constraints.txt ray`"
        ) from None
    return ray


@contextlib.contextmanager
def connected(workers: int = 1) -> Iterator[None]:
    """Within the block Ray is there: the cluster that RAY_ADDRESS names, else one of our own.

    A process that was connected before stays so.
    workers: how many processors a cluster of our own has; it ends with the block.
    Raises OcrkitError: Ray is not installed, does not start, or the cluster cannot be reached.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield
        return
    address = os.environ.get("RAY_ADDRESS") or "local"
    before = signal.getsignal(signal.SIGTERM)
    try:
        if address == "local":
            _start(ray, workers)
        else:
            _join(ray, address)
        # Ray has put its own handler in the place of one that lets trainings save.
        if before not in (signal.SIG_DFL, signal.getsignal(signal.SIGTERM)):
            signal.signal(signal.SIGTERM, before)
        yield
    finally:
        ray.shutdown()
        if before != signal.getsignal(signal.SIGTERM):
            signal.signal(signal.SIGTERM, before)


def _start(ray: Any, workers: int) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else it reports to its makers
    options = {"include_dashboard": False, "object_store_memory": _STORE, **_QUIET}
    for attempt in range(1, _STARTS + 1):
        try:
            ray.init("local", num_cpus=workers, **options)
            return
        except Exception as error:  # Ray raises nothing narrower for a part that came up late
            if attempt == _STARTS:
                raise OcrkitError(f"Ray does not start: {_one_line(error)}") from error


def _join(ray: Any, address: str) -> None:
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    try:
        if colon:  # Ray itself would try for minutes
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        ray.init(address, **_QUIET)
    except (OSError, RuntimeError, ValueError) as error:
        raise OcrkitError(
            f"no Ray cluster at RAY_ADDRESS={address} ({_one_line(error)}): start one with "
            "`ray start --head`, or unset RAY_ADDRESS to use this machine alone"
        ) from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


class _LostError(OcrkitError, BrokenExecutor):
    """The worker of a task was lost, again and again."""


def _future(ref: Any) -> Future:
    """A task's result. What it raised comes as it was raised: Ray wraps it in many lines."""
    ray, plain = import_ray(), Future()

    def settle(task: Future) -> None:
        error: Any = task.exception()
        if isinstance(error, ray.exceptions.RayTaskError):
            error = error.cause
        elif isinstance(error, ray.exceptions.RayError):
            error = _LostError(f"lost on the cluster, start again: {_one_line(error)}")
        plain.set_exception(error) if error else plain.set_result(task.result())

    ref.future().add_done_callback(settle)
    return plain


@contextlib.contextmanager
def on_ray(
    workers: int, device: str, cpus: float = 1, gpus: float | None = None
) -> Iterator[runner.Submit]:
    """As `runner.here`, each run a task of the cluster; within `connected`.

    workers: not heeded, for the cluster's size says how many run side by side.
    cpus: processors that each run asks for; its threads on the CPU.
    gpus: GPUs that each run asks for; 0.5 lets two share one. None is 1, or 0 on the CPU.
    Raises OcrkitError: no machine of the cluster has what a run asks for.
    """
    ray = import_ray()
    task = ray.remote(max_retries=LOSSES, **_wanted(device, cpus, gpus))(_train)
    refs = []

    def submit(run: Run, *job: Any) -> Future:
        refs.append(task.options(name=run.name).remote(run, *job))
        return _future(refs[-1])

    try:
        yield submit
    finally:
        _, left = ray.wait(refs, num_returns=len(refs), timeout=0)
        for ref in reversed(left):  # those that have not begun first: they shall not
            ray.cancel(ref)
        if left:
            ray.wait(left, num_returns=len(left), timeout=PATIENCE)


def _wanted(device: str, cpus: float = 1, gpus: float | None = None) -> dict[str, float]:
    """What a run asks for. One machine must have it all, for else Ray would wait for ever."""
    if gpus is None:
        gpus = 0 if device == "cpu" else 1
    machines = [node["Resources"] for node in import_ray().nodes() if node["Alive"]]
    if not any(has.get("CPU", 0) >= cpus and has.get("GPU", 0) >= gpus for has in machines):
        raise OcrkitError(
            f"none of the cluster's machines ({len(machines)}) has the {cpus:g} CPUs and {gpus:g} "
            "GPUs that a run asks for: ask for less, or add a machine"
        )
    return {"num_cpus": cpus, "num_gpus": gpus}


def _train(run: Run, preset: Preset, data: DataSets, folder: Path, device: str, *rest: Any) -> Any:
    """`train_apart` on a machine of the cluster."""
    # Does this machine see the data and the results of the one that asks?
    looked_for = {data.folder / "data.json": "fingerprint", folder / "experiment.json": "dataset"}
    for path, key in looked_for.items():
        seen = None
        with contextlib.suppress(OcrkitError):
            seen = read_json(path).get(key)
        if seen != data.fingerprint:
            raise OcrkitError(
                f"{platform.node()} does not see {path} with data {data.fingerprint}: data and "
                "results must lie on a disk that all machines of the cluster share"
            )
    row = read_row(folder, run)
    if runner.is_done(row):  # the worker before was lost just after it had written this
        return row
    if device == "cpu":
        cpus = import_ray().get_runtime_context().get_assigned_resources().get("CPU", 1)
        torch.set_num_threads(max(1, int(cpus)))
    # What `ray.cancel` sends. The training saves after its next step, and this process ends.
    signal.signal(signal.SIGINT, lambda *_: signal.raise_signal(signal.SIGTERM))
    return runner.train_apart(run, preset, data, folder, device, *rest)


def time_runs(
    preset: Preset, data: DataSets, runs: list[Run], folder: Path, device: str = "cpu"
) -> None:
    """As `runner.time_runs`, on one machine of the cluster; within `connected`."""
    task = import_ray().remote(**_wanted(device))(runner.time_runs)
    data = replace(data, folder=data.folder.absolute())
    _future(task.remote(preset, data, runs, folder.absolute(), device)).result()
