"""Text to ink: a mask of coverage, drawn from a cache of glyphs."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFont

from ocrkit.errors import OcrkitError
from ocrkit.synth.fonts import Font, mask_bytes


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


@dataclass(frozen=True, slots=True)
class Glyph:
    """One drawn character: ink (h, w) uint8, its offset from the pen, and the pen's advance."""

    ink: np.ndarray
    left: int
    top: int  # below the ascender line
    advance: float


# A face per size is cheap; glyphs take about 3 kB each, so these bounds hold a process to 25 MB.
@lru_cache(maxsize=128)
def _face(path: str, em: float) -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(path, em, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise OcrkitError(f"cannot open the font {path}: {error}; choose another font") from error


@lru_cache(maxsize=8192)
def _glyph(path: str, em: float, ch: str) -> Glyph:
    face = _face(path, em)
    ink, (left, top) = face.getmask2(ch, mode="L")
    width, height = ink.size
    pixels = np.frombuffer(mask_bytes(ink), np.uint8).reshape(height, width)
    return Glyph(pixels, left, top, face.getlength(ch))


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
    glyphs = [_glyph(font.path, em, ch) for ch in text]
    placed, pen = [], 0.0
    for glyph in glyphs:
        placed.append((glyph.ink, round(pen) + glyph.left, glyph.top))
        pen += glyph.advance
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
    lowest = max(_lowest(font.path, float(height), ch) for ch in set(text))
    em = height * height / max(lowest, 1)
    strip = draw_text(text, font, em)
    while strip.shape[0] > height:
        em *= (height - 0.5) / strip.shape[0]
        strip = draw_text(text, font, em)
    return np.pad(strip, ((0, height - strip.shape[0]), (0, 0)))


@lru_cache(maxsize=65536)
def _lowest(path: str, em: float, ch: str) -> int:
    glyph = _glyph(path, em, ch)
    return glyph.top + glyph.ink.shape[0] if glyph.ink.size else 0


@lru_cache(maxsize=8192)
def _ink_box(path: str, em: float, ch: str) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is inked in a glyph, which may have blank columns."""
    ink = _glyph(path, em, ch).ink
    return (Image.fromarray(ink).getbbox() if ink.size else None) or (0, 0, 0, 0)
