"""Turning a slanted line level, where its own ink says plainly that it is slanted.

The slope is the one at which the ink falls into the fewest rows, as page skew is found by
projection profiles (Postl, "Detection of linear oblique structures and skew scan in digitized
documents", ICPR 1986). A page's lines come level from `ocrkit.page`; this is for lines alone.
"""

import cv2
import numpy as np

# Slopes looked at (rise over run), up to 17 degrees, first coarsely.
_COARSE, _FINE = np.linspace(-0.3, 0.3, 121), np.linspace(-0.005, 0.005, 21)
# Training showed lines that rise by up to a quarter of their height: only more than that is turned.
_RISE = 0.25
# A turned line must be so many times as long as high, for a few letters lie anyhow, and so many
# times as low as it was.
_LONG, _LOWER = 4.0, 1.25
# Of the height, kept above and below a turned line.
_MARGIN = 0.1
# Ink is looked at in about so many columns, and in so many points.
_COLUMNS, _FEWEST_POINTS, _MOST_POINTS = 400, 50, 3000


def straighten(image: np.ndarray) -> np.ndarray:
    """A grey line (H, W) uint8 turned level and cut to its ink's height, or as it was.

    Where something stands along the line, as a share of its width, hardly changes.
    """
    step = max(1, image.shape[1] // _COLUMNS)
    some = image[:, ::step]
    paper = int(np.median(some))
    away = some.astype(np.int16) - paper
    least = np.percentile(np.abs(away), 98) / 2
    y, x = np.nonzero(max(away < -least, away > least, key=np.count_nonzero))
    if len(x) < _FEWEST_POINTS:
        return image
    x *= step
    every = slice(None, None, -(-len(x) // _MOST_POINTS))
    slope = _slope(x[every].astype(np.float32), y[every].astype(np.float32))
    return _turned(image, slope, x, y, paper) if slope else image


def _reach(values: np.ndarray) -> float:
    """From the lowest to the highest value but for a few specks."""
    low, high = np.percentile(values, (1, 99))
    return float(high - low) + 1


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """The slope of a line of ink, or 0 where it is level, too short, or not plain."""
    x, length, level = x - x.mean(), _reach(x), _reach(y)
    # of most lines the middle of the ink says at once that they are level
    if abs(x @ (y - y.mean()) / max(x @ x, 1.0)) * length < _RISE / 2 * level:
        return 0.0
    slope = 0.0
    for slopes in (_COARSE, _FINE):
        rows = (y - (slope + slopes[:, None].astype(np.float32)) * x).round().astype(np.int64)
        rows -= rows.min()
        several = rows.max() + 1
        rows += several * np.arange(len(slopes))[:, None]
        profiles = np.bincount(rows.ravel(), minlength=several * len(slopes))
        fullness = (profiles.reshape(len(slopes), -1) ** 2).sum(axis=1)
        slope += float(slopes[fullness.argmax()])
    height = _reach(y - slope * x)
    plain = length > _LONG * height and level > _LOWER * height
    return slope if plain and abs(slope) * length > _RISE * height else 0.0


def _turned(
    image: np.ndarray, slope: float, x: np.ndarray, y: np.ndarray, paper: int
) -> np.ndarray:
    """The image turned level about the middle of its width; x and y are its ink."""
    cos, sin = np.cos(np.arctan(slope)), np.sin(np.arctan(slope))
    middle = image.shape[1] / 2
    across = cos * y - sin * (x - middle)
    low, high = np.percentile(across, (0.5, 99.5))
    height = high - low + 1
    axis = (low + high) / 2 / cos  # where the line crosses the image's middle
    # letters lean over the ends of the line
    width = round(image.shape[1] / cos + height * abs(sin))
    top = low - _MARGIN * height
    matrix = np.array(
        [
            [cos, sin, width / 2 - cos * middle - sin * axis],
            [-sin, cos, sin * middle - top],
        ]
    )
    size = width, max(1, round((1 + 2 * _MARGIN) * height))
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderValue=float(paper))
