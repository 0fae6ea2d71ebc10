"""Runs of 50 steps that one process and two processes take, to be compared."""

from dataclasses import replace
from typing import Any

import torch
from toys import RECIPE, toy_model, toy_trainer

from ocrkit.training.distributed import ALONE, World

# Name of the case: the model, and how wide its numbers are. Training magnifies the last digit of a
# float32, in one process as in two: with ResNet's 29 norms in a row within ten steps, with VGG and
# CTC to 3e-3 after 50 on a processor without AVX-512. In float64 nothing is left.
CASES = {
    "ctc": ("None-VGG-None-CTC", torch.float64),
    "attention": ("None-VGG-None-Attn", torch.float64),
    "resnet": ("None-ResNet-None-CTC", torch.float64),
}


def losses(case: str, world: World = ALONE, **changes: Any) -> list[float]:
    """The loss of every step, as rank 0 is told it; the others hear nothing."""
    name, dtype = CASES[case]
    model = toy_model(name).to(dtype)
    model.register_forward_pre_hook(lambda _, inputs: (inputs[0].to(dtype), *inputs[1:]))
    recipe = replace(RECIPE, steps=50, batch_size=8)
    settings = {"model": model, "valid": None, "recipe": recipe, "world": world}
    told: list[float] = []
    toy_trainer(name, **{**settings, **changes}).run(lambda progress: told.append(progress.loss))
    return told
