"""Lines bent and turned, and the rectangles that follow them."""

import math

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from shapely.geometry import Polygon

from ocrkit.synth.render import draw_text, draw_text_boxes
from ocrkit.synth.warps import (
    Warp,
    min_area_rectangle,
    rectangles_along,
    rectangles_overlap,
    warp_boxes,
    warp_mask,
)


@st.composite
def warps(draw) -> Warp:
    """Warps no tighter than `bent_line` makes them: it bends short words less."""
    width, height = draw(st.integers(20, 120)), draw(st.integers(10, 30))
    tightest = min(0.8 * width / height, math.pi)
    arc = draw(st.sampled_from([0.0, -1, 0.4, 1])) * tightest
    wave = min(draw(st.sampled_from([0.0, 0.3])), 0.1 * width / height)
    turn, phase = draw(st.floats(-math.pi, math.pi)), draw(st.floats(0, 6))
    return Warp(width, height, turn, arc, wave, phase)


@given(warps(), st.integers(0, 1000))
def test_inverse_undoes_forward(warp, seed):
    points = np.random.default_rng(seed).uniform(0, (warp.width, warp.height), (20, 2))
    np.testing.assert_allclose(warp.inverse(warp.forward(points)), points, atol=1e-6)


def test_turning_is_counter_clockwise_and_an_arch_is_high_in_the_middle():
    ends = np.array([[0.0, 5.0], [50.0, 5.0], [100.0, 5.0]])
    left, middle, right = Warp(100, 10, turn=0.3).forward(ends)
    assert right[1] < middle[1] < left[1]  # y points down
    left, middle, right = Warp(100, 10, arc=1.0).forward(ends)
    assert middle[1] < left[1] - 5
    assert middle[1] < right[1] - 5
    first, _, last = Warp(100, 10, arc=1.0).directions(ends)
    assert math.isclose(np.arccos(first @ last), 1.0, abs_tol=0.02)


def test_doing_nothing_changes_no_pixel(font):
    mask = draw_text("도서관", font, 20)
    np.testing.assert_array_equal(warp_mask(mask, Warp(*mask.shape[::-1]), 0, 0, mask.shape), mask)


@given(warps())
@example(Warp(21, 10, arc=1.68, wave=0.3, phase=3.0))
@example(Warp(22, 30, wave=0.1 * 22 / 30))
def test_a_character_s_warped_ink_lies_in_its_warped_box(warp):
    mask = np.zeros((warp.height, warp.width), np.uint8)
    right = 4 + warp.height // 2
    mask[2:-2, 4:right] = 255
    (quad,), (outline,) = warp_boxes(np.array([[4, 2, right, warp.height - 2]]), warp)
    left, top = np.floor(outline.min(0)).astype(int) - 2
    columns, rows = np.ceil(outline.max(0)).astype(int) + 2 - (left, top)
    ink = warp_mask(mask, warp, left, top, (rows, columns)) > 140
    i, j = np.nonzero(ink)
    centres = np.stack([j + 0.5 + left, i + 0.5 + top], axis=1)
    assert _inside(centres, quad, 0.1).all()
    # A pixel that its edge cuts counts or not: on average half of those along the way round.
    shape = Polygon(outline)
    assert abs(len(centres) - shape.area) < shape.length / 2


def test_character_boxes_hold_their_ink_tightly(font):
    text = "꽃 뷁길"
    strip, boxes = draw_text_boxes(text, font, 31)
    np.testing.assert_array_equal(strip, draw_text(text, font, 31))
    assert np.prod(boxes[1, 2:] - boxes[1, :2]) == 0  # the space
    left = strip.copy()
    for x0, y0, x1, y1 in boxes[[0, 2, 3]].astype(int):
        inside = strip[y0:y1, x0:x1]
        assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
        left[y0:y1, x0:x1] = 0
    assert not left.any()


@given(st.integers(0, 10_000), st.floats(-3.1, 3.1))
def test_rectangles_hold_their_points(seed, angle):
    points = np.random.default_rng(seed).uniform(0, 50, (9, 2))
    direction = np.array([math.cos(angle), math.sin(angle)])
    for rectangle in (rectangles_along(points, direction), min_area_rectangle(points, direction)):
        assert _inside(points, rectangle, 1e-6).all()
        side = rectangle[1] - rectangle[0]
        assert side @ direction >= math.cos(math.pi / 4 + 1e-6) * np.linalg.norm(side)


@given(st.integers(0, 10_000))
def test_rectangles_overlap_as_shapely_says(seed):
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-3, 3, 2)
    one, other = (
        rectangles_along(rng.uniform(0, 12, (4, 2)) + by, np.array([math.cos(a), math.sin(a)]))
        for a, by in zip(angles, ((0, 0), rng.uniform(0, 15, 2)), strict=True)
    )
    shared = Polygon(one).intersection(Polygon(other)).area
    assert rectangles_overlap(one, other) == (shared > 0)


def test_the_rectangle_of_the_smallest_area_is_found():
    square = np.array([[5.0, 0], [10, 5], [5, 10], [0, 5]])
    found = min_area_rectangle(square, (1, 1))
    np.testing.assert_allclose(found, square, atol=1e-4)
    np.testing.assert_allclose(
        min_area_rectangle(square, (-1, -1)), np.roll(square, 2, 0), atol=1e-4
    )


def _inside(points: np.ndarray, quad: np.ndarray, slack: float) -> np.ndarray:
    """Do points (n, 2) lie in a clockwise convex quad, give or take some pixels?"""
    sides = np.roll(quad, -1, 0) - quad
    sides = sides / np.linalg.norm(sides, axis=1, keepdims=True)
    away = points[:, None] - quad
    return (sides[:, 0] * away[..., 1] - sides[:, 1] * away[..., 0] >= -slack).all(1)
