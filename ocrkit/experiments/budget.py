"""What a sweep would take on machines that are not at hand: arithmetic against printed ceilings.

The author's own run tells how far from the ceiling such training stays: TPS-VGG-BiLSTM-Attn took
77 hours on two GPUs for 57.6 million images (see `AUTHOR`).
"""

from dataclasses import dataclass

import pandas as pd

from ocrkit.cost import training_cost
from ocrkit.errors import OcrkitError
from ocrkit.experiments.presets import Preset
from ocrkit.models import MODEL_NAMES
from ocrkit.training.recipe import Recipe


@dataclass(frozen=True)
class Machine:
    """A processor's printed ceilings: operations and bytes a second, and how wide its numbers are.

    `flops` is of dense products in the fastest format that training here can use: bf16 or fp16
    on tensor cores where there are any, else fp32; `number_bytes` is 2 or 4 accordingly.
    """

    name: str
    flops: float
    bandwidth: float
    number_bytes: int = 2


# The makers' data sheets, dense.
MACHINES = {
    "P40": Machine("Tesla P40 (the paper's)", 11.8e12, 346e9, 4),
    "T4": Machine("T4", 65e12, 320e9),
    "V100": Machine("V100 SXM2", 125e12, 900e9),
    "4090": Machine("GeForce RTX 4090", 165e12, 1_008e9),
    "A100": Machine("A100 80 GB SXM", 312e12, 2_039e9),
    "H100": Machine("H100 SXM", 989e12, 3_350e9),
    "H200": Machine("H200 SXM", 989e12, 4_800e9),
}


@dataclass(frozen=True)
class KnownRun:
    """A run whose hours are known: what share of its machines' ceiling it reached."""

    model: str
    images: int
    hours: float
    machines: int
    machine: str

    def share(self) -> float:
        """Its speed as a part of the ceiling, 0 to 1."""
        least = _least_hours(self.model, self.images, 192, MACHINES[self.machine])
        return least / (self.hours * self.machines)


# The one log of the final experiment: 300,000 steps of 192 images at 32x400 on two GPUs.
AUTHOR = KnownRun("TPS-VGG-BiLSTM-Attn", 57_600_000, 77.0, 2, "P40")


def budget(
    preset: Preset, recipe: Recipe | None = None, machine: str = "H200", share: float | None = None
) -> pd.DataFrame:
    """Hours that each of the preset's models would take on one machine.

    Args:
        recipe: instead of the preset's own.
        machine: a key of `MACHINES`.
        share: of the ceiling that training reaches, 0 to 1; None: what the author's run reached.

    Returns:
        Columns model, gflops_per_image, images, pflops, least_hours (at the ceiling),
        expected_hours (at the share of it).

    Raises:
        OcrkitError: an unknown machine, or a share out of range.
    """
    if machine not in MACHINES:
        raise OcrkitError(f"no machine {machine!r}: choose one of {', '.join(MACHINES)}")
    share = AUTHOR.share() if share is None else share
    if not 0 < share <= 1:
        raise OcrkitError(f"the share of the ceiling must lie over 0 and up to 1, not {share}")
    recipe = recipe or preset.recipe
    images = recipe.steps * recipe.batch_size
    rows = []
    for model in preset.models or MODEL_NAMES:
        size = (preset.pool_size + 1, preset.image_width, preset.max_length, preset.width)
        flops = training_cost(model, *size).flops
        least = _least_hours(model, images, recipe.batch_size, MACHINES[machine], *size)
        rows.append(
            {
                "model": model,
                "gflops_per_image": flops / 1e9,
                "images": images,
                "pflops": flops * images / 1e15,
                "least_hours": least,
                "expected_hours": least / share,
            }
        )
    return pd.DataFrame(rows)


def _least_hours(
    model: str,
    images: int,
    batch: int,
    machine: Machine,
    classes: int = 973,
    image_width: int = 400,
    max_length: int = 50,
    width: float = 1.0,
) -> float:
    cost = training_cost(model, classes, image_width, max_length, width)
    # Bytes are counted at four a number.
    bandwidth = machine.bandwidth * 4 / machine.number_bytes
    return images / batch * cost.seconds(batch, machine.flops, bandwidth) / 3600
