"""Slanted lines are turned level; level ones are left alone."""

import cv2
import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from ocrkit.reader import load_reader
from ocrkit.reader.draw import Artist
from ocrkit.reader.faces import Faces
from ocrkit.reader.lines import prepare
from ocrkit.reader.straight import straighten
from ocrkit.reader.text import Texts
from ocrkit.synth.fonts import find_fonts
from ocrkit.synth.render import draw_text

TEXT = "오늘은 하늘이 맑고 바람이 분다"


def line(degrees: float = 0, text: str = TEXT, size: int = 28, light: bool = False) -> np.ndarray:
    """A line turned counter-clockwise, cut to its ink and a small margin."""
    ink = draw_text(text, find_fonts("koreanize")[0], size)
    reach = len(ink[0])
    ink = np.pad(ink, ((reach, reach), (40, 40)))
    middle = ink.shape[1] / 2, ink.shape[0] / 2
    ink = cv2.warpAffine(ink, cv2.getRotationMatrix2D(middle, degrees, 1), ink.shape[::-1])
    rows, columns = (np.flatnonzero(ink.max(axis=axis) > 60) for axis in (1, 0))
    ink = ink[rows[0] - 3 : rows[-1] + 4, columns[0] - 3 : columns[-1] + 4]
    return ink if light else 255 - ink


@pytest.mark.parametrize("degrees", [-14, -7, -3, 3, 7, 14])
@pytest.mark.parametrize("light", [False, True])
def test_a_slanted_line_becomes_as_low_as_a_level_one_and_is_read(degrees, light):
    level, slanted = line(), line(degrees, light=light)
    turned = straighten(slanted)
    assert turned.dtype == np.uint8
    assert len(slanted) > 1.3 * len(level)
    assert 0.9 * len(level) < len(turned) < 1.35 * len(level)
    (read,) = load_reader().read_lines([slanted])
    assert Levenshtein.distance(read.text, TEXT) <= 1
    assert all(0 <= a <= b <= slanted.shape[1] for a, b in read.spans)


def gap_of(image: np.ndarray) -> float:
    """The middle of the widest gap between letters as a share of the line's width."""
    columns = prepare(image).max(axis=0)
    inked = np.flatnonzero(columns > 128)
    widest = int(np.diff(inked).argmax())
    return float(inked[widest] + inked[widest + 1]) / 2 / len(columns)


@pytest.mark.parametrize("degrees", [-12, 12])
def test_words_keep_their_place_along_the_line(degrees):
    text = "가나다라 가나다라가나다라"
    assert gap_of(line(degrees, text)) == pytest.approx(gap_of(line(0, text)), abs=0.02)


def test_level_lines_are_left_as_they_are():
    artist = Artist(3, Faces("koreanize"), Texts(3, ["사과", "하늘", "바람"]))
    images = [artist.line().image for _ in range(150)]
    assert sum(straighten(image) is not image for image in images) <= 2


@pytest.mark.parametrize("text", ["가", "7", "7/", "가.", "(가)", "ㅡ"])
@pytest.mark.parametrize("degrees", [0, 10])
def test_a_few_letters_do_not_show_a_slant(text, degrees):
    image = line(degrees, text)
    assert straighten(image) is image


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (40, 3), (40, 400)])
def test_an_image_without_ink_is_left_as_it_is(shape):
    rng = np.random.default_rng(0)
    for image in (np.full(shape, 200, np.uint8), rng.integers(200, 210, shape).astype(np.uint8)):
        assert straighten(image) is image
