"""Geometry of quads, checked against shapely."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPoint, Polygon

from ocrkit.papers.shared import quads as q
from ocrkit.synth.warps import min_area_rectangle

numbers = st.floats(1, 60)
angles = st.one_of(st.sampled_from([0.0, math.pi / 2, math.pi]), st.floats(-3.1, 3.1))
boxes = st.tuples(numbers, numbers, numbers, numbers, angles).map(np.array)


def iou(one, other):
    return q.iou_matrix([one], [other]).item()


@given(boxes)
def test_area_is_shapely_s(box):
    quad = q.from_boxes(box)
    assert math.isclose(q.area(quad), Polygon(quad).area, rel_tol=1e-9)
    assert math.isclose(q.area(quad), box[2] * box[3], rel_tol=1e-9)


@given(st.lists(boxes, max_size=5), st.lists(boxes, max_size=5))
def test_iou_is_shapely_s(ones, others):
    ones, others = ([q.from_boxes(box) for box in part] for part in (ones, others))
    found = q.iou_matrix(ones, others)
    assert found.shape == (len(ones), len(others))
    for i, a in enumerate(map(Polygon, ones)):
        for j, b in enumerate(map(Polygon, others)):
            assert found[i, j] == pytest.approx(a.intersection(b).area / a.union(b).area, abs=1e-5)


@given(boxes, st.floats(-50, 5000))
def test_iou_of_a_quad_with_itself_is_one_wherever_it_is(box, by):
    quad = q.from_boxes(box) + by
    assert iou(quad, quad) == pytest.approx(1, abs=1e-4)
    assert iou(quad, quad + 200) == 0


@given(boxes, boxes)
def test_iou_asks_neither_for_an_order_nor_for_a_direction(one, other):
    one, other = q.from_boxes(one), q.from_boxes(other)
    wanted = pytest.approx(iou(one, other), abs=1e-6)
    assert iou(other, one) == wanted
    assert iou(one[::-1], other) == wanted
    assert iou(one, other[::-1]) == wanted


def test_iou_of_halves_and_of_nothing():
    square = q.from_boxes(np.array([5, 5, 10, 10, 0]))
    assert iou(square, square + np.array([5, 0])) == pytest.approx(1 / 3)
    assert iou(np.zeros((4, 2)), np.zeros((4, 2))) == 0


@given(st.lists(boxes, min_size=1, max_size=4))
def test_boxes_and_quads_say_the_same(some):
    some = np.array(some)
    quads = q.from_boxes(some)
    assert quads.shape == (len(some), 4, 2)
    back = q.to_boxes(quads)
    np.testing.assert_allclose(back[:, :4], some[:, :4], atol=1e-9)
    turned = (back[:, 4] - some[:, 4] + math.pi) % (2 * math.pi) - math.pi
    np.testing.assert_allclose(turned, 0, atol=1e-9)


def test_a_quad_starts_at_the_text_s_top_left_and_a_positive_angle_rises():
    flat = q.from_boxes(np.array([10, 20, 8, 4, 0]))
    np.testing.assert_allclose(flat, [[6, 18], [14, 18], [14, 22], [6, 22]])
    up = q.from_boxes(np.array([10, 20, 8, 4, 0.3]))
    assert up[1, 1] < up[0, 1]
    np.testing.assert_allclose(q.bounds(flat), [6, 18, 14, 22])


@given(st.integers(0, 10_000))
def test_the_smallest_rectangle_is_shapely_s(seed):
    points = np.random.default_rng(seed).uniform(0, 40, (12, 2))
    smallest = MultiPoint(points).minimum_rotated_rectangle
    assert q.area(min_area_rectangle(points)) == pytest.approx(smallest.area, rel=1e-3)


@given(st.lists(st.tuples(boxes, st.floats(0, 1)), max_size=8), st.sampled_from([0.2, 0.5]))
def test_nms_keeps_the_best_and_nothing_that_overlaps_it(found, threshold):
    quads = np.array([q.from_boxes(box) for box, _ in found]).reshape(-1, 4, 2)
    scores = np.array([score for _, score in found])
    kept = q.nms(quads, scores, threshold)
    overlap = q.iou_matrix(quads, quads)
    assert list(scores[kept]) == sorted(scores[kept], reverse=True)
    assert (overlap[np.ix_(kept, kept)][~np.eye(len(kept), dtype=bool)] <= threshold).all()
    for gone in set(range(len(found))) - set(kept.tolist()):
        better = [k for k in kept if scores[k] >= scores[gone]]
        assert overlap[gone, better].max() > threshold


def test_an_upright_crop_is_the_pixels_themselves():
    image = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    quad = np.array([[4, 3], [24, 3], [24, 13], [4, 13]])
    np.testing.assert_array_equal(q.crop(image, quad, 10), image[3:13, 4:24])
    np.testing.assert_array_equal(q.crop(image, quad, 10, 20), image[3:13, 4:24])
    # Begun at the next corner, the text reads downwards: a quarter turn.
    turned = q.crop(image, np.roll(quad, -1, 0), 20)
    np.testing.assert_array_equal(turned, np.rot90(image[3:13, 4:24]))


def test_a_crop_keeps_colours_and_proportions():
    image = np.zeros((40, 40, 3), np.uint8)
    tilted = q.from_boxes(np.array([20, 20, 24, 8, 0.4]))
    assert q.crop(image, tilted, 16).shape == (16, 48, 3)
