"""A Ray cluster: joined, or started on this machine; and images drawn by it. Ray is an extra."""

import contextlib
import logging
import os
import platform
import signal
import socket
import warnings
from collections.abc import Iterator
from concurrent.futures import Future
from functools import cache
from typing import Any

from ocrkit.errors import OcrkitError
from ocrkit.synth.fonts import Font, find_fonts
from ocrkit.synth.generate import Generation, Sample, in_order, sample, versions

_STARTS = 3  # Ray gives its own parts seconds to come up, too few on a busy machine
_STORE = 256 * 2**20  # bytes of shared memory of a cluster of our own: images are small
_AHEAD = 200  # chunks of images on their way at most, however large the cluster
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


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """What a task raised, as it raised it: Ray wraps it in a traceback of many lines."""
    ray = import_ray()
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise OcrkitError(f"lost on the cluster, start again: {_one_line(error)}") from error


def draw(generation: Generation) -> Iterator[Sample]:
    """All samples in order, drawn by the cluster: the same bytes as `ocrkit.synth.samples`.

    Raises OcrkitError: a machine would draw other images, having other fonts or libraries.
    """
    ray = import_ray()
    task, shared, ours = ray.remote(_draw), ray.put(generation), versions()

    def submit(indices: range) -> Future[list[Sample]]:
        return task.remote(shared, indices, ours).future()

    ahead = min(4 * int(ray.cluster_resources().get("CPU", 1)), _AHEAD)
    with plain_errors():
        yield from in_order(submit, generation.count, ahead)


def _draw(generation: Generation, indices: range, theirs: dict[str, Any]) -> list[Sample]:
    """A chunk of samples, on a machine of the cluster."""
    if versions() != theirs:
        raise OcrkitError(
            f"{platform.node()} would draw other images, having {versions()} and not {theirs}: "
            "install what constraints.txt says on all machines"
        )
    for font in generation.fonts:
        _check_font(font)
    return [sample(generation, index) for index in indices]


@cache
def _check_font(font: Font) -> None:
    if find_fonts(font.path)[0].sha256 != font.sha256:
        raise OcrkitError(
            f"{platform.node()} would draw other images: its {font.path} is another file"
        )
