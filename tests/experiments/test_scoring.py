"""Words and syllables alone are drawn, scored and weighted as the paper's test set was."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ocrkit.data.cache import load_pixels
from ocrkit.experiments import scoring
from ocrkit.experiments.datasets import plan, prepare
from ocrkit.experiments.grid import Run
from ocrkit.experiments.presets import KINDS, get_preset
from ocrkit.experiments.results import ALONE_COLUMNS, assemble
from ocrkit.experiments.runner import run_one
from ocrkit.experiments.scoring import PAPER_IMAGES, paper_weighted
from ocrkit.labels import label_of


@pytest.fixture(scope="module")
def mixed(tiny):
    return replace(tiny, words_per_label=2, word_images=6, syllable_images=5, image_width=64)


@pytest.fixture(scope="module")
def sets(mixed, tmp_path_factory):
    return prepare(mixed, tmp_path_factory.mktemp("mixed"))


def test_words_and_syllables_alone(mixed, sets):
    words, syllables = sets.open("test-word").texts(), sets.open("test-syllable").texts()
    assert (len(words), len(syllables)) == (6, 5)
    assert set(words) <= set(plan(mixed).words["test"])
    assert all(len(one) == 1 and one in sets.charset for one in syllables)
    # Stretched to the full width they leave no margin; in their own shape they do.
    stretched = load_pixels(sets.open("test-syllable"), 64).pixels
    own = load_pixels(sets.open("test-syllable"), 64, pad=True).pixels
    assert stretched.shape == own.shape == (5, 32, 64)
    assert (own[:, :, -1:] == own[:, :, -8:]).all()
    assert not (stretched[:, :, -1:] == stretched[:, :, -8:]).all()


def test_other_sets_do_not_change(mixed):
    without = replace(mixed, word_images=0, syllable_images=0)
    more, less = plan(mixed).generations, plan(without).generations
    assert set(more) - set(less) == {"test-word", "test-syllable"}
    assert {name: more[name] for name in less} == less


def test_no_label_is_longer_than_the_models_can_write():
    for name in ("mini", "mix", "paper-v2"):
        preset = get_preset(name)
        words = plan(replace(preset, fonts="koreanize")).words
        longest = max(len(label_of(word)) for part in words.values() for word in part)
        assert longest * preset.words_per_label <= preset.max_length


def test_accuracy_counts_the_scored_kinds(tiny, monkeypatch):
    """A reader of basic images alone: the training kinds if none are named, else those named."""
    sets = SimpleNamespace(open=lambda name: name)

    def images(name, width, pad):
        return SimpleNamespace(pixels=name, texts=["가", "나"])

    def read(model, converter, pixels):
        return SimpleNamespace(texts=["가", "나"] if "basic" in pixels else ["다", "라"])

    monkeypatch.setattr(scoring, "load_pixels", images)
    monkeypatch.setattr(scoring, "read_all", read)
    row, five = (
        scoring.test_scores(None, None, preset, sets)
        for preset in (tiny, replace(tiny, scored_kinds=KINDS))
    )
    assert (row["accuracy"], row["test_images"]) == (50, 4)  # basic and skew
    assert (five["accuracy"], five["test_images"]) == (20, 10)
    assert row["accuracy_five"] == five["accuracy_five"] == 20
    assert get_preset("sentence").scored_kinds == KINDS


def test_the_row_tells_the_parts_and_the_mix(mixed, sets, tmp_path):
    row = run_one(mixed, sets, Run("None-VGG-None-CTC", 1), tmp_path)
    assert row["status"] == "ok", row["error"]
    assert set(ALONE_COLUMNS) <= set(row)
    parts = {"sentence": "five", "word": "word", "syllable": "syllable"}
    expected = sum(PAPER_IMAGES[p] * row[f"accuracy_{c}"] for p, c in parts.items()) / 92_700
    assert row["accuracy_mix"] == pytest.approx(expected)
    assert set(ALONE_COLUMNS) <= set(assemble(tmp_path)[0].columns)


def test_rows_without_such_sets_have_no_such_columns(tiny, data, tmp_path):
    run_one(tiny, data, Run("None-VGG-None-CTC", 1), tmp_path)
    assert not set(ALONE_COLUMNS) & set(assemble(tmp_path)[0].columns)


def test_the_papers_weights():
    assert paper_weighted({"sentence": 50.0, "word": 50.0, "syllable": 50.0}) == pytest.approx(50)
    # Sentences are 2.9 % of the images.
    mix = paper_weighted({"sentence": 100.0, "word": 0.0, "syllable": 0.0})
    assert mix == pytest.approx(2.9, abs=0.02)
