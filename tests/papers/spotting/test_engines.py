"""The trial of an engine: what it is shown, and how its answers are scored."""

import math

import numpy as np
import pytest

from ocrkit.papers.shared.scene_sets import scene_set, vocabulary
from ocrkit.papers.spotting.engines import (
    LineSet,
    line_scores,
    printed_page,
    scene_scores,
    sentences,
    turned_sentences,
)


def test_exams_are_drawn_from_their_seed():
    exam = sentences("skew", 3)
    assert len(exam) == 3
    assert all(len(text.split()) == 10 for text in exam.texts)
    assert all(image.shape[0] == 64 and image.dtype == np.uint8 for image in exam.images)
    assert sentences("skew", 3, seed=1).texts != exam.texts
    assert sentences("skew", 2).texts == exam.texts[:2]
    assert {*sentences("blur", 20, words=1, part="test").texts} <= {*vocabulary().words["test"]}


def test_a_face_can_be_chosen_and_says_the_same():
    bold, light = (sentences("basic", 2, face=face) for face in (2, 3))
    assert bold.texts == light.texts == sentences("basic", 2).texts
    assert (bold.images[0] < 100).sum() > 2 * (light.images[0] < 100).sum()


def test_turned_letters_keep_their_size():
    ink = []
    for degrees in (0, 20):
        exam = turned_sentences(degrees, 2)
        assert exam.texts == sentences("background", 2, 4).texts
        assert exam.images[0].max() == 235
        ink.append((235 - exam.images[0].astype(float)).sum())
    assert ink[1] == pytest.approx(ink[0], rel=0.03)
    level, leaning = (turned_sentences(d, 1).images[0].shape for d in (0, 20))
    assert leaning[0] > 2 * level[0]
    assert leaning[1] < level[1] + 20


def test_lines_are_scored_with_and_without_their_spaces():
    exam = LineSet((), ("가나 다라", "마바 사", "아자 차"))
    scores = line_scores(["가나\n다라", "마 바사", ""], exam)
    assert scores["accuracy"] == pytest.approx(200 / 3)
    assert scores["with_spaces"] == 50
    assert scores["empty"] == pytest.approx(100 / 3)
    assert scores["cer"] == pytest.approx(100 * 3 / 10)
    assert math.isnan(line_scores(["", "", ""], exam)["with_spaces"])


def test_scenes_are_scored_for_finding_and_for_reading():
    scenes = scene_set("test", 4)
    perfect = scene_scores(scenes.quads, scenes.texts, scenes)
    assert (perfect["f1"], perfect["f1_read"]) == (100, 100)
    mute = scene_scores(scenes.quads, [[""] * len(texts) for texts in scenes.texts], scenes)
    assert (mute["f1"], mute["f1_read"]) == (100, 0)


def test_a_page_has_its_lines_in_reading_order():
    image, lines = printed_page((128, 256), em=16)
    assert image.shape == (128, 256)
    assert image.min() < 60
    assert len(lines) == 1 + 2 * 2
    again, same = printed_page((128, 256), em=16)
    np.testing.assert_array_equal(image, again)
    assert lines == same
