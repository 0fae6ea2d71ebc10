"""Engines: how one step of training is computed. The training loop is the same for all of them.

`autocast()` is the context of forward pass and loss, `backward(loss)` makes gradients, `step()`
clips them and moves the weights. `.model` is called, `.plain` is saved.

NVIDIA Apex up to 25.04 has `apex.amp` and `apex.parallel`, the way of 2019. Later it has fused
optimisers, and leaves casting and several processes to torch.
"""

import contextlib
import importlib
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
from ocrkit.training.recipe import ADAMW, Recipe, adamw_groups, make_optimizer
from ocrkit.training.sync_batch_norm import convert_sync_batch_norm

ENGINES = ("native", "apex")
HOW_TO_INSTALL = (
    "`conda env create -f environment.yml` brings Apex 25.04 (Linux, NVIDIA), or build a newer one "
    "from github.com/NVIDIA/apex; --engine native needs none"
)


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
) -> "NativeEngine":
    """An engine by name; `options` are world, compile and sync_batch_norm.

    Raises OcrkitError: as `check_engine`, or an option that the engine does not know.
    """
    check_engine(name, device)
    if name == "apex" and _has_amp():
        return AmpEngine(model, recipe, device, **options)
    optimizer = fused_optimizer if name == "apex" else make_optimizer
    return NativeEngine(model, recipe, device, **options, make_optimizer=optimizer)


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
        before = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return self.scaler.get_scale() >= before

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep beside weights and optimiser."""
        return {"scaler": self.scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` gave."""
        if state["scaler"]:  # empty where the training so far scaled nothing
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


def check_apex(device: torch.device) -> None:
    """See that NVIDIA's Apex is here, and a GPU for it.

    Raises OcrkitError: no Apex, another package of that name, or a device that is no GPU.
    """
    if "apex" not in sys.modules and importlib.util.find_spec("apex") is None:
        raise OcrkitError(f"NVIDIA Apex is not installed: {HOW_TO_INSTALL}")
    if not _has_amp() and not hasattr(_part("optimizers"), "FusedAdam"):
        raise OcrkitError(
            "the package `apex` here is not NVIDIA's (PyPI's is another project): "
            f"pip uninstall apex; {HOW_TO_INSTALL}"
        )
    check_gpu(device)


def check_gpu(device: torch.device) -> None:
    """Raises OcrkitError for a device on which Apex's kernels do not run."""
    if device.type != "cuda":
        raise OcrkitError("Apex works on GPUs alone: add --device cuda, or use --engine native")


def _has_amp() -> bool:
    """Is it an Apex of the time before May 2025?"""
    return hasattr(_part("amp"), "initialize") and _part("parallel") is not None


def _part(name: str) -> Any:
    """A module of Apex, whose names depend on its version; None where this Apex has it not."""
    try:
        return importlib.import_module(f"apex.{name}")
    except Exception:  # PyPI's package fails on import in ways of its own
        return None


def fused_optimizer(recipe: Recipe, model: torch.nn.Module) -> torch.optim.Optimizer:
    """Apex's AdamW in one kernel; there is no fused Adadelta, so the recipe 2019 has torch's.

    Raises OcrkitError: Apex was installed without its CUDA extensions.
    """
    if recipe.optimizer != "adamw":
        return make_optimizer(recipe, model)
    try:
        return _part("optimizers").FusedAdam(
            adamw_groups(recipe, model), lr=recipe.learning_rate, **ADAMW, adam_w_mode=True
        )
    except RuntimeError as error:
        raise OcrkitError(
            f"Apex is installed without its CUDA extensions ({str(error).splitlines()[0]}): "
            "build it with them, or use --engine native"
        ) from error


class AmpEngine(NativeEngine):
    """The calls of 2019, in their order.

    Written against the documented signatures of Apex 25.04 and tested on stand-ins that enforce
    them: no machine with this Apex was at hand. Apex scales the loss, skips what overflows and
    averages the gradients; casting is left to torch's autocast, which has taken O1's lists over.
    O1's own casts do not run on today's torch: they fail at the second use of a weight (RCNN's
    iterations; NVIDIA/apex, issue 1227) and at an LSTM, and know no part that must stay fp32.
    Raises OcrkitError: a precision or an option that `apex.amp` does not know.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        recipe: Recipe,
        device: torch.device,
        world: World = ALONE,
        compile: bool = False,
        sync_batch_norm: bool = False,
    ) -> None:
        # O1: fp16 where that is safe, and a loss scale that follows overflows. O0: all fp32.
        levels = {"fp32": "O0", "fp16": "O1", "auto": "O1"}
        if recipe.precision not in levels:
            raise OcrkitError(
                f"apex.amp knows fp32 and fp16, not {recipe.precision}: use --engine native"
            )
        if compile:
            raise OcrkitError("apex.amp and --compile do not go together: use --engine native")
        level = levels[recipe.precision]
        self.amp, parallel = _part("amp"), _part("parallel")
        self.clip, self.device = recipe.grad_clip, device
        self.precision = "fp32" if level == "O0" else "fp16"
        model.to(device)
        if sync_batch_norm and world.size > 1:
            model = parallel.convert_syncbn_model(model)
        optimizer = make_optimizer(recipe, model)
        model, self.optimizer = self.amp.initialize(
            model, optimizer, opt_level=level, patch_torch_functions=False, verbosity=0
        )
        self.plain = self.model = model
        if world.size > 1:
            # Delayed: all gradients at once, after the whole backward pass.
            self.model = parallel.DistributedDataParallel(model, delay_allreduce=True)

    def backward(self, loss: torch.Tensor) -> None:
        """New gradients from a loss, averaged over the processes and scaled back."""
        self.optimizer.zero_grad()
        with self.amp.scale_loss(loss, self.optimizer) as scaled:
            scaled.backward()

    def step(self) -> bool:
        """Clip and step. False where fp16 overflowed: Apex makes the optimiser skip this step."""
        norm = torch.nn.utils.clip_grad_norm_(self.amp.master_params(self.optimizer), self.clip)
        self.optimizer.step()
        return bool(torch.isfinite(norm))

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep beside weights and optimiser: the loss scale."""
        return {"amp": self.amp.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` gave."""
        self.amp.load_state_dict(state["amp"])
