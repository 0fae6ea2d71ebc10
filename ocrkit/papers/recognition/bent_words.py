"""Words that are turned and bent, for MORAN and ASTER: images, batches, the test set."""

from collections.abc import Container, Sequence
from dataclasses import replace
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.data.batches import Batch, Batches
from ocrkit.models.features import conv_bn_relu
from ocrkit.papers.recognition.word_readers import as_pixels, evaluate, read_words
from ocrkit.papers.shared.scene_sets import WordSet, word_set
from ocrkit.synth.scenes import SCENES
from ocrkit.training import Recipe

# Rows and columns of the image, of what the reader gets, and of the copy on which a rectifier
# decides: edges are coarse, letters are not.
IMAGE_SIZE, READER_SIZE, COPY_SIZE = (64, 96), (32, 96), (32, 48)
KINDS = {
    "bent": replace(
        SCENES["curved"], curved_share=1.0, arc=(80.0, 160.0), wave=(0.3, 0.6), angle=60.0
    ),
    "upright": SCENES["upright"],
}
# AdamW moves every weight by about the learning rate, whatever its gradient. The many weights
# behind one offset or control point would throw it across the image in a step; a fifth of their
# sum moves by a fifth.
OFFSET_SCALE = 0.2


class UprightThenBent:
    """Batches: upright words for a share of the steps, then bent ones; a function of (seed, step).

    images: bent ones to learn from; half as many upright ones.
    upright: share of the steps with upright words.
    """

    def __init__(self, seed: int, recipe: Recipe, images: int, upright: float) -> None:
        self.upright_steps = round(upright * recipe.steps)
        self.upright, self.bent = (
            Batches([as_pixels(words("train", kind, count))], recipe.batch_size, seed)
            for kind, count in (("upright", images // 2), ("bent", images))
        )
        self.valid = words("valid", "bent", 200)

    def __getitem__(self, step: int) -> Batch:
        return (self.upright if step < self.upright_steps else self.bent)[step]

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Accuracy and character error rate (percent) on bent words never seen."""
        found = evaluate(read_words(model, self.valid), self.valid)
        return {f"valid_{name}": found[name] for name in ("accuracy", "cer")}


def rectifier_layers(channels: Sequence[int], pooled: Container[int]) -> list[nn.Module]:
    """3x3 convolutions with norms and ReLU; those of the numbers `pooled` see a halved map."""
    layers: list[nn.Module] = []
    for index, (before, after) in enumerate(pairwise((1, *channels))):
        layers += [nn.MaxPool2d(2)] if index in pooled else []
        layers += conv_bn_relu(before, after)
    return layers


def small_copy(images: Tensor) -> Tensor:
    """Images (B, 1, H, W) at `COPY_SIZE`, where few layers see from edge to edge."""
    return F.interpolate(images, COPY_SIZE, mode="bilinear", align_corners=False)


def words(part: str, kind: str, count: int) -> WordSet:
    """Word images (64, 96) of a part ("train", "valid" or "test") and a kind of `KINDS`."""
    return word_set(part, count, KINDS[kind], IMAGE_SIZE)


def unseen_words(kind: str = "bent", count: int = 600) -> WordSet:
    """Images of words that no training image holds."""
    return words("test", kind, count)


def evaluate_unseen(model: nn.Module) -> dict[str, float]:
    """Accuracy on unseen bent words, with its interval, and on upright ones (percent)."""
    bent, upright = unseen_words(), unseen_words("upright")
    return {
        **evaluate(read_words(model, bent), bent),
        "upright_accuracy": evaluate(read_words(model, upright), upright)["accuracy"],
    }
