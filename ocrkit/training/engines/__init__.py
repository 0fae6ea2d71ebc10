"""Engines: how one step of training is computed. The training loop is the same for all of them.

`autocast()` is the context of forward pass and loss, `backward(loss)` makes gradients, `step()`
clips them and moves the weights. `.model` is called, `.plain` is saved.
"""

from typing import Any

import torch

from ocrkit.errors import OcrkitError
from ocrkit.training.engines.apex import check_apex, make_apex_engine
from ocrkit.training.engines.native import NativeEngine
from ocrkit.training.recipe import Recipe

ENGINES = {"native": NativeEngine, "apex": make_apex_engine}


def check_engine(name: str, device: torch.device) -> None:
    """See that an engine can be had, before anything costs time.

    Raises OcrkitError: an unknown engine, one that is not installed, or one that needs a GPU.
    """
    if name not in ENGINES:
        raise OcrkitError(f"no engine {name!r}: choose one of {', '.join(ENGINES)}")
    if name == "apex":
        check_apex(device)


def make_engine(
    name: str, model: torch.nn.Module, recipe: Recipe, device: torch.device, **options: Any
) -> NativeEngine:
    """An engine by name; `options` are world, compile and sync_batch_norm.

    Raises OcrkitError: as `check_engine`, or an option that the engine does not know.
    """
    check_engine(name, device)
    return ENGINES[name](model, recipe, device, **options)
