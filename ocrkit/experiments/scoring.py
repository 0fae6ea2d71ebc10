"""The scores of a trained model: one reading of every test set."""

import torch

from ocrkit.data.cache import Pixels, load_pixels
from ocrkit.experiments.datasets import DataSets
from ocrkit.experiments.presets import KINDS, Preset
from ocrkit.metrics import score
from ocrkit.training import read_all
from ocrkit.training.losses import Converter

# The images of the paper's test set as it describes them (sentences are of all five kinds).
PAPER_IMAGES = {"sentence": 2_700, "word": 30_000, "syllable": 60_000}


def test_scores(
    model: torch.nn.Module, converter: Converter, preset: Preset, data: DataSets
) -> dict[str, float]:
    """The scores of a row: unseen words by kind, the training kinds together, and seen words.

    Where the preset has them, also words and syllables alone (see `_alone_scores`).
    """

    def read(names: list[str]) -> tuple[list[str], list[str]]:
        read_as, true = [], []
        for name in names:
            images = load_pixels(data.open(name), preset.image_width)
            read_as += _read(model, converter, images)
            true += images.texts
        return read_as, true

    by_kind = {kind: read([f"test-{kind}"]) for kind in KINDS}
    accuracy = {kind: score(*texts).accuracy for kind, texts in by_kind.items()}
    inside = score(*read([f"test-{kind}" for kind in preset.train_kinds]))
    seen = score(*read([f"seen-{kind}" for kind in preset.train_kinds]))
    scores = {
        "accuracy": inside.accuracy,
        "accuracy_low": inside.low,
        "accuracy_high": inside.high,
        **{f"accuracy_{kind}": value for kind, value in accuracy.items()},
        "accuracy_five": sum(accuracy.values()) / len(accuracy),
        "accuracy_seen": seen.accuracy,
        "cer": inside.cer,
        "norm_ed_icdar": inside.norm_ed_icdar,
        "norm_ed_fork_sum": inside.norm_ed_fork_sum,
        "jamo_error": inside.jamo_error,
        "test_images": inside.images,
    }
    if preset.word_images and preset.syllable_images:
        scores |= _alone_scores(model, converter, preset, data)
        parts = {"sentence": "five", "word": "word", "syllable": "syllable"}
        scores["accuracy_mix"] = paper_weighted(
            {part: scores[f"accuracy_{name}"] for part, name in parts.items()}
        )
    return scores


def paper_weighted(accuracy: dict[str, float]) -> float:
    """The accuracy on a mix of sentences, words and syllables in the paper's numbers, percent.

    Args:
        accuracy: percent, for each key of `PAPER_IMAGES`.
    """
    total = sum(PAPER_IMAGES.values())
    return sum(PAPER_IMAGES[part] * value for part, value in accuracy.items()) / total


def _alone_scores(
    model: torch.nn.Module, converter: Converter, preset: Preset, data: DataSets
) -> dict[str, float]:
    """Accuracy on single words and syllables, stretched to the full width as in the paper.

    And, to tell the stretching from the shortness: the same images in their own shape, with the
    last column repeated to the right.
    """
    scores = {}
    for part in ("word", "syllable"):
        for pad in (False, True):
            images = load_pixels(data.open(f"test-{part}"), preset.image_width, pad=pad)
            found = score(_read(model, converter, images), images.texts)
            scores[f"accuracy_{part}{'_padded' if pad else ''}"] = found.accuracy
    return scores


def _read(model: torch.nn.Module, converter: Converter, images: Pixels) -> list[str]:
    return read_all(model, converter, images.pixels).texts
