"""A sweep on a Ray cluster: the same rows as `runner.sweep`, from more machines.

Each run is a task that asks for processors or a GPU, and that Ray starts again elsewhere when its
worker is lost. Data and results lie on a disk that all machines share, so that a run which is
started again goes on from its last checkpoint.
"""

import contextlib
import platform
import signal
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ocrkit.errors import OcrkitError
from ocrkit.experiments import runner
from ocrkit.experiments.cluster import import_ray, plain_errors
from ocrkit.experiments.datasets import DataSets
from ocrkit.experiments.grid import Run
from ocrkit.experiments.presets import Preset
from ocrkit.experiments.results import read_row
from ocrkit.files import read_json

LOSSES = 10  # how often a run may lose its worker before it is given up
PATIENCE = 60  # seconds that the runs under way have to save in when they are stopped


def sweep(
    preset: Preset,
    data: DataSets,
    runs: list[Run],
    folder: Path,
    device: str = "cpu",
    cpus: float = 1,
    gpus: float | None = None,
    **options: Any,
) -> None:
    """As `runner.sweep`, each run a task of the cluster; call it within `cluster.connected`.

    cpus: processors that each run asks for; its threads on the CPU.
    gpus: GPUs that each run asks for; 0.5 lets two share one. None is 1, or 0 on the CPU.
    Raises OcrkitError: as there, no machine of the cluster has what a run asks for, one does not
    see the data, or a run lost its worker again and again.
    """
    data, executor = replace(data, folder=data.folder.absolute()), partial(_on_ray, cpus, gpus)
    runner.sweep(preset, data, runs, folder, device=device, executor=executor, **options)


@contextlib.contextmanager
def _on_ray(cpus: float, gpus: float | None, _: int, device: str) -> Iterator[runner.Submit]:
    """As `runner.here`, on the machines of the cluster."""
    ray = import_ray()
    task = ray.remote(max_retries=LOSSES, **_wanted(device, cpus, gpus))(_train)
    refs = []

    def submit(run: Run, *job: Any) -> Future:
        refs.append(task.options(name=run.name).remote(run, *job))
        job_done: Future = Future()
        refs[-1].future().add_done_callback(partial(_settle, job_done))
        return job_done

    try:
        yield submit
    finally:
        _, left = ray.wait(refs, num_returns=len(refs), timeout=0)
        for ref in reversed(left):  # those that have not begun first: they shall not
            ray.cancel(ref)
        if left:
            ray.wait(left, num_returns=len(left), timeout=PATIENCE)


def _settle(job: Future, task: Future) -> None:
    """What a task returned or raised, as the job's own: Ray wraps errors in many lines."""
    errors = import_ray().exceptions
    error: Any = task.exception()
    if isinstance(error, errors.RayTaskError):
        error = error.cause
    elif isinstance(error, errors.RayError):
        error = BrokenExecutor()
    job.set_exception(error) if error else job.set_result(task.result())


def _wanted(device: str, cpus: float, gpus: float | None) -> dict[str, float]:
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
    _check_disk(data, folder)
    row = read_row(folder, run)
    if runner.is_done(row):  # the worker before was lost just after it had written this
        return row
    if device == "cpu":
        cpus = import_ray().get_runtime_context().get_assigned_resources().get("CPU", 1)
        torch.set_num_threads(max(1, int(cpus)))
    # What `ray.cancel` sends. The training saves after its next step, and this process ends.
    signal.signal(signal.SIGINT, lambda *_: signal.raise_signal(signal.SIGTERM))
    return runner.train_apart(run, preset, data, folder, device, *rest)


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
