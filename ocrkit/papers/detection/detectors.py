"""What the detectors share: batches of scenes to learn from, hard negatives, and their scores."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ocrkit.data.cache import to_input
from ocrkit.papers.shared.detection_metrics import detection_scores, match
from ocrkit.papers.shared.quads import to_boxes
from ocrkit.papers.shared.scene_sets import SceneSet, scene_set
from ocrkit.papers.shared.study import RECIPE, Study
from ocrkit.synth.scenes import SceneSettings
from ocrkit.training import Task

Detect = Callable[[Any, np.ndarray], list[np.ndarray]]
BatchLoss = Callable[[Any, Tensor, Sequence[np.ndarray]], Tensor]

TRAIN, VALID, TEST = 3000, 64, 300  # scenes
# How a table calls what a study of a detector writes down.
HEADINGS = {
    "f1": "F1 at 0.5",
    "f1_tight": "F1 at 0.7",
    "precision_percent": "precision",
    "recall_percent": "recall",
    "f1_low": "from",
    "f1_high": "to",
    "params": "weights",
    "train_seconds": "training s",
    "ms_image": "ms an image",
}


class SceneTask:
    """Learn to find the words of training scenes; validated on scenes with other words.

    seed: of the order of the scenes; batch_size: scenes a step.
    loss: (model, images (B, 1, H, W), quads of each scene) -> the loss.
    detect: (model, images uint8 (N, H, W)) -> for each image its quads (n, 4, 2).
    count, valid: scenes to learn from and to validate on.
    """

    def __init__(
        self,
        seed: int,
        settings: SceneSettings,
        batch_size: int,
        loss: BatchLoss,
        detect: Detect,
        count: int = TRAIN,
        valid: int = VALID,
    ) -> None:
        self.seed, self.batch_size = seed, batch_size
        self.batch_loss, self.detect = loss, detect
        scenes = scene_set("train", count, settings)
        self.images, self.quads = scenes.images, scenes.quads
        self.valid = scene_set("valid", valid, settings)

    def loss(self, model: nn.Module, step: int) -> Tensor:
        rng = np.random.default_rng((self.seed, step))
        picks = rng.choice(len(self.images), self.batch_size, replace=False)
        images = to_input(self.images[picks])
        return self.batch_loss(model, images, [self.quads[i] for i in picks])

    def validate(self, model: nn.Module) -> dict[str, float]:
        return f1_scores(self.detect, model, self.valid)


def f1_scores(detect: Detect, model: nn.Module, scenes: SceneSet) -> dict[str, float]:
    """F1 at IoU 0.5 and 0.7, and precision, recall and the interval of F1 at 0.5; percent."""
    found = detect(model.eval(), scenes.images)
    loose, tight = (detection_scores(found, scenes.quads, at) for at in (0.5, 0.7))
    return {
        "f1": loose.f1,
        "f1_tight": tight.f1,
        "precision_percent": loose.precision,
        "recall_percent": loose.recall,
        "f1_low": loose.low,
        "f1_high": loose.high,
    }


def detector_study(
    name: str,
    model: Callable[[], nn.Module],
    task: Callable[..., Task],
    detect: Detect,
    settings: SceneSettings,
    steps: int,
) -> Study:
    """A study of a detector, tested on such scenes; `task` takes seed and batch_size."""

    def unseen(count: int) -> SceneSet:
        return scene_set("test", count, settings)

    recipe = replace(
        RECIPE,
        name=name.split("-")[0],
        learning_rate=4e-3,
        steps=steps,
        validate_every=steps // 10,
    )
    return Study(
        name,
        recipe,
        model,
        partial(task, batch_size=recipe.batch_size),
        lambda model, count=TEST: f1_scores(detect, model, unseen(count)),
        lambda count=TEST: unseen(count).images,
        detect,
    )


def quick(study: Study) -> Study:
    """A detector's study with everything tiny: it shows that the code runs, and learns nothing."""
    few = {"count": 8}
    return replace(
        study,
        recipe=replace(study.recipe, steps=4, batch_size=4, validate_every=2),
        task=partial(study.task, batch_size=4, valid=4, **few),
        test=partial(study.test, **few),
        images=partial(study.images, **few),
    )


def recall_by_angle(
    found: Sequence[np.ndarray], true: Sequence[np.ndarray], edges: Sequence[float]
) -> np.ndarray:
    """Share of the words found at IoU 0.5, by how far they are turned, percent; NaN where none is.

    found, true: for each image its quads (n, 4, 2).
    edges: k + 1 degrees, rising; a word counts by the size of its angle.
    Returns (k,).
    """
    hit = [
        np.isin(np.arange(len(t)), [j for _, j in match(f, t)])
        for f, t in zip(found, true, strict=True)
    ]
    angles = np.abs(np.degrees(to_boxes(np.concatenate(true))[:, 4]))
    totals, _ = np.histogram(angles, edges)
    hits, _ = np.histogram(angles[np.concatenate(hit)], edges)
    return np.divide(100 * hits, totals, out=np.full(len(totals), np.nan), where=totals > 0)


def hardest(losses: Tensor, negative: Tensor, count: Tensor) -> Tensor:
    """The `count` (B,) negatives of each image with the greatest losses, all bool or float (B, P).

    Online hard example mining.
    """
    order = losses.masked_fill(~negative, -torch.inf).argsort(dim=1, descending=True)
    first = torch.arange(losses.shape[1], device=losses.device) < count[:, None]
    return torch.zeros_like(negative).scatter_(1, order, first) & negative
