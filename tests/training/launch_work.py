"""Work for processes that the tests start: it must be importable there."""

import os

import torch
import torch.distributed as dist

from ocrkit.training.world import World


def squares(world: World, base: int) -> tuple[int, int, int, float]:
    """Who this is, its threads, and a sum over all processes."""
    told = torch.tensor(float(base**world.rank))
    if world.size > 1:
        dist.all_reduce(told)
    return world.rank, world.size, torch.get_num_threads(), told.item()


def fails(world: World, rank: int) -> None:
    """One raises; the other waits for it."""
    if world.rank == rank:
        raise ValueError(f"rank {rank} cannot")
    world.wait()


def dies(world: World, rank: int) -> None:
    """One is gone without a word; the other waits for it."""
    if world.rank == rank:
        os._exit(3)
    world.wait()
