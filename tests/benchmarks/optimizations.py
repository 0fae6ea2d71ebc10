"""What each optimization brings alone: the formula as it is written beside the library's."""

import copy
from collections.abc import Callable
from statistics import median
from typing import Any

import plain
import torch
from timing import in_turns
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.models import Recognizer
from ocrkit.models.gated import GRCL
from ocrkit.models.prediction import EOS
from ocrkit.models.transformation import FIDUCIALS
from ocrkit.training import RECIPES
from ocrkit.training.precision import autocast, resolve_precision
from ocrkit.training.recipe import ADAMW, Recipe, adamw_groups, make_optimizer

Way = Callable[[], list[Tensor]]


def measure(name: str, size: dict, device: torch.device, rounds: int) -> list[dict[str, Any]]:
    """A row each: size, what, the medians plain_ms and cut_ms, and times (their ratio)."""
    rows = []
    for what, ways in pairs(size, device).items():
        seconds = in_turns(ways, rounds, wall=device.type == "cuda")
        theirs, ours = (1000 * median(each) for each in seconds)
        numbers = {"plain_ms": theirs, "cut_ms": ours, "times": theirs / ours}
        rounded = {key: float(f"{value:.4g}") for key, value in numbers.items()}
        rows.append({"size": name, "what": what, **rounded})
    return rows


def make_model(name: str, size: dict) -> Recognizer:
    """A model of the grid; `size` as in `performance.py`."""
    classes = size["characters"] + (1 if name.endswith("CTC") else 2)
    named = {key: size[key] for key in ("max_length", "image_width", "width")}
    return Recognizer(name, classes=classes, **named)


def pairs(size: dict, device: torch.device) -> dict[str, tuple[Way, Way]]:
    """The plain way and the library's of each; both return what they made."""
    torch.manual_seed(1)
    model = make_model("TPS-VGG-None-Attn", size).to(device)
    tps, batch, channels = model.transformation, size["batch"], round(64 * size["width"])
    points = torch.randn(batch, FIDUCIALS, 2, device=device).requires_grad_()
    # The two layers work in the fast precision and its layout.
    precision = resolve_precision("auto", device)
    half = torch.float32 if precision == "fp32" else torch.bfloat16
    layout = torch.channels_last
    rcnn = make_model("None-RCNN-None-CTC", size).features
    (grcl, *_) = (layer for layer in rcnn.to(device, memory_format=layout) if type(layer) is GRCL)
    wide = torch.randn(batch, channels, 32, size["image_width"], device=device)
    wide = wide.to(half, memory_format=layout).requires_grad_()
    pooled = F.max_pool2d(wide.detach(), 2).requires_grad_()
    pool = nn.MaxPool2d(2)

    def under_autocast(layer: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def call(x: Tensor) -> Tensor:
            with autocast(precision, device):
                return layer(x)

        return call

    return {
        "TPS's sampling points": (
            there_and_back(lambda x: plain.sampling_points(tps, x), points, tps),
            there_and_back(tps.grid, points, tps),
        ),
        "gated convolution": (
            there_and_back(under_autocast(lambda x: plain.gated(grcl, x)), pooled, grcl),
            there_and_back(under_autocast(grcl), pooled, grcl),
        ),
        "pool before ReLU": (
            there_and_back(lambda x: pool(F.relu(x)), wide, pool),
            there_and_back(lambda x: F.relu(pool(x)), wide, pool),
        ),
        "AdamW in one pass": (
            optimizer_step(plain_adamw, model),
            optimizer_step(make_optimizer, model),
        ),
    }


def there_and_back(forward: Callable[[Tensor], Tensor], x: Tensor, module: nn.Module) -> Way:
    """Forward and backward of a mean of squares: the output, and every gradient."""

    def call() -> list[Tensor]:
        x.grad = None
        module.zero_grad()
        output = forward(x)
        output.float().square().mean().backward()
        gradients = (p.grad for p in module.parameters() if p.grad is not None)
        return [output.detach(), x.grad, *gradients]

    return call


def optimizer_step(make: Callable[[Recipe, nn.Module], torch.optim.Optimizer], model: nn.Module):
    """One step over all weights, the gradients already there."""
    own = copy.deepcopy(model)
    for parameter in own.parameters():
        parameter.grad = torch.full_like(parameter, 1e-3)
    optimizer = make(RECIPES["adamw"], own)
    return lambda: [optimizer.step(), *own.parameters()][1:]


def plain_adamw(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """AdamW, one parameter and one operation after the other."""
    groups = adamw_groups(recipe, model)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, **ADAMW, foreach=False)


def never_end(head: nn.Module) -> None:
    """Bar [s] from attention, so that an untrained model writes its longest label."""
    if hasattr(head, "generator"):
        with torch.no_grad():
            head.generator.bias[EOS] = -1e4
