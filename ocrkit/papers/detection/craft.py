"""CRAFT: a heat map of characters, and one of what links them to words.

Baek et al., "Character Region Awareness for Text Detection" (CVPR 2019), on the small backbone that
all detectors of the reading list share.
"""

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from ocrkit.data.cache import to_input
from ocrkit.papers.detection.craft_maps import draw_maps, find_words, scene_maps
from ocrkit.papers.detection.craft_weak import confidence_map, guess_characters
from ocrkit.papers.detection.detectors import TRAIN, VALID, detector_study, f1_scores
from ocrkit.papers.shared.backbone import Backbone, conv
from ocrkit.papers.shared.scene_sets import SceneSet, scene_set
from ocrkit.synth.scenes import SCENES, SceneSettings

_CHUNK = 32  # images a forward pass
WEAK_FROM = 120  # steps with strong scenes alone, until the model can guess
CURVED = SCENES["curved"]


class Craft(nn.Module):
    """Grey images (B, 1, H, W), -1 to 1, to region and affinity scores (B, 2, H/2, W/2)."""

    def __init__(self, channels: tuple[int, ...] = (16, 32, 64, 96), width: int = 32) -> None:
        super().__init__()
        self.backbone = Backbone(channels, width)
        # Four scores a place of stride 4, laid out as 2 x 2 places of stride 2.
        self.head = nn.Sequential(
            conv(width, width), nn.Conv2d(width, 2 * 4, 1), nn.PixelShuffle(2)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images))


def craft_loss(scores: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """The weighted squared error, summed over both maps, mean over pixels.

    scores, targets: (B, 2, h, w).
    weights: (B, h, w), the confidence of each pixel; 1 where characters were marked.
    """
    # L = Σ_p S_c(p) · (‖S_r(p) - S_r*(p)‖² + ‖S_a(p) - S_a*(p)‖²)
    return (weights * (scores.float() - targets).square().sum(1)).mean()


@torch.inference_mode()
def predict_maps(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """Region and affinity scores, float32 (N, 2, H / 2, W / 2), of images uint8 (N, H, W)."""
    model.eval()
    parts = [np.array(images[i : i + _CHUNK]) for i in range(0, len(images), _CHUNK)]
    return np.concatenate([model(to_input(p)).float().numpy() for p in parts])


def detect(model: nn.Module, images: np.ndarray) -> list[np.ndarray]:
    """Words found in images uint8 (N, H, W): quads (n, 4, 2) for each."""
    return [find_words(maps) for maps in predict_maps(model, images)]


class CraftTask:
    """Learn both maps from character quads, and from words alone where some scenes have no more.

    seed: of the order of the scenes; batch_size: scenes a step.
    strong: scenes with character quads.
    weak: scenes with the words' quads and lengths alone; half of each batch from `WEAK_FROM` on.
    count, valid: scenes of each sort to learn from, and to validate on.
    """

    def __init__(
        self,
        seed: int,
        batch_size: int,
        strong: SceneSettings,
        weak: SceneSettings | None = None,
        count: int = TRAIN,
        valid: int = VALID,
    ) -> None:
        self.seed, self.batch_size = seed, batch_size
        self.strong = scene_set("train", count, strong)
        self.weak = scene_set("train", count, weak) if weak else None
        self.valid = scene_set("valid", valid, CURVED)
        size = self.strong.images.shape[1:]
        # As bytes, 255 for 1: all maps stay in memory.
        maps = (np.uint8(255 * scene_maps(words, size) + 0.5) for words in self.strong.words)
        self.maps = np.stack(list(maps))

    def loss(self, model: nn.Module, step: int) -> Tensor:
        rng = np.random.default_rng((self.seed, step))
        weak_set = self.weak if step >= WEAK_FROM else None
        weak = self.batch_size // 2 if weak_set else 0
        picks = rng.choice(len(self.maps), self.batch_size - weak, replace=False)
        images, targets = self.strong.images[picks], self.maps[picks] / 255
        weights = np.ones_like(targets[:, 0])
        if weak_set:
            more = weak_batch(model, weak_set, rng.choice(len(weak_set), weak, replace=False))
            pairs = zip((images, targets, weights), more, strict=True)
            images, targets, weights = map(np.concatenate, pairs)
        truth = (torch.from_numpy(np.float32(t)) for t in (targets, weights))
        return craft_loss(model(to_input(images)), *truth)

    def validate(self, model: nn.Module) -> dict[str, float]:
        return f1_scores(detect, model, self.valid)


def weak_batch(
    model: nn.Module, scenes: SceneSet, picks: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, targets and weights of scenes whose characters the (interim) model guesses."""
    images = scenes.images[picks]
    size = images.shape[1:]
    regions = predict_maps(model, images)[:, 0]
    model.train()
    targets, weights = [], []
    for region, pick in zip(regions, picks, strict=True):
        words = scenes.words[pick]
        guesses = [guess_characters(region, word.quad, len(word.text)) for word in words]
        targets.append(draw_maps((quads for quads, _ in guesses), size))
        weights.append(confidence_map([w.quad for w in words], [sure for _, sure in guesses], size))
    return images, np.stack(targets), np.stack(weights)


# All are tested on curved scenes. The second has seen upright ones alone; the third besides has
# seen curved ones of which it knew the words' quads and lengths.
STUDIES = {
    name: detector_study(name, Craft, partial(CraftTask, **scenes), detect, CURVED, steps=600)
    for name, scenes in {
        "craft": {"strong": CURVED},
        "craft-upright": {"strong": SCENES["upright"]},
        "craft-weak": {"strong": SCENES["upright"], "weak": CURVED},
    }.items()
}
