"""What the readers of words share: labels, recipes, tests, studies and a small attention reader."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ocrkit.data.batches import Batches
from ocrkit.data.cache import Pixels
from ocrkit.labels import AttentionLabels, CTCLabels
from ocrkit.metrics import Scores, score
from ocrkit.models.features import conv_bn_relu
from ocrkit.models.prediction import Attention, AttentionOutput
from ocrkit.models.recognizer import Recognizer, initialise
from ocrkit.models.sequence import BiLSTM
from ocrkit.papers.shared.scene_sets import WordSet, vocabulary, word_set
from ocrkit.papers.shared.study import RECIPE, Study
from ocrkit.synth.scenes import SCENES
from ocrkit.training import Recipe, Task, read_all
from ocrkit.training.trainer import ReadingTask

MAX_LENGTH = 4  # characters of a word
CTC_RECIPE = replace(RECIPE, name="words", steps=4500, warmup=0.1)
CTC_SIZE = (32, 64)  # rows and columns of the CTC readers' images: 15 frames for 4 syllables
TRAIN_IMAGES, VALID_IMAGES = 12_000, 200
TEST_IMAGES = {"as trained": 1000, "other scenes": 300}


def ctc_labels() -> CTCLabels:
    """The ids of the papers' 80 syllables, for CTC."""
    return CTCLabels(vocabulary().charset)


def attention_labels() -> AttentionLabels:
    """The ids of the papers' 80 syllables, for attention and words of at most four."""
    return AttentionLabels(vocabulary().charset, MAX_LENGTH)


def as_pixels(words: WordSet) -> Pixels:
    """Word images as `Batches` and `ReadingTask` take them."""
    return Pixels(words.images, list(words.texts), [])


def read_words(model: nn.Module, words: WordSet) -> list[str]:
    """What an attention reader reads in word images."""
    return read_all(model, attention_labels(), words.images).texts


def evaluate(texts: Sequence[str], words: WordSet) -> dict[str, float]:
    """Accuracy (percent) with its 95 % interval, and the character error rate (percent)."""
    scores = score(texts, words.texts)
    return {
        "accuracy": scores.accuracy,
        "low": scores.low,
        "high": scores.high,
        "cer": 100 * scores.cer,
    }


