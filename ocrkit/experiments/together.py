"""One run of a preset on several processes, each with its part of every batch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ocrkit.experiments.datasets import DataSets
from ocrkit.experiments.grid import Run
from ocrkit.experiments.presets import Preset
from ocrkit.experiments.results import read_row
from ocrkit.experiments.runner import check_folder, is_done, run_one
from ocrkit.experiments.setup import decode_all, state_folder, train_run
from ocrkit.training import Progress
from ocrkit.training.distributed import World


def run_together(
    world: World,
    preset: Preset,
    data: DataSets,
    run: Run,
    folder: Path,
    device: str = "cpu",
    watch: Callable[[Progress], None] = lambda progress: None,
    **settings: Any,
) -> dict | None:
    """As `run_one`, on all processes of `world`, unless it is done: rank 0 tests and writes.

    Args:
        world: this process among others, which are connected already and call this too.

    Returns:
        The row in rank 0, None in the others.

    Raises:
        OcrkitError: the folder holds another experiment, there is no such device, or another
            process was lost.
    """

    def begin() -> dict | None:
        check_folder(folder, preset, data)
        decode_all(preset, data)
        return read_row(folder, run)

    row = world.broadcast_from_main(begin)
    if is_done(row):
        return row if world.is_main else None
    settings["world"] = world
    if world.is_main:
        return run_one(preset, data, run, folder, device, watch, **settings)
    train_run(preset, data, run, state_folder(folder, run), device=device, **settings)
    return None
