"""Training and reading each model of the grid, plain fp32 beside the library's own way."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import torch

from ocrkit.bench.rates import deciding_clock, in_turns, timed
from ocrkit.bench.sizes import Size
from ocrkit.cost import Cost, reading_cost, training_cost
from ocrkit.data.cache import to_input
from ocrkit.hangul import charset
from ocrkit.models import MODEL_NAMES
from ocrkit.models.prediction import EOS, Attention
from ocrkit.training import RECIPES
from ocrkit.training.engines.native import NativeEngine
from ocrkit.training.losses import make_converter, training_loss
from ocrkit.training.recipe import ADAMW, Recipe, adamw_groups


def measure(
    size: Size, device: torch.device, rounds: int = 3, names: Sequence[str] = MODEL_NAMES
) -> Iterator[dict[str, Any]]:
    """A row a model, as they come; both sides take turns.

    Plain: fp32, contiguous, AdamW an operation at a time. Fast: what `auto` chooses here, its
    layout, AdamW in one pass. Both have the same layers, weights, images and labels.

    A row holds size, model, batch, precision (of the fast side), and for "train" and "read" the
    medians of images/s ("plain", "fast") and what an image costs ("flops", "bytes": see `Cost`).
    """
    for name in names:
        batch = size.resnet_batch if "ResNet" in name else size.batch
        yield _row(replace(size, batch=batch), name, device, rounds)


def _row(size: Size, name: str, device: torch.device, rounds: int) -> dict[str, Any]:
    torch.manual_seed(1)
    model = size.model(name)
    clock = deciding_clock(device)
    recipe = replace(RECIPES["fast"], batch_size=size.batch)
    plain = NativeEngine(
        copy.deepcopy(model), replace(recipe, precision="fp32"), device, make_optimizer=plain_adamw
    )
    fast = NativeEngine(model, replace(recipe, precision="auto"), device)
    job = _Job(size, name, device)
    row: dict[str, Any] = {
        "size": size.name,
        "model": name,
        "batch": size.batch,
        "precision": fast.precision,
    }
    # Reading last: its models no longer end early, and should not be trained.
    for task, work, cost in (
        ("train", job.train, training_cost),
        ("read", job.read, reading_cost),
    ):
        rates = in_turns(_timed(work, fast, device), _timed(work, plain, device), rounds)
        counted = cost(name, size.characters + 1, size.image_width, size.max_length, size.width)
        speeds = (_rounded(median(getattr(rate, clock) for rate in side)) for side in rates)
        row[task] = {**dict(zip(("fast", "plain"), speeds, strict=True)), **_each(counted, size)}
    return row


def _timed(work: Callable[[NativeEngine], int], engine: NativeEngine, device: torch.device) -> Any:
    return lambda: timed(lambda: work(engine), device)


def _each(cost: Cost, size: Size) -> dict[str, float]:
    """Operations and bytes an image, the batch's own shared out."""
    moved = cost.image_bytes + cost.batch_bytes / size.batch
    return {"flops": _rounded(cost.flops), "bytes": _rounded(moved)}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def plain_adamw(recipe: Recipe, model: torch.nn.Module) -> torch.optim.Optimizer:
    """AdamW, one parameter and one operation after the other."""
    groups = adamw_groups(recipe, model)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, **ADAMW, foreach=False)


class _Job:
    """Noise for images and syllables drawn at random for labels: speed does not look at them."""

    def __init__(self, size: Size, name: str, device: torch.device) -> None:
        random = np.random.default_rng(1)
        syllables = charset("972")[: size.characters]
        self.device, self.batch = device, size.batch
        self.converter = make_converter(name.split("-")[-1], syllables, size.max_length)
        self.pixels = random.integers(0, 256, (size.batch, 32, size.image_width), dtype=np.uint8)
        half = (size.batch, size.max_length // 2)
        self.texts = ["".join(row) for row in random.choice(list(syllables), half)]

    def train(self, engine: NativeEngine) -> int:
        """One step: pixels and texts in, weights moved."""
        engine.model.train()
        with engine.autocast():
            images = to_input(self.pixels).to(self.device)
            loss = training_loss(engine.model, self.converter, images, self.texts)
        engine.backward(loss)
        engine.step()
        return self.batch

    @torch.inference_mode()
    def read(self, engine: NativeEngine) -> int:
        """Pixels in, texts out; attention writes as many characters as it may."""
        never_end(engine.plain.eval().head)
        with engine.autocast():
            logits = engine.model(to_input(self.pixels).to(self.device))
        self.converter.decode(logits.argmax(2).cpu())
        return self.batch


def never_end(head: torch.nn.Module) -> None:
    """Bar [s], so that an untrained model writes its longest label, whatever its weights."""
    if isinstance(head, Attention):
        with torch.no_grad():
            head.generator.bias[EOS] = -1e4
