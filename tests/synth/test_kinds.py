"""The five kinds: sizes, and the statistics that the paper's sets have."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from ocrkit.errors import OcrkitError
from ocrkit.synth import KINDS, Background, Basic, Blur, Distortion, Skew, kinds
from ocrkit.synth.kinds import distort, fit_height, shift_columns, shift_rows, turn_to_height
from ocrkit.synth.render import Layout, draw_text

TEXT = "도서관 꽃 뷁"


def rngs(n):
    return [np.random.default_rng(seed) for seed in range(n)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_grey_64_high_with_a_margin_free_of_ink(kind, font):
    for rng in rngs(12):
        page = np.asarray(KINDS[kind].draw(TEXT, font, rng))
        assert page.dtype == np.uint8
        assert page.shape[0] == 64
        assert page.min() < 200
        # quasi-crystals are dark in places, and a blur carries ink into the margin
        if kind not in ("background", "blur"):
            edges = [page[:5], page[-5:], page[:, :5], page[:, -5:]]
            assert min(edge.min() for edge in edges) > 180


@pytest.mark.parametrize("kind", KINDS)
def test_one_letter_and_long_lines_are_drawn(kind, font):
    for text in ("뷁", "이", "가 " * 60 + "힣"):
        for rng in rngs(6):
            page = np.asarray(KINDS[kind].draw(text, font, rng))
            assert page.shape[0] == 64
            assert np.asarray(page).min() < 215


def test_basic_is_ink_40_on_noise_235(font):
    page = np.asarray(Basic().draw(TEXT, font, np.random.default_rng(0)))
    mask = fit_height(draw_text(TEXT, font, 64.0), 54)
    assert page.shape == (64, mask.shape[1] + 10)
    inside = page[5:-5, 5:-5]
    assert set(inside[mask == 255]) == {0x28}
    paper = inside[mask == 0]
    assert paper.mean() == pytest.approx(234.4, abs=0.3)  # the fraction is dropped
    assert paper.std() == pytest.approx(10, abs=0.7)


def test_background_is_a_third_each(font):
    seen = Counter()
    for rng in rngs(180):
        rim = np.asarray(Background().draw("가", font, rng))[:5]
        if rim.min() == 255:
            seen["white"] += 1
        else:
            seen["noise" if abs(np.median(rim) - 235) < 3 and rim.min() > 180 else "crystal"] += 1
    assert all(35 <= seen[name] <= 85 for name in ("white", "noise", "crystal")), seen


def test_skew_angles_are_whole_and_half_of_them_small(font, monkeypatch):
    angles = []

    def record(line, degrees, expand):
        assert expand
        angles.append(degrees)
        return line

    monkeypatch.setattr(Image.Image, "rotate", record)
    for rng in rngs(1500):
        Skew().draw("가", font, rng)
    assert set(angles) == set(range(-15, 16))
    # |angle| > 5 needs the wide half, and 20 of its 31 values
    assert np.mean(np.abs(angles) > 5) == pytest.approx(0.5 * 20 / 31, abs=0.05)
    assert np.mean(angles) == pytest.approx(0, abs=0.6)


@pytest.mark.parametrize("degrees", [-15, -7, -1, 0, 3, 5, 15])
def test_turning_keeps_the_angle_the_ink_and_the_corners(degrees):
    bar = np.full((54, 700), 255, np.uint8)
    turned = turn_to_height(bar, degrees, 54)
    sin, cos = abs(math.sin(math.radians(degrees))), math.cos(math.radians(degrees))
    scale = 54 / (700 * sin + 54 * cos)
    assert turned.shape == (54, pytest.approx(scale * (700 * cos + 54 * sin), abs=1))
    assert turned.sum() / 255 == pytest.approx(scale**2 * bar.size, rel=0.03)
    # the middle of the ink in each column runs along the angle (rows count downwards)
    columns = np.arange(turned.shape[1] // 4, 3 * turned.shape[1] // 4)
    rows = np.arange(54)[:, None]
    weights = turned[:, columns].astype(float)
    middle = (rows * weights).sum(0) / weights.sum(0)
    slope = np.polyfit(columns, middle, 1)[0]
    assert math.degrees(math.atan(-slope)) == pytest.approx(degrees, abs=0.3)


masks = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(masks, st.integers(0, 5), st.integers(0, 99))
def test_shifts_move_every_line_by_its_own_number(mask, reach, seed):
    height, width = mask.shape
    rng = np.random.default_rng(seed)
    down, right = rng.integers(0, reach + 1, width), rng.integers(0, reach + 1, height)
    by_columns, by_rows = shift_columns(mask, down, reach), shift_rows(mask, right, reach)
    slow_columns = np.zeros((height + reach, width), np.uint8)
    slow_rows = np.zeros((height, width + reach), np.uint8)
    for r in range(height):
        for c in range(width):
            slow_columns[r + down[c], c] = mask[r, c]
            slow_rows[r, c + right[r]] = mask[r, c]
    assert np.array_equal(by_columns, slow_columns)
    assert np.array_equal(by_rows, slow_rows)


def as_the_author_wrote_it(mask, reach, down, right):
    """The paper's generator, line by line: a canvas of twice the reach, then copies into it."""
    h, w = mask.shape
    both = down is not None and right is not None
    canvas = np.zeros(
        (h + 2 * reach * (down is not None), w + 2 * reach * (right is not None)), np.uint8
    )
    if down is not None:
        for i, o in enumerate(down):
            column = i + reach if both else i
            canvas[reach + o : h + reach + o, column] = mask[:, i]
    if right is None:
        return canvas
    source = canvas if both else mask
    copied = np.zeros_like(canvas)
    for i, o in enumerate(right):
        row = source[i, reach : w + reach] if both else source[i]
        copied[i, reach + o : w + reach + o] = row
    return copied


