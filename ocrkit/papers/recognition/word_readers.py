"""What the readers of words share: labels, recipes, tests and studies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

from ocrkit.data.batches import Batches
from ocrkit.data.cache import Pixels
from ocrkit.labels import AttentionLabels, CTCLabels
from ocrkit.metrics import Scores, score
from ocrkit.models import Recognizer
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
    count = TEST_IMAGES["other scenes"]
    others = {name: score_ctc(model, "test", count, name) for name in SCENES if name != scene}
    return {
        "accuracy": known.accuracy,
        "cer": 100 * known.cer,
        **{name: scores.accuracy for name, scores in others.items()},
    }


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
