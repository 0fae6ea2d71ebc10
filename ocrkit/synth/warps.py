"""Lines of text bent and turned: their words and characters, and where all of them are then.

Coordinates are continuous pixels (x, y), y pointing down: the pixel in row i and column j covers
[j, j + 1] x [i, i + 1], and its centre is (j + 0.5, i + 0.5).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np

from ocrkit.synth.fonts import Font
from ocrkit.synth.render import draw_text_boxes

# Our pictures are small: waking a thread takes longer than warping one of them.
cv2.setNumThreads(0)

GAP = 2  # pixels around each line that stay free
_SAMPLES = 7  # points along an edge that may be curved, as in SCUT-CTW1500; odd, for the crest


@dataclass(frozen=True)
class Warp:
    """A smooth map of a flat line of width x height pixels, around the line's centre."""

    width: float  # of the flat line, pixels
    height: float
    turn: float = 0.0  # radians, counter-clockwise as seen
    # radians that the reading direction turns from the line's start to its end; the line lies on a
    # circle, like an arch for positive values, like a bowl for negative ones
    arc: float = 0.0
    wave: float = 0.0  # crest of a sine of one period over the width, as a share of the height
    phase: float = 0.0  # of the sine, radians

    @property
    def curved(self) -> bool:
        """Do straight lines of text become curves?"""
        return bool(self.arc or self.wave)

    def forward(self, points: np.ndarray) -> np.ndarray:
        """Where points (..., 2) of the flat line go, float64 (..., 2)."""
        s = points[..., 0] - self.width / 2
        n = points[..., 1] - self.height / 2 + self._sine(s)
        if self.arc:
            radius = self.width / self.arc
            s, n = (radius - n) * np.sin(s / radius), radius - (radius - n) * np.cos(s / radius)
        return self._about_centre(s, n, self.turn)

    def inverse(self, points: np.ndarray) -> np.ndarray:
        """Which points of the flat line lie at (..., 2), float64 (..., 2)."""
        turned = self._about_centre(
            points[..., 0] - self.width / 2, points[..., 1] - self.height / 2, -self.turn
        )
        s, n = turned[..., 0] - self.width / 2, turned[..., 1] - self.height / 2
        if self.arc:
            radius = self.width / self.arc
            side = math.copysign(1.0, radius)
            out = radius - n
            s, n = radius * np.arctan2(side * s, side * out), radius - side * np.hypot(s, out)
        return np.stack([s + self.width / 2, n - self._sine(s) + self.height / 2], axis=-1)

    def directions(self, points: np.ndarray) -> np.ndarray:
        """The reading direction at points (..., 2) of the flat line, unit vectors (..., 2)."""
        step = np.array([0.5, 0.0])
        ahead = self.forward(points + step) - self.forward(points - step)
        return ahead / np.linalg.norm(ahead, axis=-1, keepdims=True)

    def _sine(self, s: np.ndarray) -> np.ndarray | float:
        if not self.wave:
            return 0.0
        return self.wave * self.height * np.sin(2 * math.pi / self.width * s + self.phase)

    def _about_centre(self, x: np.ndarray, y: np.ndarray, turn: float) -> np.ndarray:
        """Turn (x, y) about (0, 0), then put (0, 0) at the line's centre."""
        sin, cos = math.sin(turn), math.cos(turn)
        x, y = x * cos + y * sin, y * cos - x * sin
        return np.stack([x + self.width / 2, y + self.height / 2], axis=-1)


def warp_mask(
    mask: np.ndarray, warp: Warp, left: int, top: int, size: tuple[int, int]
) -> np.ndarray:
    """What a window of the plane sees of a warped mask, uint8 `size` = (rows, columns).

    mask: coverage of the flat line, uint8 (warp.height, warp.width).
    left, top: the window's corner.
    """
    y, x = np.indices(size)
    seen = np.stack([x + (left + 0.5), y + (top + 0.5)], axis=-1)
    # OpenCV counts from the centre of the first pixel, not from its corner.
    there = warp.inverse(seen).astype(np.float32) - np.float32(0.5)
    # OpenCV's annotations do not know that a map of pairs needs no second one.
    return cv2.remap(mask, there, None, cv2.INTER_LINEAR, borderValue=0)  # pyright: ignore


def warp_boxes(boxes: np.ndarray, warp: Warp) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of the flat line (n, 4), as left, top, right, bottom, after the warp.

    Returns rectangles along the reading direction at each box's centre that hold the warped boxes,
    (n, 4, 2), and the warped boxes' outlines (n, 2k, 2): top edge from left to right, bottom edge
    from right to left.
    """
    outlines = warp.forward(_edges(boxes))
    centres = np.stack([boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]], axis=1) / 2
    return rectangles_along(outlines, warp.directions(centres)), outlines


def _edges(boxes: np.ndarray) -> np.ndarray:
    """Points on the top and bottom edges of boxes (n, 4), clockwise, (n, 2k, 2)."""
    left, top, right, bottom = boxes.astype(float).T[:, :, None]
    across = left + (right - left) * np.linspace(0, 1, _SAMPLES)
    upper = np.stack([across, top + 0 * across], axis=-1)
    lower = np.stack([across[:, ::-1], bottom + 0 * across], axis=-1)
    return np.concatenate([upper, lower], axis=1)


def rectangles_along(points: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """The smallest rectangles that hold points and have a side along a direction.

    points: (..., k, 2).
    directions: (..., 2), unit vectors.
    Returns (..., 4, 2), clockwise from the corner that is top left when reading along the
    direction.
    """
    along = directions[..., None, :]
    down = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    a, d = (points * along).sum(-1)[..., None], (points * down).sum(-1)[..., None]
    (a0, a1), (d0, d1) = ((v.min(-2), v.max(-2)) for v in (a, d))
    along, down = along[..., 0, :], down[..., 0, :]
    corners = [a0 * along + d0 * down, a1 * along + d0 * down]
    corners += [a1 * along + d1 * down, a0 * along + d1 * down]
    return np.stack(corners, axis=-2)


def rectangles_overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Do two rectangles (4, 2) share any area? Not if a line along a side parts them."""
    axes = np.stack([one[1] - one[0], one[3] - one[0], other[1] - other[0], other[3] - other[0]])
    first, second = one @ axes.T, other @ axes.T
    return bool(np.all((first.min(0) < second.max(0)) & (second.min(0) < first.max(0))))


