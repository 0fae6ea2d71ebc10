"""torch's own engine: autocast, GradScaler, DistributedDataParallel, torch.compile."""

import contextlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.parallel import DistributedDataParallel

from ocrkit.errors import OcrkitError
from ocrkit.training.distributed import ALONE, World
from ocrkit.training.precision import autocast, resolve_precision
from ocrkit.training.recipe import Recipe, make_optimizer
from ocrkit.training.sync_batch_norm import convert_sync_batch_norm


class NativeEngine:
    """Places a model, wraps it for several processes, and takes its steps.

    Raises OcrkitError: an unknown precision, or no compiler for torch.compile.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        recipe: Recipe,
        device: torch.device,
        world: World = ALONE,
        compile: bool = False,
        sync_batch_norm: bool = False,
        make_optimizer: Callable[[Recipe, torch.nn.Module], torch.optim.Optimizer] = make_optimizer,
    ) -> None:
        self.device, self.clip = device, recipe.grad_clip
        self.precision = resolve_precision(recipe.precision, device)
        # In this layout convolutions and pooling are quickest, in fp32 too.
        model.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]: torch's own gap
        if sync_batch_norm and world.size > 1:
            if device.type == "cuda":
                model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
            else:
                convert_sync_batch_norm(model)
        self.plain = self.model = model
        self.optimizer = make_optimizer(recipe, model)
        # fp16 ends at 6e-8: small gradients are lost unless the loss is scaled up before them.
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "fp16")
        if world.size > 1:
            devices = [device] if device.type == "cuda" else None
            self.model = DistributedDataParallel(model, device_ids=devices)
        if compile:
            check_compiler(device)
            self.model = torch.compile(self.model)

    def autocast(self) -> contextlib.AbstractContextManager:
        """The context of the forward pass and the loss."""
        return autocast(self.precision, self.device)

    def backward(self, loss: torch.Tensor) -> None:
        """New gradients from a loss, averaged over the processes."""
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()

    def step(self) -> bool:
        """Clip and step. False where fp16 overflowed: nothing moved, and the scale is halved."""
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.plain.parameters(), self.clip)
        if not self.scaler.is_enabled():
            self.optimizer.step()
            return True
        before = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return self.scaler.get_scale() >= before

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep beside weights and optimiser."""
        return {"scaler": self.scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` gave."""
        if state["scaler"]:  # empty where nothing is scaled
            self.scaler.load_state_dict(state["scaler"])


def check_compiler(device: torch.device) -> None:
    """torch.compile writes C++ for a processor, and Triton kernels for a GPU.

    Raises OcrkitError: what compiles them is missing.
    """
    if device.type == "cuda":
        if importlib.util.find_spec("triton") is None:
            raise OcrkitError("--compile needs Triton on a GPU: install triton, or leave it out")
        return
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    compiler = os.environ.get("CXX", usual)
    if shutil.which(compiler) is None:
        raise OcrkitError(
            f"--compile needs a C++ compiler, and there is no {compiler} here: install it "
            "(on Debian and Ubuntu: apt install g++), or leave --compile out"
        )
