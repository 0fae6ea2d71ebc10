"""What the two spotters share: scenes to learn from, finding and reading in one, and scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ocrkit.data.cache import to_input
from ocrkit.labels import AttentionLabels, CTCLabels
from ocrkit.models.features import conv_bn_relu
from ocrkit.models.sequence import BiLSTM
from ocrkit.papers.detection.east import (
    EastHead,
    EastMaps,
    box_loss,
    decode,
    east_targets,
    score_loss,
)
from ocrkit.papers.shared.backbone import Backbone, conv
from ocrkit.papers.shared.detection_metrics import detection_scores, spotting_scores
from ocrkit.papers.shared.quads import as_quads, from_boxes, to_boxes
from ocrkit.papers.shared.scene_sets import SceneSet, scene_set
from ocrkit.papers.shared.study import RECIPE as PAPERS_RECIPE
from ocrkit.papers.shared.study import Study
from ocrkit.synth.scenes import SCENES, SceneWord

# Letters of 14 pixels are told apart by strokes thinner than one: they need finer maps than ours.
KINDS = {name: replace(SCENES[name], em=(18, 36)) for name in ("upright", "rotated")}
SCENES_IN = {"train": 1500, "valid": 30, "test": 200}  # of each kind
RECIPE = replace(
    PAPERS_RECIPE,
    learning_rate=3e-3,
    steps=4500,
    batch_size=4,
    warmup=0.1,
    validate_every=450,
)
# How far a true box is moved, made longer and higher (in its heights) and turned before it is read.
JITTER_SHIFT, JITTER_WIDTH, JITTER_HEIGHT, JITTER_DEGREES = 0.08, (-0.15, 0.25), (-0.1, 0.15), 4
# Scenes unlike those of the training, but for the first.
UNFAMILIAR = {
    "as trained": KINDS["rotated"],
    "letters of 12 to 17 pixels": replace(KINDS["rotated"], em=(12, 17)),
    "turned up to 80 degrees": replace(KINDS["rotated"], angle=80.0),
    "curved": replace(SCENES["curved"], em=KINDS["rotated"].em),
}
CHANNELS = (8, 24, 48, 64, 96)  # of the shared map's stages at strides 1, 2, 4, 8 and 16
SHARED = 32  # channels of the map itself
FEATURE_STRIDE, CELL_STRIDE = 2, 4  # pixels a cell of the shared map, and of the detector's


class Found(NamedTuple):
    """What was found in one image: quads (n, 4, 2) and their texts."""

    quads: np.ndarray
    texts: list[str]


def shared_map(channels: Sequence[int], out: int) -> Backbone:
    """Grey images (B, 1, H, W) to the map that finds and reads, (B, out, H/2, W/2).

    The papers' is half as fine; their letters have more pixels.
    """
    backbone = Backbone(channels, out)
    backbone.stages[0] = conv(1, channels[0])  # this stage keeps the size: all strides are halved
    return backbone


class CropEncoder(nn.Module):
    """Crops (N, inputs, 16, W) to frames (N, W/2, outputs): FOTS's recognition branch, small."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *conv_bn_relu(inputs, 48),
            nn.MaxPool2d(2),
            *conv_bn_relu(48, 72),
            nn.MaxPool2d((2, 1)),
            *conv_bn_relu(72, 96),
            nn.MaxPool2d((2, 1)),
            *conv_bn_relu(96, 128, (2, 3), (0, 1)),
        )
        self.sequence = BiLSTM(128, outputs)

    def forward(self, crops: Tensor) -> Tensor:
        return self.sequence(self.features(crops).squeeze(2).transpose(1, 2))


class Spotter(nn.Module):
    """Images (B, 1, H, W) to the shared map (B, SHARED, H/2, W/2) and the detector's `EastMaps`.

    Its kinds have `reading_loss(features, words, quads)`, how badly the words of each image are
    read in these quads (n, 4, 2), and `logits(features, quads)`, of all quads in order.
    """

    reading_loss: Callable[..., Tensor]
    logits: Callable[..., Tensor]

    def __init__(self, labels: AttentionLabels | CTCLabels) -> None:
        super().__init__()
        self.labels = labels
        self.shared = shared_map(CHANNELS, SHARED)
        self.detector = EastHead(SHARED, 48)
        self.encoder = CropEncoder(SHARED, 64)

    def forward(self, images: Tensor) -> tuple[Tensor, EastMaps]:
        features = self.shared(images)
        return features, self.detector(features)

    def read(self, features: Tensor, quads: Sequence[Tensor]) -> list[str]:
        """What stands in the quads (n, 4, 2) of all images, one after the other."""
        return self.labels.decode(self.logits(features, quads).argmax(2))


@cache
def spotting_scenes(part: str, kind: str, count: int | None = None) -> SceneSet:
    """The spotters' scenes of a part and kind; None: as many as `SCENES_IN` says."""
    return scene_set(part, count or SCENES_IN[part], KINDS[kind])


