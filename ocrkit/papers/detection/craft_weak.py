"""CRAFT's weak supervision: where the characters of a word are, when only the word was marked.

Baek et al. (CVPR 2019), weakly-supervised learning: the model guesses the characters, and their
number against the text's length tells how far to trust it.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.ndimage import find_objects

from ocrkit.papers.detection.craft_maps import STRIDE, level_radius
from ocrkit.papers.shared.quads import crop

_HEIGHT = 24  # rows of a word's crop
_CORE, _EDGE = 0.6, 0.2  # shares of the word's highest score: surely a character; still one
_LEVELS = 8  # from the one to the other
_AROUND = np.ones((3, 3), np.uint8)
_LEAST_AREA = 6  # pixels of the crop
FAIR = 0.5  # below it the guess is thrown away


def length_confidence(length: int, found: int) -> float:
    """How far a guess of `found` characters in a word of `length` is to be trusted, 0 to 1."""
    # s_conf(w) = (l(w) - min(l(w), |l(w) - l^c(w)|)) / l(w)
    return (length - min(length, abs(length - found))) / length


def split_word(region: np.ndarray) -> np.ndarray:
    """The characters in a word's crop of the region score, by watershed from the surest places.

    region: (h, w) score; the crop holds the word and nothing else.
    Returns boxes (n, 4) as left, top, right, bottom in the crop's pixels, in reading order.
    """
    score = cv2.GaussianBlur(np.clip(region, 0, 1), (3, 3), 0)
    highest = float(score.max())
    core = (score > _CORE * highest).astype(np.uint8)
    _, lands, stats, _ = cv2.connectedComponentsWithStats(core, connectivity=4)
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < _LEAST_AREA)
    lands[np.isin(lands, small)] = 0
    lands = lands.astype(np.float32)  # cv2.dilate knows no int32
    # Each land grows by a pixel on every side, so far as the score is above the level and no other
    # land is there, until none grows any more; then the level sinks.
    for level in np.linspace(_CORE, _EDGE, _LEVELS) * highest:
        before = -1
        while before != (before := np.count_nonzero(lands)):
            dry = (lands == 0) & (score > level)
            lands = np.where(dry, cv2.dilate(lands, _AROUND), lands)
    parts = [part for part in find_objects(lands.astype(int)) if part]
    boxes = [(across.start, down.start, across.stop, down.stop) for down, across in parts]
    found = np.array(boxes, float).reshape(-1, 4)
    return found[np.argsort(found[:, 0] + found[:, 2])]


def equal_parts(length: int, width: float, height: float) -> np.ndarray:
    """A word cut into `length` boxes of the same width, (length, 4)."""
    edges = np.linspace(0, width, length + 1)
    return np.stack([edges[:-1], 0 * edges[1:], edges[1:], 0 * edges[1:] + height], axis=1)


def guess_characters(region: np.ndarray, quad: np.ndarray, length: int) -> tuple[np.ndarray, float]:
    """The character quads of a word of which only the quad and the length are known.

    region: (h, w), the region score of the whole scene.
    quad: (4, 2), in the image's pixels.
    length: characters of the word's text.
    Returns quads (n, 4, 2) in the image's pixels, and the confidence, 0.5 (equal parts) to 1.
    """
    flat = crop(np.asarray(region, np.float32), np.asarray(quad) / STRIDE, _HEIGHT)
    height, width = flat.shape
    boxes = split_word(flat)
    sure = length_confidence(length, len(boxes))
    if sure < FAIR:
        boxes, sure = equal_parts(length, width, height), FAIR
    else:
        # The edge is where the Gaussian has fallen so far: the box is larger by that much.
        middle, half = (boxes[:, 2:] + boxes[:, :2]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
        half /= level_radius(_EDGE)
        limit = (width, height)
        boxes = np.hstack([np.maximum(middle - half, 0), np.minimum(middle + half, limit)])
    square = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    back = cv2.getPerspectiveTransform(square, quad.astype(np.float32))
    points = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 1, 2).astype(np.float32)
    return cv2.perspectiveTransform(points, back).reshape(-1, 4, 2), sure


def confidence_map(
    quads: Sequence[np.ndarray], confidences: Sequence[float], size: tuple[int, int]
) -> np.ndarray:
    """How much each pixel counts in the loss, float32 (H / 2, W / 2); quads in image pixels."""
    # S_c(p) = s_conf(w) where p lies in the word w, and 1 elsewhere
    weights = np.ones((size[0] // STRIDE, size[1] // STRIDE), np.float32)
    for quad, sure in zip(quads, confidences, strict=True):
        cv2.fillConvexPoly(weights, np.rint(np.asarray(quad) / STRIDE - 0.5).astype(int), sure)
    return weights