def min_area_rectangle(
    points: np.ndarray, reading: np.ndarray | tuple[float, float] = (1.0, 0.0)
) -> np.ndarray:
    """The rectangle of the smallest area that holds points (k, 2), (4, 2).

    Its corners go clockwise, and its first side points as nearly as it can along `reading`, so
    that the first corner is the text's top left.
    """
    degrees = cv2.minAreaRect(np.asarray(points, np.float32))[2]
    angles = math.radians(degrees) + np.arange(4) * math.pi / 2
    sides = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return rectangles_along(
        np.asarray(points, float), sides[np.argmax(sides @ np.asarray(reading))]
    )


@dataclass(frozen=True, eq=False)
class SceneWord:
    """One word of a scene; all points are (x, y) in pixels, float32."""

    text: str  # what it says
    # (4, 2), the word's rectangle, clockwise from the text's top left; of a curved word the
    # rectangle of the smallest area
    quad: np.ndarray
    # (n, 4, 2), a rectangle around each character's ink, turned as it is
    character_quads: np.ndarray
    # (2k, 2), the word's edge: the top from left to right, the bottom from right to left; it
    # follows a curved word
    outline: np.ndarray

    def moved(self, x: float, y: float) -> "SceneWord":
        """The same word, so many pixels to the right and down."""
        by = np.array([x, y], np.float32)
        return SceneWord(self.text, self.quad + by, self.character_quads + by, self.outline + by)


@dataclass(frozen=True, eq=False)
class Line:
    """A line of text, bent and turned, in a window of its own."""

    words: tuple[SceneWord, ...]  # with coordinates that begin at the window's corner
    size: tuple[int, int]  # rows and columns of the window, with `GAP` free pixels on each side
    _mask: np.ndarray
    _warp: Warp
    _corner: tuple[int, int]

    def coverage(self) -> np.ndarray:
        """The line's ink, uint8 `size`."""
        return warp_mask(self._mask, self._warp, *self._corner, self.size)

    def footprint(self) -> np.ndarray:
        """Pixels that the words' rectangles and the gap around them take, bool `size`."""
        own = np.zeros(self.size, np.uint8)
        for word in self.words:
            cv2.fillConvexPoly(own, np.rint(word.quad - 0.5).astype(np.int32), 1)
        around = np.ones((2 * GAP + 1, 2 * GAP + 1), np.uint8)
        return cv2.dilate(own, around).view(bool)

    def overlaps_itself(self) -> bool:
        """Do two of its words' rectangles overlap? Bending may make them."""
        if not self._warp.curved:
            return False
        pairs = combinations([word.quad for word in self.words], 2)
        return any(rectangles_overlap(*pair) for pair in pairs)


def bent_line(texts: Sequence[str], font: Font, em: int, bend: Mapping[str, float]) -> Line:
    """Words on one line, a space between them.

    em: size of the letters, pixels.
    bend: what `Warp` takes besides sizes: turn, arc, wave, phase; short words are bent less.
    """
    mask, boxes = draw_text_boxes(" ".join(texts), font, float(em))
    rows, columns = mask.shape
    # Bent more than that, short words are no longer readable.
    tightest, highest = 0.6 * columns / rows, 0.1 * columns / rows
    arc = float(np.clip(bend.get("arc", 0.0), -tightest, tightest))
    wave = min(bend.get("wave", 0.0), highest)
    warp = Warp(columns, rows, bend.get("turn", 0.0), arc, wave, bend.get("phase", 0.0))
    ends = np.cumsum([len(text) + 1 for text in texts])
    spans = [slice(end - len(text) - 1, end - 1) for text, end in zip(texts, ends, strict=True)]
    whole = [np.r_[boxes[span, :2].min(0), boxes[span, 2:].max(0)] for span in spans]
    count = len(texts)
    rectangles, outlines = warp_boxes(np.concatenate([whole, boxes]), warp)
    quads, characters, outlines = rectangles[:count], rectangles[count:], outlines[:count]
    if warp.curved:
        pairs = zip(outlines, quads, strict=True)
        quads = np.stack([min_area_rectangle(edge, quad[1] - quad[0]) for edge, quad in pairs])
    points = np.concatenate([quads, outlines], axis=1)
    corner = np.floor(points.min((0, 1))).astype(int) - GAP
    columns, rows = np.ceil(points.max((0, 1))).astype(int) + GAP - corner
    quads, characters, outlines = (
        (part - corner).astype(np.float32) for part in (quads, characters, outlines)
    )
    words = tuple(
        SceneWord(text, quad, characters[span], outline)
        for text, quad, span, outline in zip(texts, quads, spans, outlines, strict=True)
    )
    return Line(words, (int(rows), int(columns)), mask, warp, (int(corner[0]), int(corner[1])))
