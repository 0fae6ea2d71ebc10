"""Matching, detection and spotting scores."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.papers.shared.detection_metrics import detection_scores, match, spotting_scores
from ocrkit.papers.shared.drawing import show_scenes
from ocrkit.papers.shared.quads import as_quads, from_boxes, iou_matrix


def row(*lefts: float, width: float = 10) -> np.ndarray:
    """Upright quads, 10 pixels high, beginning at these places of one line."""
    return as_quads([from_boxes(np.array([x + width / 2, 5, width, 10, 0])) for x in lefts])


@given(st.lists(st.floats(0, 45), max_size=5), st.floats(6, 14))
def test_no_matching_of_words_apart_has_more_pairs(lefts, width):
    found, true = row(*lefts, width=width), row(0, 15, 30)
    pairs = match(found, true)
    overlap = iou_matrix(found, true)
    assert all(overlap[i, j] >= 0.5 for i, j in pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    # Every way to give each true word a found quad of its own, or none.
    ways = permutations([*range(len(found)), None, None, None], 3)
    most = max(
        sum(i is not None and overlap[i, j] >= 0.5 for j, i in enumerate(way)) for way in ways
    )
    assert len(pairs) == most


def test_the_closer_of_two_is_matched_and_the_other_is_wrong():
    found, true = row(2, 1), row(0)
    assert match(found, true) == [(1, 0)]
    scores = detection_scores([found], [true])
    assert (scores.precision, scores.recall) == (50, 100)
    assert scores.f1 == pytest.approx(200 / 3)


def test_a_tighter_threshold_counts_fewer():
    found, true = [row(2, 20)], [row(0, 20)]
    loose, tight = (detection_scores(found, true, at) for at in (0.5, 0.7))
    assert (loose.right, tight.right) == (2, 1)
    assert loose.f1 == 100
    assert tight.f1 == 50


def test_counts_are_summed_over_images_and_the_interval_holds_the_score():
    found = [row(0, 15), row(), row(40), row(0)] * 5
    true = [row(0, 15), row(0), row(0), row(0)] * 5
    scores = detection_scores(found, true)
    assert (scores.right, scores.found, scores.true) == (15, 20, 25)
    assert scores.precision == 75
    assert scores.recall == 60
    assert scores.f1 == pytest.approx(100 * 30 / 45)
    assert 40 < scores.low < scores.f1 < scores.high < 90


def test_nothing_found_scores_nothing():
    scores = detection_scores([row()], [row(0)])
    assert (scores.precision, scores.recall, scores.f1, scores.low, scores.high) == (0,) * 5


def test_spotting_wants_the_same_text():
    found, true = [row(0, 15, 30)], [row(0, 15)]
    scores = spotting_scores(found, [["학교", "집 안", "꽃"]], true, [["학교", "집안"]])
    assert scores.right == 2
    scores = spotting_scores(found, [["학교", "집", "꽃"]], true, [["학교", "집안"]])
    assert (scores.right, scores.found, scores.true) == (1, 3, 2)


def test_what_cannot_be_scored_is_refused(refused):
    with refused("one entry an image"):
        detection_scores([row(0)], [])
    with refused("without a true word"):
        detection_scores([row(0)], [row()])
    with refused("without a true word"):
        detection_scores([], [])
    with refused("one text"):
        spotting_scores([row(0)], [[]], [row(0)], [["꽃"]])


def test_a_sheet_shows_every_quad_and_text():
    images = np.full((3, 20, 40), 255, np.uint8)
    quads = [row(0, 15), row(), row(5)]
    texts = [["학교", "집"], [], ["꽃"]]
    figure = show_scenes(images, quads, texts, columns=2)
    assert [len(ax.lines) for ax in figure.axes] == [4, 0, 2, 0]
    assert [t.get_text() for ax in figure.axes for t in ax.texts] == ["학교", "집", "꽃"]
    figure = show_scenes(images, quads, texts, found=quads, columns=3)
    assert [len(ax.lines) for ax in figure.axes] == [8, 0, 4]
    assert [len(ax.texts) for ax in figure.axes] == [2, 0, 1]
