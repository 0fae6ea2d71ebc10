"""Small scenes for detection and spotting: words on a page, with where they are and what they say.

As in SynthText (Gupta et al., CVPR 2016), who draws a scene knows its truth: a quadrilateral a word
and a character. Coordinates are continuous pixels, as in `ocrkit.synth.warps`: the pixel in row i
and column j covers [j, j + 1] x [i, i + 1].
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ocrkit.errors import OcrkitError
from ocrkit.synth.backgrounds import gaussian_noise, quasi_crystal, white
from ocrkit.synth.fonts import Font
from ocrkit.synth.warps import Line, SceneWord, bent_line

PAPERS = ("noise", "white", "quasi-crystal")
_FRACTION = 4  # OpenCV draws at 1/16 pixel
_LEAST_EM = 5  # smaller syllables are blots
_PLACES = 16  # tried for one line of text
_TRIES = 6  # lines tried for each word wanted


@dataclass(frozen=True)
class SceneSettings:
    """What scenes look like. Pairs are (least, most).

    Raises OcrkitError: numbers out of range, or an unknown paper.
    """

    size: tuple[int, int] = (128, 128)  # rows and columns of the grey image
    words: tuple[int, int] = (2, 6)  # words in a scene; fewer where no more fit
    em: tuple[int, int] = (14, 36)  # size of the letters, pixels
    # share of the lines that hold several words; `line_words` says how many
    line_share: float = 0.25
    line_words: tuple[int, int] = (2, 3)
    turned_share: float = 0.0  # share of the lines that are turned, by up to so many degrees
    angle: float = 30.0  # degrees
    curved_share: float = 0.0  # share of the lines that are bent, half to an arc, half to a wave
    # degrees that an arc turns from its start to its end; less on short words
    arc: tuple[float, float] = (40.0, 120.0)
    # a wave's crest as a share of the line's height; less on short words
    wave: tuple[float, float] = (0.15, 0.3)
    papers: tuple[str, ...] = PAPERS  # backgrounds to choose from, of `PAPERS`
    clutter: int = 4  # most shapes that are no text; they lie below the text
    ink: tuple[int, int] = (20, 75)  # grey of the letters, 0 is black

    def __post_init__(self) -> None:
        for name in ("words", "em", "line_words", "arc", "wave", "ink"):
            least, most = getattr(self, name)
            if not 0 <= least <= most:
                raise OcrkitError(f"{name} must be (least, most) of 0 or more, got {least}, {most}")
        if min(self.size) < 16 or self.em[0] < 6 or not self.words[0] or not self.line_words[0]:
            raise OcrkitError("a scene needs 16 pixels a side, letters of 6 pixels, and a word")
        if not all(0 <= s <= 1 for s in (self.line_share, self.turned_share, self.curved_share)):
            raise OcrkitError("line_share, turned_share and curved_share must lie in 0..1")
        if self.ink[1] > 255 or self.arc[1] > 180 or self.clutter < 0:
            raise OcrkitError("ink must lie in 0..255, arc in 0..180, clutter must be 0 or more")
        if not self.papers or not set(self.papers) <= set(PAPERS):
            raise OcrkitError(f"papers must be among {', '.join(PAPERS)}, got {self.papers}")


SCENES = {
    "upright": SceneSettings(),
    "rotated": SceneSettings(turned_share=0.8, angle=45.0),
    "curved": SceneSettings(turned_share=0.5, angle=20.0, curved_share=0.7, line_share=0.1),
}


@dataclass(frozen=True, eq=False)
class Scene:
    """A grey image, uint8 (H, W), and its words."""

    image: np.ndarray
    words: tuple[SceneWord, ...]


def scenes(
    count: int, seed: int, settings: SceneSettings, words: Sequence[str], fonts: Sequence[Font]
) -> Iterator[Scene]:
    """Scenes 0 to `count` of a seed, as `draw_scene`."""
    return (draw_scene(seed, index, settings, words, fonts) for index in range(count))


def draw_scene(
    seed: int, index: int, settings: SceneSettings, words: Sequence[str], fonts: Sequence[Font]
) -> Scene:
    """Scene number `index`; it depends on the arguments alone. Words do not overlap.

    words: texts to draw from, uniform with replacement; no spaces.
    Raises OcrkitError: no words or no fonts, or no word fits the image.
    """
    if not words or not fonts:
        raise OcrkitError("a scene needs words to draw from and fonts to draw with: give some")
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, index))))
    image = _paper(rng, settings.papers, settings.size)
    _add_clutter(image, rng, settings.clutter)
    taken = np.zeros(settings.size, bool)
    placed: list[SceneWord] = []
    wanted = int(rng.integers(*settings.words, endpoint=True))
    least, largest = settings.em
    for _ in range(_TRIES * wanted):
        em = int(rng.integers(least, largest, endpoint=True))
        several = 1
        if rng.random() < settings.line_share:
            several = int(rng.integers(*settings.line_words, endpoint=True))
        several = min(several, wanted - len(placed))
        texts = [words[int(i)] for i in rng.integers(len(words), size=several)]
        font = fonts[int(rng.integers(len(fonts)))]
        line = bent_line(texts, font, em, _draw_bend(rng, settings))
        if place := _free_place(line, taken, rng):
            _write(image, line, place, int(rng.integers(*settings.ink, endpoint=True)))
            placed.extend(word.moved(*place) for word in line.words)
        else:
            largest = max(least, largest - 2)  # what is small finds room
        if len(placed) == wanted:
            break
    if not placed:
        rows, columns = settings.size
        raise OcrkitError(f"no word fits a scene of {rows} x {columns}: use smaller letters (em)")
    return Scene(image, tuple(placed))


def word_image(
    text: str,
    font: Font,
    rng: np.random.Generator,
    size: tuple[int, int] = (32, 128),
    settings: SceneSettings = SCENES["upright"],
) -> tuple[np.ndarray, np.ndarray]:
    """One line of text alone, as large as the image allows, turned and bent as in scenes.

    text: may hold spaces.
    size: rows and columns.
    settings: only its turning, bending, papers and ink count; there is no clutter.
    Returns the image, uint8 `size`, and a quad for each character but spaces, float32 (n, 4, 2).
    Raises OcrkitError: nothing to draw, or too long for the image.
    """
    texts = text.split()
    if not texts:
        raise OcrkitError("an empty text cannot be drawn: give some characters")
    bend, em = _draw_bend(rng, settings), size[0]
    line = bent_line(texts, font, em, bend)
    while line.size[0] > size[0] or line.size[1] > size[1]:
        scale = min(size[0] / line.size[0], size[1] / line.size[1])
        em = min(em - 1, math.ceil(em * scale))  # most of the way at once, then by pixels
        if em < _LEAST_EM:
            raise OcrkitError(f"'{text}' is too long for {size[0]} x {size[1]}: use a wider image")
        line = bent_line(texts, font, em, bend)
    image = _paper(rng, settings.papers, size)
    top, left = (
        int(rng.integers(whole - own, endpoint=True))
        for whole, own in zip(size, line.size, strict=True)
    )
    _write(image, line, (left, top), int(rng.integers(*settings.ink, endpoint=True)))
    return image, np.concatenate([word.moved(left, top).character_quads for word in line.words])


def _draw_bend(rng: np.random.Generator, settings: SceneSettings) -> dict[str, float]:
    """How a line is turned and bent, as `bent_line` takes it."""
    turned, curved = rng.random(2) < (settings.turned_share, settings.curved_share)
    bend = {}
    if turned:
        bend["turn"] = math.radians(rng.uniform(-settings.angle, settings.angle))
    if curved and rng.random() < 0.5:
        bend["arc"] = math.radians(rng.uniform(*settings.arc)) * (1 if rng.random() < 0.5 else -1)
    elif curved:
        bend["wave"] = rng.uniform(*settings.wave)
        bend["phase"] = rng.uniform(0, 2 * math.pi)
    return bend


def _free_place(line: Line, taken: np.ndarray, rng: np.random.Generator) -> tuple[int, int] | None:
    """A free place (left, top) for the line, from then on taken; None if none was found."""
    rows, columns = line.size
    room = (taken.shape[0] - rows, taken.shape[1] - columns)
    if min(room) < 0 or line.overlaps_itself():
        return None
    own = line.footprint()
    for _ in range(_PLACES):
        top, left = (int(rng.integers(free, endpoint=True)) for free in room)
        there = taken[top : top + rows, left : left + columns]
        if not (there & own).any():
            there |= own
            return left, top
    return None


def _write(image: np.ndarray, line: Line, place: tuple[int, int], ink: int) -> None:
    """Ink the line into the image at (left, top), in place."""
    left, top = place
    area = image[top : top + line.size[0], left : left + line.size[1]]
    much = line.coverage().astype(np.uint16)
    area[...] = (area * (255 - much) + ink * much + 127) // 255


def _paper(rng: np.random.Generator, papers: tuple[str, ...], size: tuple[int, int]) -> np.ndarray:
    paper = papers[rng.integers(len(papers))]
    if paper == "white":
        return white(*size)
    return (gaussian_noise if paper == "noise" else quasi_crystal)(rng, *size)


def _add_clutter(image: np.ndarray, rng: np.random.Generator, most: int) -> None:
    """Draw 0 to `most` shapes that are no text into a grey image (H, W) uint8, in place."""
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
