"""What the readers of words with attention share (FAN, MORAN, ASTER): labels, recipe, exam."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from torch import manual_seed, nn

from ocrkit.labels import AttentionLabels
from ocrkit.metrics import score
from ocrkit.papers.shared.scene_sets import WordSet, vocabulary
from ocrkit.papers.shared.study import Study
from ocrkit.training import Recipe, Task, read_all

LONGEST = 4  # characters of a word
RECIPE = Recipe(
    "papers",
    "adamw",
    2e-3,
    steps=3000,
    batch_size=16,
    one_cycle=True,
    weight_decay=0.01,
    precision="auto",
    validate_every=300,
)


def labels() -> AttentionLabels:
    """Ids of the 80 syllables, for words of at most four."""
    return AttentionLabels(vocabulary().charset, LONGEST)


def read_words(model: nn.Module, words: WordSet) -> list[str]:
    """What a model reads in word images."""
    return read_all(model, labels(), words.images).texts


def read_one(model: nn.Module, number: int, exam: Callable[[], WordSet]) -> list[str]:
    """Image `number` of an exam, counted round and round, read alone."""
    words = exam()
    row = number % len(words)
    return read_all(model, labels(), words.images[row : row + 1]).texts


def marks(said: Sequence[str], words: WordSet) -> dict[str, float]:
    """Accuracy (percent) with its 95 % interval, and the character error rate (percent)."""
    scores = score(said, words.texts)
    return {
        "accuracy": scores.accuracy,
        "low": scores.low,
        "high": scores.high,
        "cer": 100 * scores.cer,
    }


def word_study(
    name: str,
    model: Callable[[int], nn.Module],
    task: Callable[[int, Recipe], Task],
    test: Callable[[nn.Module], Mapping[str, float]],
    exam: Callable[[], WordSet],
    recipe: Recipe = RECIPE,
) -> Study:
    """A study of a reader of words.

    Args:
        model: number of classes -> a model with fresh weights.
        task: seed and recipe -> what it learns.
        exam: the images that `ms_image` is measured on.
    """

    def make(seed: int) -> nn.Module:
        manual_seed(seed)
        made = model(labels().classes)
        manual_seed(seed)  # whatever its size, from here on every variant draws the same numbers
        return made

    def task_of(seed: int) -> Task:
        return task(seed, recipe)

    return Study(name, recipe, make, task_of, test, partial(read_one, exam=exam))
