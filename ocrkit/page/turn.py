"""Which way up a page is: its skew and its quarter turns, from the rows that text makes."""

import cv2
import numpy as np

from ocrkit.page.ink import find_pieces

# Skew is looked for up to this angle.
MOST_DEGREES = 15.0
# A page is turned by an angle that makes its rows this many times as clear: by less than a degree
# only when it shows plainly, for a few lines of different letters look askew by chance.
CLEARER, PLAINLY = 1.08, 1.25
# Glyphs of a line stand nearer than this (glyph heights), lines mostly further apart.
LETTER_GAP = 0.33
# Chains across the page must be this many times as long as chains along it before it is turned.
LONGER = 1.3
_MOST_POINTS = 60_000


def find_turn(mask: np.ndarray, g: float) -> tuple[int, float]:
    """(quarter turns, degrees) that, turned counter-clockwise, make rows of text level.

    Which way rows run, ink alone shows; which of the two ends is up, it does not: a page that
    must be turned gets one quarter turn, and a reader has to try the other end.
    mask: (H, W) bool, ink of text size.
    g: glyph height in pixels.
    """
    quarters = int(_chain_length(mask.T, g) > LONGER * _chain_length(mask, g))
    y, x = np.nonzero(mask)
    rng = np.random.default_rng(0)
    if len(x) > _MOST_POINTS:
        kept = rng.choice(len(x), _MOST_POINTS, replace=False)
        x, y = x[kept], y[kept]
    # anywhere in their pixels: whole numbers fall into rows unevenly, which looks like text
    x, y = x + rng.random(len(x)), y + rng.random(len(y))
    if len(x) < 50:
        return 0, 0.0
    return quarters, _best_angle(y, -x, g) if quarters else _best_angle(x, y, g)


def _chain_length(mask: np.ndarray, g: float) -> float:
    """How far ink reaches along rows when gaps between letters are closed; the mean over pixels."""
    kernel = np.ones((1, max(2, round(LETTER_GAP * g) + 1)), np.uint8)
    pixels = np.ascontiguousarray(mask).view(np.uint8)
    chains = find_pieces(cv2.morphologyEx(pixels, cv2.MORPH_CLOSE, kernel).view(bool))
    return float((chains.area * chains.width).sum() / max(1, chains.area.sum()))


def _best_angle(x: np.ndarray, y: np.ndarray, g: float) -> float:
    level, fullness = row_clarity(x, y, 0.0, g), _fullness(x, y, 0.0, g)
    best, clarity = 0.0, level
    coarse = np.arange(-MOST_DEGREES, MOST_DEGREES + 0.1, 0.5)
    for angles in (coarse, np.arange(-0.5, 0.51, 0.05)):
        centre = 0.0 if angles is coarse else best
        for angle in centre + angles:
            found = row_clarity(x, y, angle, g)
            # By chance strokes of a few lines fall into sharp rows askew, but then into more rows.
            if found > clarity and _fullness(x, y, angle, g) >= fullness:
                best, clarity = float(angle), found
    if clarity < (CLEARER if abs(best) > 1 else PLAINLY) * level:
        return 0.0
    return best


def row_clarity(x: np.ndarray, y: np.ndarray, degrees: float, g: float) -> float:
    """How sharply ink falls into rows when the page is turned by an angle.

    The sum of the squared steps between neighbouring rows of the profile, by the ink's amount:
    level rows begin and end at once. Rows are an eighth of a glyph high.
    """
    profile = _profile(x, y, degrees, g)
    return float((np.diff(profile) ** 2).sum() * len(profile))


def _fullness(x: np.ndarray, y: np.ndarray, degrees: float, g: float) -> float:
    """The larger, the fewer rows the ink falls into."""
    return float((_profile(x, y, degrees, g) ** 2).sum())


def _profile(x: np.ndarray, y: np.ndarray, degrees: float, g: float) -> np.ndarray:
    """The share of the ink that falls into each row."""
    radians = np.deg2rad(degrees)
    rows = (y * np.cos(radians) - x * np.sin(radians)) / (g / 8)
    rows = (rows - rows.min()).astype(np.int64)
    return np.bincount(rows, minlength=rows.max() + 2) / len(x)


def upright_matrix(
    size: tuple[int, int], quarters: int, degrees: float, scale: float
) -> tuple[np.ndarray, tuple[int, int]]:
    """(2x3 matrix from the file's pixels to the upright page's, (width, height) of that page).

    size: width and height of the picture in the file.
    quarters, degrees: counter-clockwise turns, first the quarters.
    scale: of the upright page.
    """
    width, height = size
    angle = np.deg2rad(90 * quarters + degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = scale * np.array([[cos, sin], [-sin, cos]])
    corners = turn @ np.array([[0, width, 0, width], [0, 0, height, height]], float)
    low, high = corners.min(axis=1), corners.max(axis=1)
    extent = np.maximum(1, np.round(high - low)).astype(int)
    return np.hstack([turn, -low[:, None]]), (int(extent[0]), int(extent[1]))


def turned(grey: np.ndarray, quarters: int, degrees: float, scale: float) -> np.ndarray:
    """A grey picture (H, W) turned and scaled; what comes in at the corners is its own border."""
    grey = np.ascontiguousarray(np.rot90(grey, quarters))
    if scale != 1:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        size = [max(1, round(scale * side)) for side in grey.shape[::-1]]
        grey = cv2.resize(grey, size, interpolation=how)
    if not degrees:
        return grey
    matrix, size = upright_matrix(grey.shape[::-1], 0, degrees, 1)
    border = float(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))
    return cv2.warpAffine(grey, matrix, size, borderValue=border)
