"""Text to ink: a mask of coverage, drawn from a cache of glyphs."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from ocrkit.synth.fonts import Font, draw_glyph


@dataclass(frozen=True)
class Layout:
    """The page: final height and margin in pixels, and the grey of the ink (#282828)."""

    height: int = 64
    margin: int = 5
    ink: int = 0x28

    @property
    def text_height(self) -> int:
        """Height in pixels left for the text between the margins."""
        return self.height - 2 * self.margin


# Glyphs take about 3 kB each, so this bound holds a process to 25 MB.
_glyph = lru_cache(maxsize=8192)(draw_glyph)


def draw_text(text: str, font: Font, em: float) -> np.ndarray:
    """Coverage of the text on one line, uint8 (height, width); em is in pixels.

    The box runs from the font's ascender line to the lowest ink, and from the pen's start to its
    end, made larger where a glyph reaches beyond.
    """
    return _compose(text, font, em)[0]


def draw_text_boxes(text: str, font: Font, em: float) -> tuple[np.ndarray, np.ndarray]:
    """`draw_text`, and the smallest box around each character's ink in it.

    Returns the coverage, uint8 (height, width), and a box (left, top, right, bottom) a character,
    float32 (len(text), 4), in pixels; a space has a box of no area.
    """
    strip, corners = _compose(text, font, em)
    inside = np.array([_ink_box(font.path, em, ch) for ch in text], np.float32).reshape(-1, 4)
    return strip, inside + np.tile(np.array(corners, np.float32).reshape(-1, 2), 2)


def _compose(text: str, font: Font, em: float) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The coverage, and the left and top of each glyph in it."""
    placed, pen = [], 0.0
    for ch in text:
        ink, left, top, advance = _glyph(font.path, em, ch)
        placed.append((ink, round(pen) + left, top))
        pen += advance
    inked = [item for item in placed if item[0].size]
    x0 = min([0, *(x for _, x, _ in inked)])
    y0 = min([0, *(y for _, _, y in inked)])
    width = max([1, round(pen), *(x + ink.shape[1] for ink, x, _ in inked)]) - x0
    height = max([1, *(y + ink.shape[0] for ink, _, y in inked)]) - y0
    strip = np.zeros((height, width), np.uint8)
    for ink, x, y in inked:
        area = strip[y - y0 : y - y0 + ink.shape[0], x - x0 : x - x0 + ink.shape[1]]
        np.maximum(area, ink, out=area)  # neighbours may touch: the darker wins
    return strip, [(x - x0, y - y0) for _, x, y in placed]


def draw_text_to_height(text: str, font: Font, height: int) -> np.ndarray:
    """Coverage of the text drawn at the size that fills `height` rows, uint8 (height, width)."""
    # Rounding makes few different lowest rows, so few sizes, and the glyph cache keeps hitting.
    glyphs = [_glyph(font.path, float(height), ch) for ch in set(text)]
    lowest = max(top + ink.shape[0] if ink.size else 0 for ink, _, top, _ in glyphs)
    em = height * height / max(lowest, 1)
    strip = draw_text(text, font, em)
    while strip.shape[0] > height:
        em *= (height - 0.5) / strip.shape[0]
        strip = draw_text(text, font, em)
    return np.pad(strip, ((0, height - strip.shape[0]), (0, 0)))


@lru_cache(maxsize=8192)
def _ink_box(path: str, em: float, ch: str) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is inked in a glyph, which may have blank columns."""
    ink = _glyph(path, em, ch)[0]
    return (Image.fromarray(ink).getbbox() if ink.size else None) or (0, 0, 0, 0)