def fractional_pickup(alpha: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Mix two neighbouring attention weights of each row in a random ratio: (B, T) -> (B, T).

    Luo, Jin and Sun (MORAN, Pattern Recognition, 2019). A row's sum does not change.
    """
    rows, frames = alpha.shape
    device = alpha.device
    k = torch.randint(frames - 1, (rows, 1), generator=generator, device=device)
    beta = torch.rand(rows, 1, generator=generator, device=device, dtype=alpha.dtype)
    left, right = alpha.gather(1, k), alpha.gather(1, k + 1)
    # alpha'_k     = beta alpha_k + (1 - beta) alpha_(k+1)
    # alpha'_(k+1) = (1 - beta) alpha_k + beta alpha_(k+1)
    change = (1 - beta) * (right - left)
    return alpha.scatter_add(1, k, change).scatter_add(1, k + 1, -change)


class AttentionReader(nn.Module):
    """Word images (B, 1, 32, W) -> logits: convolutions, a BiLSTM and an `Attention` head.

    The head of the 24 on few convolutions: what FAN, MORAN and ASTER read with.
    classes, output_context: as for `Attention`.
    max_length: characters of the longest label.
    The first `fine_layers` layers of `features` give maps (B, fine_channels, 8, W / 4).
    """

    def __init__(self, classes: int, max_length: int, output_context: bool = False) -> None:
        super().__init__()
        self.max_length = max_length
        fine = [
            *conv_bn_relu(1, 16),
            nn.MaxPool2d(2),
            *conv_bn_relu(16, 32),
            nn.MaxPool2d(2),
            *conv_bn_relu(32, 64),
            *conv_bn_relu(64, 64),
        ]
        coarse = [
            nn.MaxPool2d((2, 1)),
            *conv_bn_relu(64, 128),
            nn.MaxPool2d((2, 1)),
            *conv_bn_relu(128, 128),
        ]
        self.fine_layers, self.fine_channels = len(fine), 64
        self.features = nn.Sequential(*fine, *coarse)
        self.sequence = BiLSTM(128, 96)
        self.head = Attention(96, 96, classes, output_context)
        initialise(self)

    def frames(self, maps: Tensor) -> Tensor:
        """The features' maps (B, C, 2, W / 4) -> the decoder's frames (B, W / 4, hidden)."""
        return self.sequence(maps.mean(dim=2).transpose(1, 2))

    def decode(
        self, images: Tensor, text: Tensor | None = None, pickup: bool = False
    ) -> AttentionOutput:
        """Images (B, 1, 32, W) -> max_length + 1 steps.

        text: as for the head. pickup: mix neighbouring weights at random (`fractional_pickup`).
        """
        frames = self.frames(self.features(images))
        change = {"change": fractional_pickup} if pickup else {}
        return self.head.decode(frames, text, self.max_length + 1, stop=False, **change)

    def forward(self, images: Tensor, text: Tensor | None = None) -> Tensor:
        """Images (B, 1, 32, W) -> logits (B, max_length + 1, classes)."""
        return self.decode(images, text).logits


def attention_studies(
    name: str,
    model: Callable[[int, bool], nn.Module],
    task: Callable[..., Task],
    test: Callable[[Any], Mapping[str, float]],
    test_set: Callable[[], WordSet],
    recipe: Recipe = RECIPE,
) -> dict[str, Study]:
    """The studies NAME and NAME-plain: a reader with attention, and one without the paper's idea.

    model: number of classes, with the idea or not -> a model with fresh weights.
    task: seed and recipe -> what it learns.
    test_set: the images that `ms_image` is measured on.
    """

    def study(name: str, whole: bool) -> Study:
        return Study(
            name,
            recipe,
            lambda: model(attention_labels().classes, whole),
            partial(task, recipe=recipe),
            test,
            lambda: test_set().images,
            lambda model, images: read_all(model, attention_labels(), images).texts,
        )

    plain = f"{name}-plain"
    return {name: study(name, True), plain: study(plain, False)}


def grid_reader(name: str) -> Recognizer:
    """A CTC reader of the grid at a quarter of its width, for images of `CTC_SIZE`."""
    height, width = CTC_SIZE
    sizes = {"image_width": width, "image_height": height, "width": 0.25}
    return Recognizer(name, classes=ctc_labels().classes, max_length=MAX_LENGTH, **sizes)


def ctc_word_set(part: str, count: int, scene: str = "upright") -> WordSet:
    """Word images 0 to `count` of a part, drawn as in a kind of scene of `SCENES`."""
    return word_set(part, count, SCENES[scene], CTC_SIZE)


def score_ctc(model: Recognizer, part: str, count: int, scene: str = "upright") -> Scores:
    """Score a CTC reader on `ctc_word_set`."""
    words = ctc_word_set(part, count, scene)
    return score(read_all(model, ctc_labels(), words.images).texts, words.texts)


def ctc_task(
    seed: int, images: int = TRAIN_IMAGES, scene: str = "upright", batch_size: int = 16
) -> ReadingTask:
    """Learn to read `images` words in an order that depends on the seed."""
    train = as_pixels(ctc_word_set("train", images, scene))
    valid = as_pixels(ctc_word_set("valid", min(images, VALID_IMAGES), scene))
    return ReadingTask(ctc_labels(), Batches([train], batch_size, seed), valid)


def evaluate_ctc(model: Recognizer, scene: str = "upright") -> dict[str, float]:
    """Percent of unseen words read, and CER, as drawn in training; then in the other scenes."""
    known = score_ctc(model, "test", TEST_IMAGES["as trained"], scene)
    others = {
        name: score_ctc(model, "test", TEST_IMAGES["other scenes"], name).accuracy
        for name in SCENES
        if name != scene
    }
    return {"accuracy": known.accuracy, "cer": 100 * known.cer, **others}


def ctc_study(
    name: str, model: Callable[[], Recognizer], recipe: Recipe, scene: str = "upright"
) -> Study:
    """A study of a CTC reader on words drawn as in a kind of scene."""
    return Study(
        name,
        recipe,
        model,
        partial(ctc_task, scene=scene),
        partial(evaluate_ctc, scene=scene),
        lambda: ctc_word_set("test", TEST_IMAGES["other scenes"]).images,
        lambda model, images: read_all(model, ctc_labels(), images).texts,
    )
