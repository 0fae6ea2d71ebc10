"""A sixth kind of image, outside the paper's five: lines of handwriting faces, made less regular.

A face is not a hand: it writes each syllable the same way each time. So the pen's width and the
place of every stroke change from line to line and along it. What no warp brings are a hand's other
ways to write a letter, its joins and its haste.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageFilter

from ocrkit.synth.fonts import Font
from ocrkit.synth.kinds import Basic, fit_height
from ocrkit.synth.render import Layout, draw_text

_STEPS = 32  # OpenCV moves pixels by multiples of 1/32: rounded here, no processor rounds otherwise


@dataclass(frozen=True)
class Handwriting(Basic):
    """Text on noise, drawn with a wider or a narrower pen and bent by an elastic warp.

    The faces are those that the generation names: `find_fonts("handwriting")`.
    """

    # The largest shift of a point, ems; each line has its own, uniform in 0..reach (`warp_ink`).
    reach: float = 0.25
    cell: float = 0.4  # between the points that are shifted at random, ems
    # Where the stroke ends, as a share of the blurred ink: 0.5 leaves its width, less widens it.
    edge: tuple[float, float] = (0.25, 0.6)
    pressure: float = 0.15  # how far that changes along a line, at most
    spread: float = 0.02  # of the blur, ems (standard deviation)

    def _line(self, text: str, font: Font, rng: np.random.Generator, page: Layout) -> np.ndarray:
        em = page.height
        room = math.ceil((self.reach + 2 * self.spread) * em)
        mask = np.pad(draw_text(text, font, float(em)), room)
        edge = rng.uniform(*self.edge)
        edge = edge + self.pressure * smooth_field(rng, mask.shape, 2 * self.cell * em)
        mask = change_width(mask, self.spread * em, edge)
        reach = rng.uniform(0, self.reach) * em
        shifts = [reach * smooth_field(rng, mask.shape, self.cell * em) for _ in ("x", "y")]
        return fit_height(_trim(warp_ink(mask, *shifts), room), page.text_height)


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...], cell: float) -> np.ndarray:
    """Random values in -1..1 that change slowly, float64 of `shape` = (rows, columns).

    A uniform cubic B-spline over a grid of independent values, one every `cell` pixels: Rueckert et
    al., "Nonrigid Registration Using Free-Form Deformations" (IEEE TMI 1999), equation 2.
    """
    down, across = (_splines(length, cell) for length in shape)
    return down @ rng.uniform(-1, 1, (down.shape[1], across.shape[1])) @ across.T


def _splines(length: int, cell: float) -> np.ndarray:
    """Weight of each grid point at each pixel, (length, points); four of a row are not 0."""
    first, t = np.divmod(np.arange(length) / cell, 1)
    first = first.astype(int)
    weights = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    matrix = np.zeros((length, first[-1] + len(weights)))
    for number, weight in enumerate(weights):
        matrix[np.arange(length), first + number] = weight / 6
    return matrix


def change_width(mask: np.ndarray, spread: float, edge: np.ndarray | float) -> np.ndarray:
    """Coverage (h, w) uint8 with wider or narrower strokes.

    The ink is blurred by `spread` pixels, and ends where `edge` of it is left: of a straight stroke
    the middle of the blurred rim is at 0.5. The slope there is made one pixel wide again.
    edge: 0 to 1, one number or (h, w).
    """
    blurred = np.asarray(Image.fromarray(mask).filter(ImageFilter.GaussianBlur(spread)))
    slope = spread * math.sqrt(2 * math.pi)  # a blurred rim rises by 1 / slope a pixel
    return np.rint(np.clip(127.5 + slope * (blurred - 255 * edge), 0, 255)).astype(np.uint8)


def warp_ink(mask: np.ndarray, right: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Coverage (h, w) uint8 whose pixel (y, x) was at (y - down, x - right); beyond is no ink.

    Random smooth shifts are elastic distortions: Simard, Steinkraus and Platt, "Best Practices for
    Convolutional Neural Networks Applied to Visual Document Analysis" (ICDAR 2003), section 2.
    right, down: (h, w), pixels.
    """
    y, x = np.indices(mask.shape)
    there = [np.rint(_STEPS * (at - by)) / _STEPS for at, by in ((x, right), (y, down))]
    source = np.stack(there, axis=-1).astype(np.float32)
    # OpenCV's annotations do not know that a map of pairs needs no second one.
    return cv2.remap(mask, source, None, cv2.INTER_LINEAR, borderValue=0)  # pyright: ignore


def _trim(mask: np.ndarray, room: int) -> np.ndarray:
    """The mask without its rim of `room` pixels, as far as that holds no ink."""
    height, width = mask.shape
    left, top, right, bottom = Image.fromarray(mask).getbbox() or (room,) * 4
    return mask[
        min(room, top) : max(height - room, bottom), min(room, left) : max(width - room, right)
    ]
