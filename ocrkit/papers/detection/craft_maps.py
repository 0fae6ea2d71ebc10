"""CRAFT's two heat maps: drawn from character quads, and read back as words (Baek et al., 2019).

Maps are half as large as the image: pixel (i, j) covers [2j, 2j + 2] x [2i, 2i + 2] of it.
"""

import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from ocrkit.papers.shared.quads import as_quads, from_boxes, to_boxes
from ocrkit.synth.scenes import SceneWord
from ocrkit.synth.warps import min_area_rectangle, rectangles_along

STRIDE = 2
SIGMA = 0.4  # of the Gaussian, where a character's half width is 1; the paper names no number
REGION, AFFINITY = 0.35, 0.2  # thresholds, the paper's tau_r and tau_a
PEAK = 0.5  # a word has at least one character as sure as that
_SQUARE = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
_LEAST_AREA = 12  # pixels of the image; smaller spots are no words
_ROUND = 1.25  # a spot less long than that, against its width, has no direction


def level_radius(height: float) -> float:
    """How far from its centre the Gaussian is as high as `height`, in half widths of the box."""
    # exp(-r² / 2σ²) = height  =>  r = σ √(2 ln(1 / height))
    return SIGMA * math.sqrt(2 * math.log(1 / height))


def splat(score: np.ndarray, quad: np.ndarray) -> None:
    """Draw an isotropic Gaussian, warped by perspective into a quad, on a map, in place.

    score: (h, w), 0 to 1; where something is drawn already, the higher value stays.
    quad: (4, 2), in the map's pixels.
    """
    h, w = score.shape
    left, top = np.clip(np.floor(quad.min(0)).astype(int), 0, (w, h))
    right, bottom = np.clip(np.ceil(quad.max(0)).astype(int), 0, (w, h))
    if left >= right or top >= bottom:
        return
    # The homography that takes the quad to the square [-1, 1]²: there the Gaussian is round.
    H = cv2.getPerspectiveTransform(quad.astype(np.float32), _SQUARE)
    x, y = np.arange(left, right) + 0.5, np.arange(top, bottom)[:, None] + 0.5
    u, v, scale = (row[0] * x + row[1] * y + row[2] for row in H)
    u, v = u / scale, v / scale
    # G(u, v) = exp(-(u² + v²) / 2σ²) inside of the quad, 0 outside
    value = np.exp(-(u**2 + v**2) / (2 * SIGMA**2)) * (np.maximum(abs(u), abs(v)) <= 1)
    area = score[top:bottom, left:right]
    np.maximum(area, value, out=area)


def affinity_quads(characters: np.ndarray) -> np.ndarray:
    """The quads between neighbouring characters of a word, (n - 1, 4, 2) for (n, 4, 2).

    Their corners are the centres of the characters' upper and lower triangles, cut by the
    diagonals.
    """
    centre = _crossing(characters)
    upper = (characters[:, 0] + characters[:, 1] + centre) / 3
    lower = (characters[:, 2] + characters[:, 3] + centre) / 3
    return np.stack([upper[:-1], upper[1:], lower[1:], lower[:-1]], axis=1)


def _crossing(quads: np.ndarray) -> np.ndarray:
    """Where the diagonals of convex quads (n, 4, 2) cross, (n, 2)."""
    start, one = quads[:, 0], quads[:, 2] - quads[:, 0]
    other, between = quads[:, 3] - quads[:, 1], quads[:, 1] - quads[:, 0]
    # start + t·one lies on the other diagonal: (t·one - between) x other = 0
    t = _cross(between, other) / _cross(one, other)
    return start + t[:, None] * one


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def draw_maps(words: Iterable[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Region and affinity scores of a scene, float32 (2, H / 2, W / 2), 0 to 1.

    words: the character quads (n, 4, 2) of each word, in the image's pixels.
    size: (H, W) of the image.
    """
    maps = np.zeros((2, size[0] // STRIDE, size[1] // STRIDE))
    for characters in words:
        small = np.asarray(characters, float) / STRIDE
        for score, quads in zip(maps, (small, affinity_quads(small)), strict=True):
            for quad in quads:
                splat(score, quad)
    return maps.astype(np.float32)


def scene_maps(words: Sequence[SceneWord], size: tuple[int, int]) -> np.ndarray:
    """`draw_maps` of a scene's words."""
    return draw_maps((word.character_quads for word in words), size)


def find_words(maps: np.ndarray, region: float = REGION, peak: float = PEAK) -> np.ndarray:
    """Words as quads (n, 4, 2), in the image's pixels, of maps (2, h, w).

    A word is a connected component of the places above either threshold; its quad is the rectangle
    of the smallest area around it.
    """
    # At the image's size: the edge of a small word then falls between two pixels of the map.
    big = [cv2.resize(score, None, fx=STRIDE, fy=STRIDE) for score in maps.astype(np.float32)]
    text = ((big[0] > region) | (big[1] > AFFINITY)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(text, connectivity=4)
    quads = []
    for label in range(1, count):
        left, top, width, height, area = stats[label]
        part = np.s_[top : top + height, left : left + width]
        own = labels[part] == label
        if area < _LEAST_AREA or big[0][part][own].max() < peak:
            continue
        quads.append(_box(own, region) + np.array([left, top], np.float32))
    return as_quads(quads)


def _box(mask: np.ndarray, region: float) -> np.ndarray:
    """The rectangle of the word whose pixels above the threshold are `mask`, (4, 2)."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate(contours).reshape(-1, 2) + 0.5
    box = to_boxes(min_area_rectangle(points))
    # One character alone is nearly a disc: its rectangle of the smallest area turns at random.
    if box[2:4].max() < _ROUND * box[2:4].min():
        box = to_boxes(rectangles_along(points, np.array([1.0, 0.0])))
    # From the outermost pixels' centres to their edges is half a pixel more, on either side.
    box[2:4] += 2 * word_margin(mask, region) + 1
    return from_boxes(box)


def word_margin(mask: np.ndarray, region: float = REGION) -> float:
    """How far a word reaches beyond its pixels above the threshold, in pixels.

    The threshold cuts a character's half height h to ρh (`level_radius`), which is the radius of
    the widest disc inside the mask; h - ρh is missing on every side.
    """
    inside = cv2.distanceTransform(
        np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    kept = level_radius(region)
    return float(inside.max() - 0.5) * (1 / kept - 1)
