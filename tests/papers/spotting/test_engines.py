"""The trial of an engine: what it is shown."""

import numpy as np

from ocrkit.papers.shared.scene_sets import vocabulary
from ocrkit.papers.spotting.engines import printed_page, sentences


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


def test_a_page_has_its_lines_in_reading_order():
    image, lines = printed_page((128, 256), em=16)
    assert image.shape == (128, 256)
    assert image.min() < 60
    assert len(lines) == 1 + 2 * 2
    again, same = printed_page((128, 256), em=16)
    np.testing.assert_array_equal(image, again)
    assert lines == same
