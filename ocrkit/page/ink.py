"""Which pixels are ink: the paper's grey is taken away, and ruled lines are told from strokes.

All lengths are multiples of the glyph height g, about the height of a Hangul syllable in pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np

# Work is done at a scale at which glyphs have this many pixels: finer costs time, coarser merges.
SMALL, LARGE, WORKING = 16, 40, 30
# Ink is at least this share of the strongest contrast near it, and of the page's.
NEAR_SHARE, PAGE_SHARE = 0.42, 0.1
# Nothing under this many grey levels is ink, nor a glyph of fewer pixels text.
MIN_LEVELS, MIN_GLYPH = 10, 5


@dataclass(frozen=True)
class Pieces:
    """Connected components of ink, as arrays of one value a piece."""

    # (H, W) int32, 0 where no ink is; piece i of `find_pieces` has label i + 1, which it keeps
    # where only some of the pieces are looked at
    labels: np.ndarray
    x0: np.ndarray  # boxes in pixels
    y0: np.ndarray
    x1: np.ndarray  # this and y1 lie just outside
    y1: np.ndarray
    area: np.ndarray  # pixels of ink

    @property
    def width(self) -> np.ndarray:
        return self.x1 - self.x0

    @property
    def height(self) -> np.ndarray:
        return self.y1 - self.y0


def find_pieces(mask: np.ndarray, connectivity: int = 8) -> Pieces:
    """The components of a bool mask (H, W); connectivity 4 does not join over corners."""
    # OpenCV labels and measures a page of 4 million pixels in a tenth of scipy.ndimage's time.
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.view(np.uint8), None, None, None, connectivity
    )
    x, y, width, height, area = stats[1:].T
    return Pieces(labels, x, y, x + width, y + height, area)


def paper(grey: np.ndarray, window: float) -> np.ndarray:
    """The grey behind the text, (H, W) uint8: the median of a square of `window` pixels.

    Strokes fill less than half of any square larger than a glyph, so the median is the paper,
    whether the text is darker or lighter, and it jumps where a coloured box begins, as a mean would
    not. OpenCV's median takes the same time for every window; scipy's grows with its area.
    """
    step = max(1, int(window / 30))
    small = cv2.resize(grey, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    small = cv2.medianBlur(small, 2 * max(1, round(window / step / 2)) + 1)
    return cv2.resize(small, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)


def ink(grey: np.ndarray, window: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dark ink, light ink, paper): two bool masks and a grey picture, (H, W) each."""
    behind = paper(grey, window)
    # At the edge of a coloured box every grey between the two papers is paper.
    edge = np.ones((5, 5), np.uint8)
    darkest, lightest = cv2.erode(behind, edge), cv2.dilate(behind, edge)
    dark, light = cv2.subtract(darkest, grey), cv2.subtract(grey, lightest)
    contrast = cv2.max(dark, light)
    side = max(3, round(window / 2))
    near = cv2.dilate(contrast, np.ones((side, side), np.uint8))
    noise = 5 * float(np.median(cv2.absdiff(grey, behind)[::2, ::2]))
    least = max(MIN_LEVELS, noise, PAGE_SHARE * float(np.percentile(contrast[::2, ::2], 99.9)))
    inked = (contrast > least) & (contrast > NEAR_SHARE * near)
    return inked & (dark > 0), inked & (light > 0), behind


def glyph_height(mask: np.ndarray) -> float:
    """About the height of a syllable in pixels, or 0 where nothing looks like text.

    Most syllables fall apart into letters, so it is the upper third of the pieces' heights,
    each piece counting by its height; long or huge pieces are ruled lines and pictures.
    """
    pieces = find_pieces(mask)
    width, height = pieces.width, pieces.height
    text = (height >= MIN_GLYPH) & (pieces.area >= 2 * MIN_GLYPH)
    text &= (width < 8 * height) & (height < 12 * width) & (height < max(mask.shape) / 4)
    if not text.any():
        return 0.0
    return syllable_height(height[text])


def syllable_height(heights: np.ndarray) -> float:
    """The height below which two thirds of the sum of heights lie: about a syllable's."""
    heights = np.sort(heights)
    return float(heights[np.searchsorted(np.cumsum(heights), 0.67 * heights.sum())])


