"""Hours that the paper's own sizes would take on GPUs that are not at hand.

`python tests/benchmarks/paper_scale.py` writes the tables of docs/paper_scale.md: operations and
bytes counted, against the makers' ceilings, at the share of them that the author's run reached. It
takes three minutes.
"""

from functools import cache
from pathlib import Path
from unittest.mock import patch

import plain
from cost import count, run
from performance import markdown, write_tables

from ocrkit.experiments.presets import get_preset
from ocrkit.models import MODEL_NAMES, Recognizer
from ocrkit.models.prediction import Attention
from ocrkit.training.recipe import find_recipe

DOCUMENT = Path(__file__).parents[2] / "docs" / "paper_scale.md"
# Data sheets: FLOP a second of dense products in the fastest format that training here can use
# (bf16 or fp16 where there are tensor cores, else fp32), bytes a second, bytes a number.
MACHINES = {
    "P40": (11.8e12, 346e9, 4),
    "T4": (65e12, 320e9, 2),
    "V100": (125e12, 900e9, 2),
    "4090": (165e12, 1_008e9, 2),
    "A100": (312e12, 2_039e9, 2),
    "H100": (989e12, 3_350e9, 2),
    "H200": (989e12, 4_800e9, 2),
}
RECIPES = ("fast", "2019")
BEST = "TPS-VGG-BiLSTM-Attn"


def least_hours(model: str, recipe: str, machine: str) -> float:
    """Hours of one model of `paper-v2` at the machine's ceiling."""
    preset, plan = get_preset("paper-v2"), find_recipe(recipe)
    size = (preset.pool_size + 1, preset.image_width, preset.max_length, preset.width)
    flops, bandwidth, number_bytes = MACHINES[machine]
    seconds = count(model, True, *size).seconds(
        plan.batch_size, flops, bandwidth * 4 / number_bytes
    )
    return plan.steps * seconds / 3600


@cache
def reference_flops() -> float:
    """FLOP an image of training the best model as the reference writes it.

    Its decoder makes W_i H anew for each character, and multiplies one-hot characters.
    """
    model = Recognizer(BEST, classes=974, image_width=400, max_length=50).train()
    with patch.object(Attention, "forward", plain.decode):
        return run(model, 2)[0] / 2


def share_reached() -> float:
    """What part of its ceiling the author's run reached (0 to 1), if its GPUs were two P40.

    The one log of the final experiment: 300,000 steps of 192 images at 32x400 in 77 hours.
    """
    return 300_000 * 192 * reference_flops() / (MACHINES["P40"][0] * 2 * 77 * 3600)


def all_table() -> str:
    """Hours of all 24 models on each machine: at the ceiling, and at the share of it."""
    share, rows = share_reached(), []
    for machine in MACHINES:
        hours = [sum(least_hours(model, r, machine) for model in MODEL_NAMES) for r in RECIPES]
        rows.append([machine, *(f"{h:,.1f} h" for least in hours for h in (least, least / share))])
    heads = [f"`{r}`, {what}" for r in RECIPES for what in ("at the ceiling", "expected")]
    return markdown(["GPU", *heads], rows)


def best_table() -> str:
    """Expected hours of the paper's best model."""
    share = share_reached()
    hours = {m: [least_hours(BEST, r, m) / share for r in RECIPES] for m in MACHINES}
    rows = [[machine, *(f"{h:,.1f} h" for h in each)] for machine, each in hours.items()]
    return markdown(["GPU", *(f"{BEST}, `{r}`, expected" for r in RECIPES)], rows)


if __name__ == "__main__":
    write_tables(DOCUMENT, {"all-24": all_table(), "best": best_table()})
    print(f"{reference_flops() / 1e9:.1f} GFLOP an image; {share_reached():.1%} of the ceiling")
