"""Words and syllables alone are drawn, scored and weighted as the paper's test set was."""

from dataclasses import replace

import pytest

from ocrkit.data.cache import load_pixels
from ocrkit.experiments.datasets import plan, prepare
from ocrkit.experiments.grid import Run
from ocrkit.experiments.presets import get_preset
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
