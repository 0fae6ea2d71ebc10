"""What stands in scenes and is no text: lines, frames, ovals, plates and scribbles."""

import cv2
import numpy as np

_FRACTION = 4  # OpenCV draws at 1/16 pixel


def add_clutter(image: np.ndarray, rng: np.random.Generator, most: int) -> None:
    """Draw 0 to `most` shapes into a grey image (H, W) uint8, in place."""
    for _ in range(int(rng.integers(most + 1))):
        _SHAPES[rng.integers(len(_SHAPES))](image, rng)


def _line(image: np.ndarray, rng: np.random.Generator) -> None:
    _stroke(image, _points(image, rng, 2), rng)


def _frame(image: np.ndarray, rng: np.random.Generator) -> None:
    (x0, y0), (x1, y1) = _points(image, rng, 2)
    _stroke(image, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]), rng)


def _oval(image: np.ndarray, rng: np.random.Generator) -> None:
    angle = np.linspace(0, 2 * np.pi, 40)
    centre = _points(image, rng, 1)
    radii = rng.uniform(0.04, 0.3, 2) * min(image.shape)
    _stroke(image, centre + radii * np.stack([np.cos(angle), np.sin(angle)], axis=1), rng)


def _plate(image: np.ndarray, rng: np.random.Generator) -> None:
    (x0, y0), (x1, y1) = np.sort(_points(image, rng, 2), axis=0).astype(int)
    area = image[y0:y1, x0:x1]
    shade = rng.uniform(0.7, 0.95)
    area[...] = (area * shade).astype(np.uint8)


def _scribble(image: np.ndarray, rng: np.random.Generator) -> None:
    """Short strokes in a row: as dark and as small as letters, and none."""
    size = rng.uniform(0.08, 0.18) * min(image.shape)
    start = _points(image, rng, 1)[0]
    steps = np.arange(int(rng.integers(2, 5)))[:, None] * size * np.array([1.1, 0.0])
    for corner in start + steps:
        _stroke(image, corner + rng.uniform(0, size, (int(rng.integers(3, 6)), 2)), rng)


def _points(image: np.ndarray, rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.uniform(0, image.shape[::-1], (count, 2))


def _stroke(image: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> None:
    grey, thickness = int(rng.integers(60, 200)), int(rng.integers(1, 3))
    fixed = np.rint((points - 0.5) * 2**_FRACTION).astype(np.int32)
    cv2.polylines(image, [fixed], False, grey, thickness, cv2.LINE_AA, _FRACTION)


_SHAPES = (_line, _frame, _oval, _plate, _scribble)
