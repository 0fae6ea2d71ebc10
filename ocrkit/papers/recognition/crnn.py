"""CRNN: convolutions, a BiLSTM and CTC in one network, trained together.

Shi, Bai and Yao, "An End-to-End Trainable Neural Network for Image-based Sequence Recognition"
(TPAMI 2017). It is a member of the grid: None-VGG-BiLSTM-CTC. CTC itself is in `ctc.py`.
"""

from functools import partial

import torch

from ocrkit.data.batches import Batches
from ocrkit.data.cache import Pixels, to_input
from ocrkit.labels import CTCLabels
from ocrkit.metrics import Scores, score
from ocrkit.models import Recognizer
from ocrkit.papers.shared.scene_sets import WordSet, vocabulary, word_set
from ocrkit.papers.shared.study import Study
from ocrkit.synth.scenes import SCENES
from ocrkit.training import Recipe, read_all
from ocrkit.training.trainer import Reading

SIZE = (32, 64)  # rows and columns of a word image: at most four syllables, 15 frames
_IMAGES, _VALID, _TEST, _HARD = 12_000, 200, 1_000, 300


def read_words(model: Recognizer, part: str, count: int, scene: str = "upright") -> Scores:
    """Score a reader on the word images 0 to `count` of a part, drawn as in a kind of scene.

    Args:
        part: "valid" or "test", never seen in training.
        scene: "upright", "rotated" or "curved", of `SCENES`.
    """
    words = word_set(part, count, SCENES[scene], SIZE)
    return score(read_all(model, labels(), words.images).texts, words.texts)


def word_reading(
    seed: int, images: int = _IMAGES, scene: str = "upright", batch_size: int = 16
) -> Reading:
    """The task: read words; followed on words that training never shows.

    Args:
        seed: what the order of the images depends on.
        images: how many are drawn to train on.
        scene: how they are drawn, of `SCENES`.
    """
    train = _pixels(word_set("train", images, SCENES[scene], SIZE))
    valid = _pixels(word_set("valid", min(images, _VALID), SCENES[scene], SIZE))
    return Reading(labels(), Batches([train], batch_size, seed), valid)


def reader(name: str, seed: int) -> Recognizer:
    """A reader of the grid at a quarter of its width, for the papers' word images."""
    torch.manual_seed(seed)
    height, width = SIZE
    return Recognizer(
        name,
        classes=labels().classes,
        max_length=4,
        image_width=width,
        image_height=height,
        width=0.25,
    )


def exam(model: Recognizer, scene: str = "upright") -> dict[str, float]:
    """Percent of unseen words read, and CER, as drawn in training; then in the other scenes."""
    known = read_words(model, "test", _TEST, scene)
    others = {name: read_words(model, "test", _HARD, name) for name in SCENES if name != scene}
    return {
        "accuracy": known.accuracy,
        "cer": 100 * known.cer,
        **{name: marks.accuracy for name, marks in others.items()},
    }


def read_one(model: Recognizer, number: int) -> str:
    """Read test image `number`."""
    image = word_set("test", _HARD, size=SIZE).images[[number % _HARD]]
    with torch.inference_mode():
        return labels().decode(model(to_input(image)).argmax(2))[0]


def labels() -> CTCLabels:
    """The ids of the papers' 80 syllables."""
    return CTCLabels(vocabulary().charset)


def _pixels(words: WordSet) -> Pixels:
    return Pixels(words.images, list(words.texts), [])


RECIPE = Recipe(
    "words",
    "adamw",
    2e-3,
    steps=4_500,
    batch_size=16,
    one_cycle=True,
    warmup=0.1,
    weight_decay=0.01,
    precision="auto",
    validate_every=300,
)
STUDIES = {
    "crnn": Study(
        "crnn",
        RECIPE,
        partial(reader, "None-VGG-BiLSTM-CTC"),
        word_reading,
        exam,
        read_one,
    )
}
