"""Several processes that train one model together, started by `torchrun`.

Data parallel: every process holds the whole model and a part of each batch. Gradients are averaged,
so all of them take the same step. Rank 0 alone prints and writes.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from ocrkit.errors import OcrkitError

T = TypeVar("T")

# How long the others wait for rank 0, which alone draws the data and validates.
TIMEOUT = timedelta(hours=1)


@dataclass(frozen=True)
class World:
    """This process among `size`: its `rank` from 0, and its `local_rank` on this machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Is this rank 0, which prints and writes?"""
        return self.rank == 0

    def device(self, name: str) -> str:
        """This process's device: with several processes, "cuda" is the GPU of its local rank."""
        return f"cuda:{self.local_rank}" if name == "cuda" and self.size > 1 else name

    def mean(self, *values: float) -> list[float]:
        """The mean of each value over all processes, which must all call this."""
        if self.size == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(sums)
        return (sums / self.size).tolist()

    def barrier(self) -> None:
        """Return when every process has called this."""
        self.mean(0.0)

    def broadcast_from_main(self, make: Callable[[], T]) -> T:
        """Call `make` in rank 0 alone; its result in all processes."""
        results: list[Any] = [make() if self.is_main else None]
        if self.size > 1:
            dist.broadcast_object_list(results, device=torch.device("cpu"))
        return results[0]

    @contextlib.contextmanager
    def main_process_first(self) -> Iterator[None]:
        """Rank 0 runs the block before the others, who find what it has written."""
        if not self.is_main:
            self.barrier()
        yield
        if self.is_main:
            self.barrier()


ALONE = World()


def world_from_env() -> World:
    """This process's rank from torchrun's variables; `ALONE` where they are not set.

    Raises OcrkitError: they make no sense.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    values = {name: os.environ.get(name, "") for name in names}
    if not all(values.values()):
        return ALONE
    with contextlib.suppress(ValueError):
        world = World(*map(int, values.values()))
        if 0 <= world.rank < world.size:
            return world
    found = ", ".join(f"{name}={value}" for name, value in values.items())
    raise OcrkitError(f"{found}: start several processes with torchrun, which sets these")


@contextlib.contextmanager
def process_group(world: World, device: str) -> Iterator[None]:
    """Connect the processes: gloo between CPUs, NCCL between GPUs. Does nothing for one process.

    Tensors in main memory (whether to stop, the loss) go by gloo even between GPUs: they must not
    wait for the GPU's queue.
    Raises OcrkitError: another process ended, or did not answer within `TIMEOUT`.
    """
    if world.size == 1:
        yield
        return
    gpu = device.startswith("cuda")
    if gpu:
        torch.cuda.set_device(torch.device(device))
    backend = "cpu:gloo,cuda:nccl" if gpu else "gloo"
    with translate_distributed_errors(world):
        store = _rendezvous(world)
        dist.init_process_group(
            backend, timeout=TIMEOUT, rank=world.rank, world_size=world.size, store=store
        )
        try:
            yield
        finally:
            dist.destroy_process_group()


def _rendezvous(world: World) -> dist.Store:
    """The store in which the processes find each other's addresses.

    torchrun's store outlives a restart, and keeps the addresses of processes that have ended. So
    the keys of each attempt have a prefix of their own.
    """
    store, *_ = next(dist.rendezvous("env://", world.rank, world.size))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return dist.PrefixStore(f"attempt {attempt}", store)


@contextlib.contextmanager
def translate_distributed_errors(world: World) -> Iterator[None]:
    """Turn gloo's and NCCL's errors into one line: another process of the training ended.

    Raises OcrkitError: in rank 0. The others exit silently: the process that failed has said why.
    """
    try:
        yield
    except RuntimeError as error:
        if world.size == 1 or not _is_network_error(error):
            raise
        if not world.is_main:
            raise SystemExit(1) from error
        raise OcrkitError(
            "another process of this training ended or did not answer: see what it said; "
            "the same command goes on from the last checkpoint"
        ) from error


def _is_network_error(error: RuntimeError) -> bool:
    # gloo's errors are plain RuntimeErrors that name its source files or the connection.
    words = ("gloo", "nccl", "connection", "socket", "timed out", "peer")
    return isinstance(error, dist.DistError) or any(word in str(error).lower() for word in words)