@given(masks, st.integers(0, 5), st.sampled_from(["down", "right", "both"]), st.integers(0, 99))
def test_distortion_is_the_authors(mask, reach, direction, seed):
    rng = np.random.default_rng(seed)
    (height, width), down, right = mask.shape, None, None
    if direction != "right":
        down = rng.integers(0, reach + 1, width)
        height += down.max()
    if direction != "down":
        right = rng.integers(0, reach + 1, height)
    expected = as_the_author_wrote_it(mask, reach, down, right)
    assert np.array_equal(distort(mask, reach, down, right), expected)


def test_distorting_both_ways_cuts_the_feet_and_leaves_the_top_blank(font):
    lines = {"vertical": [], "horizontal": [], "both": []}
    for orientation, last_rows in lines.items():
        for rng in rngs(60):
            kind = Distortion(orientations=(orientation,), noise_sd=0.0)
            inked = np.asarray(kind.draw(TEXT, font, rng)).min(axis=1) < 150
            last_rows.append((np.flatnonzero(inked)[0], np.flatnonzero(inked)[-1]))
    first, last = (
        {name: np.mean([pair[i] for pair in rows]) for name, rows in lines.items()} for i in (0, 1)
    )
    assert first["vertical"] > first["horizontal"] + 1.5
    assert last["both"] < last["horizontal"] - 1


def test_distortion_jitters_by_up_to_the_heights_power(font, monkeypatch):
    calls = []

    def recorded(*given):
        calls.append((given[0].shape, *given[1:]))
        return distort(*given)

    monkeypatch.setattr(kinds, "distort", recorded)
    for rng in rngs(240):
        Distortion().draw(TEXT, font, rng)
    patterns = Counter()
    for (height, _), reach, *shifts in calls:
        assert reach == int(height**0.4) == 5
        assert set(next(shift for shift in shifts if shift is not None)) == set(range(6))
        patterns[tuple(shift is not None for shift in shifts)] += 1
    assert set(patterns) == {(True, False), (False, True), (True, True)}
    assert min(patterns.values()) > 50


def test_blur_radii_are_a_third_each(font, monkeypatch):
    radii = Counter()
    real = kinds.ImageFilter.GaussianBlur

    def record(radius):
        radii[radius] += 1
        return real(radius)

    monkeypatch.setattr(kinds.ImageFilter, "GaussianBlur", record)
    for rng in rngs(180):
        Blur().draw("가", font, rng)
    assert set(radii) == {1, 2, 4}
    assert min(radii.values()) > 35


def test_blur_flattens_paper_and_ink_by_its_radius(font):
    contrast = [
        np.asarray(Blur(radii=(r,)).draw(TEXT, font, np.random.default_rng(0)), float).std()
        for r in (1, 2, 4)
    ]
    assert contrast == sorted(contrast, reverse=True)


def test_the_page_may_have_another_height(font):
    page = Layout(height=32, margin=2)
    for kind in KINDS.values():
        assert kind.draw(TEXT, font, np.random.default_rng(1), page).height == 32


def test_unknown_papers_and_orientations_are_refused():
    with pytest.raises(OcrkitError, match="quasi-crystal"):
        Background(papers=("marble",))
    with pytest.raises(OcrkitError, match="vertical"):
        Distortion(orientations=())
