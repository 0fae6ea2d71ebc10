"""What the line reader is trained on: texts and drawn lines."""

import random
from collections import Counter

import numpy as np
import pytest

from ocrkit.hangul import decompose, is_syllable
from ocrkit.reader.charset import SIGNS, encode
from ocrkit.reader.draw import Artist
from ocrkit.reader.faces import Faces, drawable
from ocrkit.reader.text import Texts
from ocrkit.synth.fonts import Font, find_fonts

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


def test_a_dictionary_adds_its_nouns_predicates_and_forms(tmp_path, monkeypatch):
    listed = tmp_path / "ko.dic"
    words = ["5", "솔방울/10", "갸웃하다/3", "먹었던/7", "kg/10", "/10"]
    listed.write_text("\n".join(words), encoding="utf-8")
    monkeypatch.setattr("ocrkit.reader.text.HUNSPELL", listed)
    texts, without = Texts(1), Texts(1, WORDS)
    assert texts.nouns[-1] == "솔방울"
    assert "사과" in texts.nouns
    assert set(texts.predicates) - set(without.predicates) == {"갸웃하다"}
    assert set(texts.forms) - set(without.forms) == {"먹었던"}


def test_serif_and_sans_are_drawn_alike_often_and_fancy_faces_seldom(monkeypatch):
    file = find_fonts("koreanize")[0].path
    names = ["Gothic", "Dotum", "Gulim", "Batang", "Nanum Pen", "YetHangul"]
    there = [Font(name, file, "") for name in names]
    monkeypatch.setattr("ocrkit.reader.faces.find_fonts", lambda source: there)
    faces, rng = Faces("a folder"), random.Random(0)
    drawn = Counter(faces.choose(rng)[0].name for _ in range(4000))
    assert drawn.keys() == set(names[:-1]), "old forms of Hangul are no face to read"
    assert drawn["Batang"] / 4000 == pytest.approx(0.45, abs=0.03)
    assert drawn["Dotum"] / 4000 == pytest.approx(0.15, abs=0.03)
    assert drawn["Nanum Pen"] / 4000 == pytest.approx(0.1, abs=0.03)


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
