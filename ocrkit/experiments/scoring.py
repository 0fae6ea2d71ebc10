"""The scores of a trained model: one reading of every test set."""

from functools import cache
from itertools import chain

import torch

from ocrkit.data.cache import load_pixels
from ocrkit.experiments.datasets import DataSets
from ocrkit.experiments.presets import KINDS, Preset
from ocrkit.metrics import Scores, score
from ocrkit.training import read_all
from ocrkit.training.losses import Converter

# The images of the paper's test set as it describes them (sentences are of all five kinds).
PAPER_IMAGES = {"sentence": 2_700, "word": 30_000, "syllable": 60_000}


def test_scores(
    model: torch.nn.Module, converter: Converter, preset: Preset, data: DataSets
) -> dict[str, float]:
    """The scores of a row: unseen words by kind, the scored kinds together, and seen words.

    Where the preset has them, also words and syllables alone, stretched to the full width as in the
    paper; and, to tell the stretching from the shortness, the same images in their own shape, with
    the last column repeated to the right.
    """

    @cache
    def read(name: str, pad: bool = False) -> tuple[list[str], list[str]]:
        images = load_pixels(data.open(name), preset.image_width, pad=pad)
        return read_all(model, converter, images.pixels).texts, images.texts

    def of(*names: str, pad: bool = False) -> Scores:
        """The scores of several sets taken together."""
        sets = [read(name, pad) for name in names]
        return score(*(list(chain(*texts)) for texts in zip(*sets, strict=True)))

    accuracy = {kind: of(f"test-{kind}").accuracy for kind in KINDS}
    together = of(*(f"test-{kind}" for kind in preset.scored_kinds or preset.train_kinds))
    scores = {
        "accuracy": together.accuracy,
        "accuracy_low": together.low,
        "accuracy_high": together.high,
        **{f"accuracy_{kind}": value for kind, value in accuracy.items()},
        "accuracy_five": sum(accuracy.values()) / len(accuracy),
        "accuracy_seen": of(*(f"seen-{kind}" for kind in preset.train_kinds)).accuracy,
        "cer": together.cer,
        "norm_ed_icdar": together.norm_ed_icdar,
        "norm_ed_fork_sum": together.norm_ed_fork_sum,
        "jamo_error": together.jamo_error,
        "test_images": together.images,
    }
    if preset.word_images and preset.syllable_images:
        for part in ("word", "syllable"):
            scores[f"accuracy_{part}"] = of(f"test-{part}").accuracy
            scores[f"accuracy_{part}_padded"] = of(f"test-{part}", pad=True).accuracy
        parts = {"sentence": "five", "word": "word", "syllable": "syllable"}
        weighted = {part: scores[f"accuracy_{name}"] for part, name in parts.items()}
        scores["accuracy_mix"] = paper_weighted(weighted)
    return scores


def paper_weighted(accuracy: dict[str, float]) -> float:
    """The accuracy on a mix of sentences, words and syllables in the paper's numbers, percent.

    accuracy: percent, for each key of `PAPER_IMAGES`.
    """
    total = sum(PAPER_IMAGES.values())
    return sum(PAPER_IMAGES[part] * value for part, value in accuracy.items()) / total
