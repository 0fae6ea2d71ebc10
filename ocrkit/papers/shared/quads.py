"""Geometry of quadrilaterals, as text detectors use it.

A quad is (4, 2): corners (x, y) in continuous pixels (`ocrkit.synth.warps`), y down, clockwise
from the corner that is the text's top left. Sets of quads are (n, 4, 2). Rotated boxes are
(cx, cy, w, h, angle): centre, sides along and across the text in pixels, and the reading
direction's angle in radians, counter-clockwise as seen, in (-pi, pi].
"""

from collections.abc import Sequence

import cv2
import numpy as np


def as_quads(quads: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """A list of quads, perhaps empty, as (n, 4, 2) float32."""
    return np.asarray(quads, np.float32).reshape(-1, 4, 2)


def area(quads: np.ndarray) -> np.ndarray:
    """Areas of polygons (..., k, 2) in square pixels, (...): the shoelace formula."""
    x, y = quads[..., 0], quads[..., 1]
    # From the first corner, so that large coordinates cost no digits.
    x, y = x - x[..., :1], y - y[..., :1]
    return np.abs((x * np.roll(y, -1, -1) - np.roll(x, -1, -1) * y).sum(-1)) / 2


def bounds(quads: np.ndarray) -> np.ndarray:
    """Upright boxes (left, top, right, bottom) around polygons (..., k, 2), (..., 4)."""
    return np.concatenate([quads.min(-2), quads.max(-2)], axis=-1)


def iou_matrix(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of convex quads (n, 4, 2) and (m, 4, 2), each with each, (n, m).

    0 to 1; 0 where both have no area.
    """
    ones, others = (as_quads(quads).astype(float) for quads in (ones, others))
    first, second = bounds(ones)[:, None], bounds(others)[None]
    meet = np.all((first[..., :2] < second[..., 2:]) & (second[..., :2] < first[..., 2:]), axis=-1)
    i, j = np.nonzero(meet)
    areas, other_areas = area(ones), area(others)
    shared = np.zeros(meet.shape)
    shared[i, j] = np.minimum(
        _shared_areas(ones[i], others[j]), np.minimum(areas[i], other_areas[j])
    )
    union = areas[:, None] + other_areas - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _shared_areas(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Areas of the intersections of convex quads (p, 4, 2), pair by pair, (p,).

    Each first quad is clipped by the four sides of the second, after Sutherland and Hodgman (1974).
    Points outside a side are moved onto its line rather than removed: what then runs along the
    line to and fro adds no area, and all pairs keep the same number of points. (OpenCV 5.0's
    intersectConvexConvex gives 0 for some quads with sides on one line.)
    """
    sides = np.roll(others, -1, 1) - others
    signed = (sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0])[:, None, None]
    normals = np.stack([-sides[..., 1], sides[..., 0]], axis=-1) * np.where(signed < 0, -1, 1)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    points = ones
    for start, normal in zip(others.swapaxes(0, 1), normals.swapaxes(0, 1), strict=True):
        depth = ((points - start[:, None]) * normal[:, None]).sum(-1, keepdims=True)
        held = points - np.minimum(depth, 0) * normal[:, None]
        ahead = np.roll(depth, -1, 1)
        crosses = depth * ahead < 0
        part = np.divide(depth, depth - ahead, out=np.zeros_like(depth), where=crosses)
        between = points + part * (np.roll(points, -1, 1) - points)
        both = np.stack([held, np.where(crosses, between, held)], axis=2)
        points = both.reshape(len(ones), 2 * points.shape[1], 2)
    return area(points)


def nms(quads: np.ndarray, scores: np.ndarray, threshold: float = 0.3) -> np.ndarray:
    """Non-maximum suppression: which quads (n, 4, 2) stay, best score first, as indices.

    A quad goes if one with a higher score that stays has more than `threshold` IoU with it.
    """
    quads = as_quads(quads)
    kept: list[int] = []
    left = np.argsort(-np.asarray(scores), kind="stable")
    while len(left):
        kept.append(int(left[0]))
        left = left[1:]
        left = left[iou_matrix(quads[kept[-1:]], quads[left])[0] <= threshold]
    return np.array(kept, int)


def from_boxes(boxes: np.ndarray) -> np.ndarray:
    """Quads (..., 4, 2) of rotated boxes (..., 5)."""
    cx, cy, w, h, angle = np.moveaxis(np.asarray(boxes, float), -1, 0)
    along = np.stack([np.cos(angle), -np.sin(angle)], axis=-1)
    right, down = along * w[..., None] / 2, along[..., ::-1] * [-1, 1] * h[..., None] / 2
    centre = np.stack([cx, cy], axis=-1)
    corners = [-right - down, right - down, right + down, down - right]
    return np.stack([centre + corner for corner in corners], axis=-2)


def to_boxes(quads: np.ndarray) -> np.ndarray:
    """Rotated boxes (..., 5) of quads (..., 4, 2): exact for rectangles, else mean sides."""
    quads = np.asarray(quads, float)
    sides = np.roll(quads, -1, -2) - quads
    lengths = np.linalg.norm(sides, axis=-1)
    sizes = (lengths[..., :2] + lengths[..., 2:]) / 2
    along = sides[..., 0, :] - sides[..., 2, :]
    angle = np.arctan2(-along[..., 1], along[..., 0])
    return np.concatenate([quads.mean(-2), sizes, angle[..., None]], axis=-1)


def crop(image: np.ndarray, quad: np.ndarray, height: int, width: int | None = None) -> np.ndarray:
    """The inside of a quad as an upright image (height, width) by a perspective warp.

    image: (H, W) or (H, W, C); what lies outside repeats the edge.
    width: None keeps the quad's proportions.
    """
    if width is None:
        _, _, w, h, _ = to_boxes(quad)
        width = max(1, round(height * w / max(h, 1e-9)))
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    # OpenCV counts from the centre of the first pixel, not from its corner.
    matrix = cv2.getPerspectiveTransform(np.asarray(quad, np.float32) - 0.5, flat - 0.5)
    return cv2.warpPerspective(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
