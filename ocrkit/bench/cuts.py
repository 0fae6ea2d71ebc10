"""Each cut alone: the plain formula beside the library's, in turns."""

import copy
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.bench import plain
from ocrkit.bench.models import never_end, plain_adamw
from ocrkit.bench.rates import deciding_clock, in_turns, timed
from ocrkit.bench.sizes import Size
from ocrkit.models import Recognizer
from ocrkit.models.gated import GRCL
from ocrkit.models.transformation import FIDUCIALS
from ocrkit.training import RECIPES
from ocrkit.training.precision import autocast, resolve_precision
from ocrkit.training.recipe import make_optimizer

Tensors = list[Tensor]
Sides = tuple[Callable[[], Tensors], Callable[[], Tensors]]  # plain, cut


def measure(size: Size, device: torch.device, rounds: int = 5) -> Iterator[dict[str, Any]]:
    """A row a cut: size, what, and the medians plain_ms, cut_ms and times (their ratio)."""
    clock = deciding_clock(device)
    for what, (theirs, ours) in cases(size, device):
        rates = in_turns(_timed(ours, device), _timed(theirs, device), rounds)
        cut_ms, plain_ms = (1000 / median(getattr(rate, clock) for rate in side) for side in rates)
        yield {
            "size": size.name,
            "what": what,
            "plain_ms": float(f"{plain_ms:.4g}"),
            "cut_ms": float(f"{cut_ms:.4g}"),
            "times": float(f"{plain_ms / cut_ms:.3g}"),
        }


def _timed(work: Callable[[], Any], device: torch.device) -> Any:
    def once() -> int:
        work()
        return 1

    return lambda: timed(once, device)


def cases(size: Size, device: torch.device) -> Iterator[tuple[str, Sides]]:
    """What is cut, and both sides; each side returns what it made."""
    torch.manual_seed(1)
    model = size.model("TPS-VGG-None-Attn").to(device)
    yield "attention, training", attention_training(model, size)
    yield "attention, greedy", attention_greedy(model, size)
    yield "TPS's sampling points", points(model, size)
    yield "gated convolution", gated(size, device)
    yield "pool before ReLU", pooling(size, device)
    yield "AdamW in one pass", optimizers(model)


def attention_training(model: Recognizer, size: Size) -> Sides:
    """Teacher forcing, forward and backward."""
    head, steps = model.head, size.max_length + 1
    frames = _noise(model, size.batch, model.frames, head.inputs)
    text = torch.randint(2, model.classes, (size.batch, steps), device=frames.device)
    return (
        lambda: _back(plain.decode(head, frames, text, steps), frames, head),
        lambda: _back(head(frames, text, steps), frames, head),
    )


def attention_greedy(model: Recognizer, size: Size) -> Sides:
    """Greedy decoding of the longest label."""
    head, steps = copy.deepcopy(model.head), size.max_length + 1
    never_end(head)
    frames = _noise(model, size.batch, model.frames, head.inputs)
    unlearning = torch.inference_mode()
    return (
        unlearning(lambda: [plain.decode(head, frames, None, steps)]),
        unlearning(lambda: [head(frames, None, steps)]),
    )


def points(model: Recognizer, size: Size) -> Sides:
    """From fiducial points to sampling points, and back."""
    tps = model.transformation
    fiducials = _noise(model, size.batch, FIDUCIALS, 2)
    return (
        lambda: _back(plain.sampling_points(tps, fiducials), fiducials, tps),
        lambda: _back(tps.grid(fiducials), fiducials, tps),
    )


def gated(size: Size, device: torch.device) -> Sides:
    """RCNN's first gated recurrent convolution, forward and backward, in the fast precision."""
    layers = size.model("None-RCNN-None-CTC").features
    (layer, *_) = (layer for layer in layers if isinstance(layer, GRCL))
    area = round(64 * size.width), 16, size.image_width // 2
    return _of_layers(plain.gated, layer, size, area, device)


def pooling(size: Size, device: torch.device) -> Sides:
    """VGG's first max-pool and ReLU, forward and backward, in the fast precision."""
    area = round(64 * size.width), 32, size.image_width
    return _of_layers(
        lambda layer, u: layer(F.relu(u)),
        nn.MaxPool2d(2),
        size,
        area,
        device,
        ours=lambda layer, u: F.relu(layer(u)),
    )


def optimizers(model: Recognizer) -> Sides:
    """One step of AdamW over all weights, the gradients already there."""
    sides = []
    for make in (plain_adamw, make_optimizer):
        own = copy.deepcopy(model)
        for parameter in own.parameters():
            parameter.grad = torch.full_like(parameter, 1e-3)
        sides.append(_step(make(RECIPES["fast"], own), own))
    return sides[0], sides[1]


def _step(optimizer: torch.optim.Optimizer, model: nn.Module) -> Callable[[], Tensors]:
    def once() -> Tensors:
        optimizer.step()
        return list(model.parameters())

    return once


def _of_layers(
    theirs: Callable[[nn.Module, Tensor], Tensor],
    layer: nn.Module,
    size: Size,
    area: tuple[int, int, int],
    device: torch.device,
    ours: Callable[[nn.Module, Tensor], Tensor] = lambda layer, u: layer(u),
) -> Sides:
    """Two ways through a layer, on images of so many channels and pixels."""
    precision = resolve_precision("auto", device)
    layout = torch.contiguous_format if precision == "fp32" else torch.channels_last
    layer.to(device, memory_format=layout)
    u = torch.randn(size.batch, *area, device=device)
    number = torch.float32 if precision == "fp32" else torch.bfloat16
    u = u.to(number, memory_format=layout).requires_grad_()

    def way(through: Callable[[nn.Module, Tensor], Tensor]) -> Callable[[], Tensors]:
        def there_and_back() -> Tensors:
            with autocast(precision, device):
                output = through(layer, u)
            return _back(output, u, layer)

        return there_and_back

    return way(theirs), way(ours)


def _noise(model: Recognizer, *shape: int) -> Tensor:
    device = next(model.parameters()).device
    return torch.randn(*shape, device=device).requires_grad_()


def _back(output: Tensor, inputs: Tensor, module: nn.Module) -> Tensors:
    """Gradients of a sum of squares; the output, and what has a gradient."""
    inputs.grad = None
    module.zero_grad()
    output.float().square().mean().backward()
    given = (p.grad for p in module.parameters() if p.grad is not None)
    return [output.detach(), inputs.grad, *given]
