"""Processes that work together, started by a program or a notebook instead of by torchrun."""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist

from ocrkit.errors import OcrkitError
from ocrkit.processes import start_worker
from ocrkit.training.world import find_world, process_group, told_of_lost_peers


def in_processes(size: int, work: Callable[..., Any], *arguments: Any, threads: int = 1) -> list:
    """Call `work(world, *arguments)` in `size` fresh processes that gloo connects.

    Args:
        work: a function of a module, or a `partial` of one; it, its arguments and its results are
            sent by pickle.
        threads: of each process.

    Returns:
        The results, by rank.

    Raises:
        OcrkitError: a process was lost. What `work` itself raises in one of them is raised here.
            In both cases the others are ended.
    """
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    context = _context(work)
    results: dict[int, Any] = {}
    with contextlib.ExitStack() as started:
        waiting = {}
        for rank in range(size):
            ours, theirs = context.Pipe(duplex=False)
            place = (rank, size, store.port, threads)
            process = context.Process(target=_take_part, args=(theirs, place, work, arguments))
            process.start()
            started.callback(process.join)
            started.callback(process.kill)
            theirs.close()
            waiting[ours] = rank
        while waiting:
            for end in multiprocessing.connection.wait(list(waiting)):
                rank = waiting.pop(end)
                try:
                    error, results[rank] = end.recv()
                except EOFError:
                    raise OcrkitError(f"process {rank} of {size} was lost: try again") from None
                if error is not None:
                    raise error
    return [results[rank] for rank in range(size)]


def _context(work: Callable[..., Any]) -> multiprocessing.context.BaseContext:
    """Where it can be had, a server that imports what is needed once and forks each process."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # The first step of an optimiser imports the second, a second of work for each process.
    context.set_forkserver_preload(
        [__name__, "torch._dynamo", getattr(work, "func", work).__module__]
    )
    return context


def _take_part(
    end: multiprocessing.connection.Connection, place: tuple, work: Callable, arguments: tuple
) -> None:
    """In the new process: join the others, work, and send what came of it: (error, result)."""
    start_worker()
    rank, size, port, threads = place
    # What torchrun would set; the last one says that the store is there already.
    told = {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1"}
    told |= {"MASTER_PORT": port, "TORCHELASTIC_USE_AGENT_STORE": True}
    os.environ.update({name: str(value) for name, value in told.items()})
    torch.set_num_threads(threads)
    world = find_world()
    with process_group(world, "cpu"):
        try:
            with told_of_lost_peers(world):
                told = None, work(world, *arguments)
        except Exception as error:
            told = error, None
        end.send(told)  # before the others notice that this one is gone