class SpottingTask:
    """Learn to find and to read at once, on upright and rotated scenes, half a batch each.

    seed: of the scenes' order and the true boxes' jitter; batch_size: scenes a step.
    count: scenes of each kind to learn from and to validate on; None: as in `SCENES_IN`.
    """

    def __init__(self, seed: int, batch_size: int, count: int | None = None) -> None:
        self.seed, self.batch_size, self.count = seed, batch_size, count

    def loss(self, model: Any, step: int) -> Tensor:
        rng = np.random.default_rng((self.seed, step))
        images, words = [], []
        for kind in KINDS:
            scenes = spotting_scenes("train", kind, self.count)
            picks = rng.choice(len(scenes), self.batch_size // len(KINDS), replace=False)
            images.append(scenes.images[picks])
            words += [scenes.words[i] for i in picks]
        return spotting_loss(model, np.concatenate(images), words, rng)

    def validate(self, model: Any) -> dict[str, float]:
        both = [scores(model, spotting_scenes("valid", kind, self.count)) for kind in KINDS]
        mean = {name: float(np.mean([each[name] for each in both])) for name in both[0]}
        return {name: mean[name] for name in ("f1", "detection_f1", "read")}


def spotting_loss(
    model: Any,
    images: np.ndarray,
    words: Sequence[Sequence[SceneWord]],
    rng: np.random.Generator,
) -> Tensor:
    """L = L_detect + L_recog (FOTS), for images uint8 (B, H, W) and their words."""
    features, maps = model(to_input(images))
    quads = [np.stack([word.quad for word in some]) for some in words]
    true = [torch.from_numpy(to_boxes(each)).float() for each in quads]
    wanted = east_targets(true, tuple(maps.score.shape[-2:]), CELL_STRIDE)
    moved = [torch.from_numpy(jitter(each, rng)).float() for each in quads]
    # The reader learns from true boxes: what is found is wrong for most of the training.
    reading = model.reading_loss(features, words, moved)
    return score_loss(maps, wanted) + box_loss(maps, wanted) + reading


def jitter(quads: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Quads (n, 4, 2) moved, resized and turned by at most the `JITTER` constants."""
    boxes = to_boxes(quads)
    h, n = boxes[:, 3].copy(), len(boxes)
    boxes[:, :2] += JITTER_SHIFT * h[:, None] * rng.uniform(-1, 1, (n, 2))
    boxes[:, 2] += h * rng.uniform(*JITTER_WIDTH, n)
    boxes[:, 3] += h * rng.uniform(*JITTER_HEIGHT, n)
    boxes[:, 4] += np.radians(rng.uniform(-JITTER_DEGREES, JITTER_DEGREES, n))
    return from_boxes(boxes)


@torch.inference_mode()
def spot(model: Any, images: np.ndarray, threshold: float = 0.7) -> list[Found]:
    """Find and read the words of images uint8 (N, H, W); boxes without a text are dropped.

    threshold: least score of a cell that counts, 0 to 1.
    """
    found = []
    for some in np.array_split(images, -(-len(images) // 32)):
        features, maps = model(to_input(some))
        quads = [quads for quads, _ in decode(maps, CELL_STRIDE, threshold)]
        some_found = any(map(len, quads))
        texts = iter(model.read(features, [*map(torch.from_numpy, quads)]) if some_found else ())
        for each in quads:
            pairs = [(quad, text) for quad, text in zip(each, texts, strict=False) if text]
            found.append(Found(as_quads([q for q, _ in pairs]), [text for _, text in pairs]))
    return found


@torch.inference_mode()
def read_true(model: Any, scenes: SceneSet) -> list[list[str]]:
    """What is read in the true quads of scenes: the reader without the detector's faults."""
    read = []
    for picks in np.array_split(np.arange(len(scenes)), -(-len(scenes) // 32)):
        features, _ = model(to_input(scenes.images[picks]))
        quads = [scenes.quads[i] for i in picks]
        texts = iter(model.read(features, [*map(torch.from_numpy, quads)]))
        read += [[next(texts) for _ in q] for q in quads]
    return read


def scores(model: Any, scenes: SceneSet) -> dict[str, float]:
    """How well the words of some scenes are found and read, percent.

    `f1` end to end at IoU 0.5, its 95 % interval `low` to `high`; `detection_f1`, whatever was
    read; and `read`, the share of words read rightly in their true quads.
    """
    found = spot(model.eval(), scenes.images)
    quads = [f.quads for f in found]
    end_to_end = spotting_scores(quads, [f.texts for f in found], scenes.quads, scenes.texts)
    detected = detection_scores(quads, scenes.quads)
    pairs = zip(chain(*read_true(model, scenes)), chain(*scenes.texts), strict=True)
    return {
        "f1": end_to_end.f1,
        "low": end_to_end.low,
        "high": end_to_end.high,
        "detection_f1": detected.f1,
        "read": 100 * float(np.mean([read == true for read, true in pairs])),
    }


def test_scores(model: Any) -> dict[str, float]:
    """`scores` on the test scenes of each kind, named `f1_upright`, `f1_rotated` and so on."""
    both = {kind: scores(model, spotting_scenes("test", kind)) for kind in KINDS}
    return {f"{name}_{kind}": both[kind][name] for name in both["upright"] for kind in KINDS}


def spotter_study(name: str, model: Callable[[], nn.Module]) -> Study:
    """The study of a spotter; all learn alike."""
    recipe = replace(RECIPE, name=name.split("-")[0])
    task = partial(SpottingTask, batch_size=recipe.batch_size)
    return Study(
        name,
        recipe,
        model,
        task,
        test_scores,
        lambda: spotting_scenes("test", "rotated").images,
        spot,
    )


def unfamiliar_scores(models: Mapping[int, nn.Module], count: int) -> pd.DataFrame:
    """`scores` of models, by seed, on `count` test scenes of each kind of `UNFAMILIAR`."""
    lines = [
        {"scenes": name, "seed": seed, **scores(model, scene_set("test", count, settings))}
        for name, settings in UNFAMILIAR.items()
        for seed, model in models.items()
    ]
    return pd.DataFrame(lines)
