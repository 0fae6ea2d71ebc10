"""Scores by hand, their bounds, and what must not change them."""

import unicodedata
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.hangul import to_jamo
from ocrkit.metrics import accuracy_interval, score

TEXT = st.text(alphabet="가나다각", max_size=6)
PAIRS = st.lists(st.tuples(TEXT, TEXT.filter(bool)), min_size=1, max_size=8)


@cache
def edits(a: str, b: str) -> int:
    """The edit distance, as it is defined: slowly."""
    if not a or not b:
        return len(a) + len(b)
    return min(edits(a[1:], b) + 1, edits(a, b[1:]) + 1, edits(a[1:], b[1:]) + (a[0] != b[0]))


def test_by_hand():
    # Edits: 0; 나 -> 다, and 마 is missing: 2; 다 is missing: 1.
    scores = score(["가나", "가다라", ""], ["가나", "가나라마", "다"])
    assert scores.images == 3
    assert scores.accuracy == pytest.approx(100 / 3)
    assert scores.cer == pytest.approx(3 / 7)
    assert scores.norm_ed_icdar == pytest.approx((1 + (1 - 2 / 4) + 0) / 3)
    assert scores.norm_ed_fork_sum == pytest.approx(0 + 2 / 4 + 1 / 1)
    # Letters: 4, 8 and 2 of them; edits 0; ㄴ -> ㄷ and ㅁㅏ missing; ㄷㅏ missing.
    assert scores.jamo_error == pytest.approx((0 + 3 + 2) / 14)


def test_a_half_right_syllable():
    scores = score(["간"], ["강"])
    assert (scores.accuracy, scores.cer) == (0, 1)
    assert scores.jamo_error == pytest.approx(1 / 3)


def test_the_two_norm_eds_differ_where_too_much_is_read():
    # One divides by the longer text, the other by the reference.
    scores = score(["가나다라"], ["가"])
    assert scores.norm_ed_icdar == pytest.approx(1 - 3 / 4)
    assert scores.norm_ed_fork_sum == pytest.approx(3)


def test_the_forks_sum_grows_with_the_test_set():
    once, twice = score(["가"], ["나다"]), score(["가"] * 2, ["나다"] * 2)
    assert twice.norm_ed_fork_sum == 2 * once.norm_ed_fork_sum
    assert twice.norm_ed_icdar == once.norm_ed_icdar
    assert twice.cer == once.cer


def test_spaces_and_normal_form_do_not_count():
    read = unicodedata.normalize("NFD", "한글 문장")
    assert score([read], ["한 글문장 "]).accuracy == 100


@given(PAIRS)
def test_bounds(pairs):
    read, true = zip(*pairs, strict=True)
    scores = score(read, true)
    assert 0 <= scores.low <= scores.accuracy <= scores.high <= 100
    assert 0 <= scores.norm_ed_icdar <= 1
    assert scores.cer >= 0
    assert scores.jamo_error >= 0
    assert scores.norm_ed_fork_sum >= 0
    right = sum(p == r for p, r in pairs)
    assert scores.accuracy == pytest.approx(100 * right / len(pairs))
    # All right is 1 and 0 on every scale; anything wrong shows on every scale.
    perfect = right == len(pairs)
    assert (scores.norm_ed_icdar == 1) == perfect
    assert (scores.norm_ed_fork_sum == 0) == perfect
    assert (scores.cer == 0) == perfect
    assert (scores.jamo_error == 0) == perfect


@given(PAIRS, st.randoms(use_true_random=False))
def test_order_does_not_count(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    first = score(*zip(*pairs, strict=True)).as_dict()
    assert score(*zip(*shuffled, strict=True)).as_dict() == pytest.approx(first)


@given(PAIRS)
def test_edit_distance_against_its_definition(pairs):
    scores = score(*zip(*pairs, strict=True))
    distances = [edits(p, r) for p, r in pairs]
    assert scores.cer == pytest.approx(sum(distances) / sum(len(r) for _, r in pairs))
    assert scores.norm_ed_icdar == pytest.approx(
        sum(1 - d / max(len(p), len(r)) for d, (p, r) in zip(distances, pairs, strict=True))
        / len(pairs)
    )
    assert scores.norm_ed_fork_sum == pytest.approx(
        sum(d / len(r) for d, (_, r) in zip(distances, pairs, strict=True))
    )
    letters = [(to_jamo(p), to_jamo(r)) for p, r in pairs]
    assert scores.jamo_error == pytest.approx(
        sum(edits(p, r) for p, r in letters) / sum(len(r) for _, r in letters)
    )


@given(TEXT.filter(bool), TEXT.filter(bool))
def test_which_of_two_texts_is_the_reference_changes_the_divisor_alone(one, other):
    here, there = score([one], [other]), score([other], [one])
    assert here.accuracy == there.accuracy
    assert here.norm_ed_icdar == there.norm_ed_icdar
    assert here.cer * len(other) == pytest.approx(there.cer * len(one))
    assert here.norm_ed_fork_sum * len(other) == pytest.approx(there.norm_ed_fork_sum * len(one))
    assert here.jamo_error * len(to_jamo(other)) == pytest.approx(
        there.jamo_error * len(to_jamo(one))
    )


@given(st.integers(0, 300), st.integers(1, 300))
def test_the_interval_contains_the_accuracy_and_has_a_width(right, images):
    right = min(right, images)
    low, high = accuracy_interval(right, images)
    assert 0 <= low <= 100 * right / images <= high <= 100
    assert high - low > 0.9


# scipy.stats.binomtest(right, images).proportion_ci(method="wilson")
@pytest.mark.parametrize(
    ("right", "images", "low", "high"),
    [
        (0, 10, 0, 27.7533),
        (3, 3, 43.8503, 100),
        (1, 2, 9.4531, 90.5469),
        (500, 1000, 46.907, 53.093),
    ],
)
def test_wilsons_interval(right, images, low, high):
    assert accuracy_interval(right, images) == pytest.approx((low, high), abs=1e-3)


@pytest.mark.parametrize("column", [np.array, pd.Series])
def test_the_columns_of_a_table_are_scored_too(column):
    assert score(column(["가", "나"]), column(["가", "다"])).accuracy == 50


def test_what_cannot_be_scored(refused):
    with refused("2 readings cannot be scored against 1 labels"):
        score(["가", "나"], ["가"])
    with refused("0 readings"):
        score([], [])
    with refused("label 1 is empty"):
        score(["가", "나"], ["가", " "])
    for right, images in ((0, 0), (4, 3), (-1, 3)):
        with refused(f"no interval for {right} right ones of {images}"):
            accuracy_interval(right, images)
