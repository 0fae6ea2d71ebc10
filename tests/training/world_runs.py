"""What two processes do together: `torchrun --nproc-per-node 2 -m world_runs FOLDER`.

Rank 0 writes FOLDER/told.json. The last act is that rank 1 dies, and what rank 0 says of it.
"""

import json
import os
import signal
import sys
import zlib
from pathlib import Path

import torch
from parallel_cases import CASES, losses
from toys import CTC, RECIPE, toy_trainer

from ocrkit.errors import OcrkitError
from ocrkit.training import trainer as reading
from ocrkit.training.distributed import World, process_group, world_from_env


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    world = world_from_env()
    with process_group(world, "cpu"):
        told = {case: losses(case, world, sync_batch_norm=True) for case in CASES}
        told["apart"] = losses("ctc", world)
        told["unweighted"] = losses_unweighted(world)

        own, steps = folder / f"rank {world.rank}", []
        trainer = toy_trainer(CTC, own, world=world)
        told["rows"] = from_all(world, rows(trainer))
        result = trainer.run(lambda progress: steps.append(progress.step))
        told["steps"] = from_all(world, steps)
        told["history"] = from_all(world, [row["step"] for row in result.history])
        again = toy_trainer(CTC, folder / "rank 0", world=world)
        told["resumed"] = from_all(world, [again.run().steps, again.seconds == trainer.seconds])

        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun ends whoever is left
        trainer = toy_trainer(CTC, world=world)
        if not world.is_main:
            os._exit(3)
        try:
            trainer.run()
        except OcrkitError as error:
            told["lost"] = str(error)
        (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")


def losses_unweighted(world: World) -> list[float]:
    """Attention's losses where every process counts alike, however long its labels are."""
    weighted, reading.weight_of_part = reading.weight_of_part, lambda *_: 1.0
    try:
        return losses("attention", world, sync_batch_norm=True)
    finally:
        reading.weight_of_part = weighted


def rows(trainer: reading.Trainer) -> list[list[int]]:
    """A checksum of every image that this process trains on, step by step."""
    world = trainer.world
    parts = [trainer.batches.part(i, world.rank, world.size) for i in range(RECIPE.steps)]
    return [[zlib.crc32(image.tobytes()) for image in part.pixels] for part in parts]


def from_all(world: World, mine: object) -> list:
    told = [None] * world.size
    torch.distributed.all_gather_object(told, mine)
    return told


if __name__ == "__main__":
    main(Path(sys.argv[1]))