def measure(grey: np.ndarray) -> float:
    """The glyph height of a grey picture (H, W), before anything is known of it."""
    window = np.clip(min(grey.shape) / 30, 31, 101)
    for _ in range(2):
        dark, light, _ = ink(grey, window)
        g = glyph_height(dark if dark.sum() >= light.sum() else light)
        if not g or 2 * g <= window <= 5 * g:
            break
        window = max(3 * g, 15)
    return g


@dataclass(frozen=True)
class Rules:
    """Ruled lines: masks (H, W) of the level and the upright ones."""

    level: np.ndarray
    upright: np.ndarray


def find_rules(mask: np.ndarray, g: float) -> Rules:
    """Underlines, frames and lines between columns, as masks.

    A stroke of a large title is long too, but thick for its length.
    """
    level = _thin_runs(mask, ((1.7, 0.14), (2.6, 0.2), (6, 0.5)), g)
    upright = _thin_runs(mask.T, ((2.6, 0.2), (6, 0.5)), g).T
    return Rules(level, np.ascontiguousarray(upright))


def _thin_runs(mask: np.ndarray, kinds: tuple[tuple[float, float], ...], g: float) -> np.ndarray:
    """Level runs of ink that are at least `length` and at most `thickness` times g."""
    found = np.zeros(mask.shape, bool)
    pixels = np.ascontiguousarray(mask).view(np.uint8)
    for length, thickness in kinds:
        kernel = np.ones((1, max(3, round(length * g))), np.uint8)
        runs = find_pieces(cv2.morphologyEx(pixels, cv2.MORPH_OPEN, kernel).astype(bool))
        thin = runs.area <= np.maximum(thickness * g, 2) * runs.width
        found |= np.concatenate(([False], thin))[runs.labels]
    return found


def without_rules(mask: np.ndarray, rules: Rules, g: float) -> np.ndarray:
    """The ink that is no ruled line; strokes that cross a level one stay whole."""
    # the blurred edge of a rule belongs to it
    level, upright = spread(rules.level, 0, 1) & mask, spread(rules.upright, 1, 0) & mask
    rest = mask & ~level & ~upright
    if level.any():
        # ink straight above and straight below
        reach = max(2, round(0.12 * g)) + 2
        pixels, down = rest.view(np.uint8), np.ones((reach + 1, 1), np.uint8)
        above = cv2.dilate(pixels, down, anchor=(0, reach))
        below = cv2.dilate(pixels, down, anchor=(0, 0))
        rest |= level & np.bitwise_and(above, below).astype(bool)
    return rest


def spread(mask: np.ndarray, x: int, y: int) -> np.ndarray:
    """A bool mask (H, W) grown by x pixels to the left and right, and y up and down."""
    return cv2.dilate(mask.view(np.uint8), np.ones((2 * y + 1, 2 * x + 1), np.uint8)).astype(bool)


def unlike_text(pieces: Pieces, grey: np.ndarray) -> np.ndarray:
    """(n,) bool: pieces with no edge round them, such as the corner of a coloured box.

    The paper of a round corner is the box's by majority, so that the page outside looks like ink;
    but it goes on in the same grey, where a glyph is surrounded by paper.
    """
    count = len(pieces.area)
    if not count:
        return np.zeros(0, bool)
    flat = pieces.labels.ravel()
    own = np.bincount(flat, grey.ravel(), count + 1) / np.maximum(np.bincount(flat), 1)
    grown = cv2.dilate(pieces.labels.astype(np.float32), np.ones((7, 7), np.uint8)).astype(np.int32)
    inner = cv2.dilate((pieces.labels > 0).view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    ring = (grown > 0) & ~inner
    owners, greys = grown[ring], grey[ring]
    around = np.bincount(owners, minlength=count + 1)
    away = np.abs(greys - own[owners])
    furthest = np.zeros(count + 1)
    np.maximum.at(furthest, owners, away)
    same = np.bincount(owners, away < 0.25 * furthest[owners], count + 1)
    return (same > 0.2 * np.maximum(around, 1))[1:]
