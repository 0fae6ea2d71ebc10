"""Recipes: the optimiser, its schedule and the numbers that go with them."""

from dataclasses import dataclass, replace
from typing import Any

import torch

from ocrkit.errors import OcrkitError
from ocrkit.training.optimizers import MuonAdamW, muon_groups


@dataclass(frozen=True)
class Recipe:
    """How a model is trained."""

    name: str  # what rows and reports call it
    optimizer: str  # "adadelta", "adamw" or "muon" (matrices; AdamW takes the rest)
    learning_rate: float  # the peak (one-cycle) or constant rate
    steps: int  # optimiser steps in all
    batch_size: int  # images a step
    # rise over the first `warmup` share of the steps, then fall to 0 as a cosine
    one_cycle: bool = False
    warmup: float = 0.15
    weight_decay: float = 0.0  # AdamW's, on matrices only
    grad_clip: float = 5.0  # largest norm of the gradient
    precision: str = "fp32"  # "fp32", "bf16", "fp16" or "auto"
    validate_every: int = 2000  # steps between two looks at the validation set
    muon_rate: float = 0.0  # the peak or constant rate of Muon's matrices
    # "reference" (Kaiming-normal throughout), "orthogonal" (`orthogonal_start`), or "straight": as
    # orthogonal, and TPS begins by leaving images as they are (`TPS.start_straight`)
    start: str = "reference"
    # share of the steps over which frames also learn by a CTC loss of their own, whose weight
    # falls from 1 to 0; 0 leaves it out
    auxiliary_ctc: float = 0.0
    # which frames: the "extractor"'s, in every model that does not read its text straight from
    # them, or the "decoder"'s, those that attention looks at (models with a decoder alone)
    auxiliary_frames: str = "extractor"


# What most would choose: a tenth of the steps of 2019, and 16-bit numbers where the machine is
# quick at them. In few steps, many of the 24 never leave their first plateau.
_ADAMW = Recipe(
    "adamw", "adamw", 2e-3, 30_000, 192, one_cycle=True, weight_decay=0.01, precision="auto"
)
RECIPES = {
    # As written in the paper and its options: Adadelta, and 300,000 steps of 192 images.
    "2019": Recipe("2019", "adadelta", 1.0, steps=300_000, batch_size=192),
    # The recipe of today, the same for all 24 models.
    "fast": replace(
        _ADAMW,
        name="fast",
        optimizer="muon",
        warmup=0.1,
        muon_rate=0.01,
        start="straight",
        auxiliary_ctc=0.7,
    ),
    "adamw": _ADAMW,
}
ADAMW: dict[str, Any] = {"betas": (0.9, 0.99), "eps": 1e-6}


def find_recipe(name: str) -> Recipe:
    """A recipe by name. Raises OcrkitError: an unknown name."""
    if name not in RECIPES:
        raise OcrkitError(f"no recipe {name!r}: choose one of {', '.join(RECIPES)}")
    return RECIPES[name]


def make_optimizer(recipe: Recipe, model: torch.nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimiser over a model's trainable parameters."""
    if recipe.optimizer == "adadelta":
        parameters = [p for p in model.parameters() if p.requires_grad]
        # rho is the "decay 0.95" of the paper (Zeiler, 2012, algorithm 1).
        return torch.optim.Adadelta(parameters, lr=recipe.learning_rate, rho=0.95, eps=1e-8)
    if recipe.optimizer == "muon":
        groups = muon_groups(model, recipe.learning_rate, recipe.muon_rate, recipe.weight_decay)
        return MuonAdamW(groups, lr=recipe.learning_rate, **ADAMW, fused=True)
    # Fused: one pass over the numbers instead of one per operation; the same step, sooner.
    return torch.optim.AdamW(
        adamw_groups(recipe, model), lr=recipe.learning_rate, **ADAMW, fused=True
    )


def adamw_groups(recipe: Recipe, model: torch.nn.Module) -> list[dict[str, Any]]:
    """The trainable parameters in two groups: decay pulls matrices to 0, not norms and biases."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def make_schedule(
    recipe: Recipe, optimizer: torch.optim.Optimizer
) -> torch.optim.lr_scheduler.LRScheduler | None:
    """One-cycle (Smith & Topin, 2017), or None where the rate is constant."""
    if not recipe.one_cycle:
        return None
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        [group["lr"] for group in optimizer.param_groups],
        # OneCycleLR steps once before training; a run of one step still needs two points.
        total_steps=max(recipe.steps, 2) + 1,
        pct_start=recipe.warmup,
        cycle_momentum=False,
        div_factor=25,
        final_div_factor=1e3,
    )
