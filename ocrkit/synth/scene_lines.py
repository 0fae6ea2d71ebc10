"""Lines of text for scenes: words, their characters, and where all of them are once bent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np

from ocrkit.synth.fonts import Font
from ocrkit.synth.render import draw_text_boxes
from ocrkit.synth.warps import Warp, min_area_rectangle, rectangles_overlap, warp_boxes, warp_mask

GAP = 2  # pixels around each line that stay free


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
