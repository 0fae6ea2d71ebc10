"""Words that are turned and bent, for MORAN and ASTER: images, lessons, exam.

A reader wants its text level and as high as its input. These words are neither, so that much can be
won by moving their pixels.
"""

from dataclasses import replace
from functools import cache

from torch import Tensor
from torch.nn import functional as F

from ocrkit.data.batches import Batch, Batches
from ocrkit.papers.recognition.attention import as_pixels
from ocrkit.papers.shared.scene_sets import WordSet, word_set
from ocrkit.synth.scenes import SCENES
from ocrkit.training import Recipe

SEEN, READ = (64, 96), (32, 96)  # rows and columns of the image, and of what the reader gets
# Rows and columns of the copy on which a rectifier decides: edges are coarse, letters are not.
COPY = (SEEN[0] // 2, SEEN[1] // 2)
KINDS = {
    "bent": replace(
        SCENES["curved"], curved_share=1.0, arc=(80.0, 160.0), wave=(0.3, 0.6), angle=60.0
    ),
    "upright": SCENES["upright"],
}


class Lessons:
    """Images to learn from: upright words first, then bent ones.

    Every model with the same seed sees the same ones in the same order.

    Args:
        images: bent ones; half as many upright ones.
        upright: share of the steps with upright words.

    Attributes:
        valid: bent words to be judged on.
    """

    def __init__(self, seed: int, recipe: Recipe, images: int, upright: float) -> None:
        self.easy = round(upright * recipe.steps)
        self.upright, self.bent = (
            Batches([as_pixels(words("train", kind, count))], recipe.batch_size, seed)
            for kind, count in (("upright", images // 2), ("bent", images))
        )
        self.valid = words("valid", "bent", 200)

    def __getitem__(self, step: int) -> Batch:
        return (self.upright if step < self.easy else self.bent)[step]


def small_copy(images: Tensor) -> Tensor:
    """Images (B, 1, H, W) at half their size, where few layers see from edge to edge."""
    return F.interpolate(images, COPY, mode="bilinear", align_corners=False)


def words(part: str, kind: str, count: int) -> WordSet:
    """Word images of a kind of `KINDS`, 64 x 96."""
    return word_set(part, count, KINDS[kind], SEEN)


@cache
def exam_words(kind: str = "bent", count: int = 600) -> WordSet:
    """Images of words that no training image holds."""
    return words("test", kind, count)
