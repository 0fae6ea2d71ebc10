"""What the line reader is trained on: texts and drawn lines."""

import random

import numpy as np
import pytest

from ocrkit.hangul import decompose, is_syllable
from ocrkit.reader.charset import SIGNS, encode
from ocrkit.reader.draw import Artist
from ocrkit.reader.faces import Faces, drawable
from ocrkit.reader.text import Texts

WORDS = ["사과", "책", "하늘", "물"]


@pytest.fixture(scope="module")
def faces() -> Faces:
    return Faces("koreanize")


def test_texts_follow_the_seed_and_stay_in_the_charset():
    one, same, other = Texts(1, WORDS), Texts(1, WORDS), Texts(2, WORDS)
    lines = [one.line(30) for _ in range(300)]
    assert lines == [same.line(30) for _ in range(300)]
    assert lines != [other.line(30) for _ in range(300)]
    for line in lines:
        assert len(encode(line)) == len(line)
        assert line == " ".join(line.split())


def test_particles_fit_the_last_letter():
    texts = Texts(3, ["책"])
    said = {texts._noun() for _ in range(500)}
    assert {"책이", "책을", "책은"} <= said
    assert not {"책가", "책를", "책는"} & said


def test_lists_begin_at_one_more_often_than_they_end_at_fifteen():
    texts = Texts(5, WORDS)
    seen = "".join(texts._sequence() for _ in range(2000))
    assert seen.count("①") > 3 * seen.count("⑮") > 0


def test_lines_cover_signs_and_rare_syllables():
    texts = Texts(4, WORDS)
    seen = set("".join(texts.line(40) for _ in range(4000)))
    assert len(seen & set(SIGNS)) > 0.95 * len(SIGNS)
    assert sum(map(is_syllable, seen)) > 4000
    assert {decompose(ch)[2] for ch in seen if is_syllable(ch)} >= {"ㄳ", "ㄽ", "ㄾ", "ㅄ"}


def test_lines_follow_the_seed(faces):
    def draw(seed):
        artist = Artist(seed, faces, Texts(seed, WORDS))
        return [artist.line() for _ in range(20)]

    first, again, other = draw(5), draw(5), draw(6)
    assert [line.text for line in first] == [line.text for line in again]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    assert [line.text for line in first] != [line.text for line in other]


def test_drawn_lines_have_contrast_and_the_room_their_text_needs(faces):
    artist = Artist(7, faces, Texts(7, WORDS))
    for line in (artist.line() for _ in range(200)):
        assert line.image.dtype == np.uint8
        assert np.ptp(line.image) > 30
        assert line.text
        assert line.image.shape[1] > 0.1 * len(line.text) * line.image.shape[0]


def test_a_label_names_only_what_the_face_can_draw(faces):
    face, _ = faces.choose(random.Random(0))
    placed = drawable(" 가\U0010ffff  나 ", face, face, 20)
    assert "".join(ch for ch, _ in placed) == "가 나"
