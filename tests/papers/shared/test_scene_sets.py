"""The papers' scenes and word images."""

import numpy as np
import pytest

from ocrkit.experiments.datasets import plan
from ocrkit.experiments.presets import PRESETS
from ocrkit.papers.shared.scene_sets import PARTS, scene_set, vocabulary, word_set
from ocrkit.synth.scenes import SCENES


def test_the_vocabulary_is_that_of_mini():
    mini = plan(PRESETS["mini"])
    ours = vocabulary()
    assert ours.charset == mini.charset
    assert {part: list(words) for part, words in ours.words.items()} == mini.words
    assert ours.fonts == mini.fonts


def test_training_texts_hold_no_held_out_word_and_mostly_random_strings():
    ours = vocabulary()
    train, words = ours.texts["train"], set(ours.words["train"])
    assert not set(train) & {*ours.words["valid"], *ours.words["test"]}
    assert words <= set(train)
    assert 0.2 < np.mean([text in words for text in train]) < 0.4  # a few strings are words
    assert set("".join(train)) == set(ours.charset)
    assert max(map(len, train)) == 4
    assert ours.texts["test"] == ours.words["test"]


@pytest.mark.parametrize("part", PARTS)
def test_scenes_say_what_their_part_may(part):
    scenes = scene_set(part, 12, SCENES["rotated"])
    assert scenes.images.shape == (12, 128, 128)
    assert len(scenes) == 12
    assert {t for texts in scenes.texts for t in texts} <= set(vocabulary().texts[part])
    for quads, words in zip(scenes.quads, scenes.words, strict=True):
        assert quads.shape == (len(words), 4, 2)


def test_parts_differ_and_sets_are_kept():
    train, valid = scene_set("train", 3), scene_set("valid", 3)
    images = np.concatenate([train.images, valid.images])
    assert len({image.tobytes() for image in images}) == 6
    assert scene_set("train", 3) is train
    longer = scene_set("train", 5)
    np.testing.assert_array_equal(longer.images[:3], train.images)
    with pytest.raises(ValueError, match="read-only"):
        train.images[0] = 0


def test_word_images_have_texts_and_characters():
    words = word_set("test", 6, SCENES["curved"], size=(32, 100))
    assert words.images.shape == (len(words), 32, 100)
    assert set(words.texts) <= set(vocabulary().texts["test"])
    for text, quads in zip(words.texts, words.character_quads, strict=True):
        assert quads.shape == (len(text), 4, 2)
    again = word_set("test", 9, SCENES["curved"], size=(32, 100))
    np.testing.assert_array_equal(again.images[:6], words.images)
    assert again.texts[:6] == words.texts


def test_an_unknown_part_is_refused(refused):
    with refused("use 1 or more of train, valid, test"):
        scene_set("exam", 3)
    with refused("no set of 0 images"):
        word_set("test", 0)
