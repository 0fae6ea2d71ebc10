"""Who else trains this model: the processes that `torchrun` started, and what they tell each other.

Data parallel: every process holds the whole model and a part of each batch. Gradients are averaged,
so all of them take the same step. Rank 0 is the one that speaks and writes.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist

from ocrkit.errors import OcrkitError

T = TypeVar("T")

# Rank 0 alone draws the data and validates: the others must wait so long before they give up.
PATIENCE = timedelta(hours=1)


@dataclass(frozen=True)
class World:
    """One process among `size`: its `rank` from 0, and its `local_rank` on this machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Is this the one process that prints and writes?"""
        return self.rank == 0

    def device(self, name: str) -> str:
        """The device of this process: of several, each takes a GPU of its own."""
        return f"cuda:{self.local_rank}" if name == "cuda" and self.size > 1 else name

    def mean(self, *values: float) -> list[float]:
        """The mean of each value over all processes; all of them must ask."""
        if self.size == 1:
            return list(values)
        told = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(told)
        return (told / self.size).tolist()

    def wait(self) -> None:
        """Go on when every process has come here."""
        self.mean(0.0)

    def from_main(self, make: Callable[[], T]) -> T:
        """What rank 0 makes, given to all; the others make nothing."""
        box = [make() if self.is_main else None]
        if self.size > 1:
            dist.broadcast_object_list(box, device=torch.device("cpu"))
        return box[0]

    @contextlib.contextmanager
    def main_first(self) -> Iterator[None]:
        """Rank 0 goes through the block before the others, who find what it has written."""
        if not self.is_main:
            self.wait()
        yield
        if self.is_main:
            self.wait()


ALONE = World()


def find_world() -> World:
    """This process's place, from the variables that `torchrun` sets; alone where there are none.

    Raises:
        OcrkitError: they make no sense.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    told = [os.environ.get(name, "") for name in names]
    if not all(told):
        return ALONE
    try:
        world = World(*map(int, told))
    except ValueError:
        world = World(0, 0)
    if not 0 <= world.rank < world.size:
        said = ", ".join(f"{name}={value}" for name, value in zip(names, told, strict=True))
        raise OcrkitError(f"{said}: start several processes with torchrun, which sets these")
    return world


@contextlib.contextmanager
def process_group(world: World, device: str) -> Iterator[None]:
    """Connect the processes: gloo between CPUs, NCCL between GPUs. Alone, nothing happens.

    What is no tensor on a GPU (whether to stop, the loss) goes by gloo even there: it must not wait
    for the GPU's queue.

    Raises:
        OcrkitError: another process ended, or did not answer within `PATIENCE`.
    """
    if world.size == 1:
        yield
        return
    gpu = device.startswith("cuda")
    if gpu:
        torch.cuda.set_device(torch.device(device))
    backend = "cpu:gloo,cuda:nccl" if gpu else "gloo"
    with told_of_lost_peers(world):
        place = {"rank": world.rank, "world_size": world.size}
        dist.init_process_group(backend, store=_meeting_point(world), timeout=PATIENCE, **place)
        try:
            yield
        finally:
            dist.destroy_process_group()


def _meeting_point(world: World) -> dist.Store:
    """Where the processes leave their addresses for each other.

    torchrun's store outlives a restart, and with it the addresses of the processes that are gone:
    whoever reads these first finds nobody there. Each attempt therefore has names of its own.
    """
    store, *_ = next(dist.rendezvous("env://", world.rank, world.size))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return dist.PrefixStore(f"attempt {attempt}", store)


@contextlib.contextmanager
def told_of_lost_peers(world: World) -> Iterator[None]:
    """Say in one line that another process ended, instead of how the network noticed.

    Raises:
        OcrkitError: in rank 0. The others end without a word: who failed has said why.
    """
    try:
        yield
    except RuntimeError as error:
        if world.size == 1 or not _is_of_the_network(error):
            raise
        if not world.is_main:
            raise SystemExit(1) from error
        raise OcrkitError(
            "another process of this training ended or did not answer: see what it said; "
            "the same command goes on from the last checkpoint"
        ) from error


def _is_of_the_network(error: RuntimeError) -> bool:
    # gloo's errors are plain RuntimeErrors that name its source files or the connection.
    words = ("gloo", "nccl", "connection", "socket", "timed out", "peer")
    return isinstance(error, dist.DistError) or any(word in str(error).lower() for word in words)
