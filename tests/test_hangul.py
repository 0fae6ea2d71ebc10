"""Syllables and jamo against Unicode's own tables; the named charsets."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.hangul import (
    LEADS,
    TAILS,
    VOWELS,
    charset,
    compose,
    decompose,
    is_syllable,
    nfc,
    to_jamo,
)

SYLLABLES = [chr(code) for code in range(0xAC00, 0xD7A4)]


@pytest.mark.parametrize(
    ("syllable", "letters"),
    [
        ("가", ("ㄱ", "ㅏ", "")),
        ("한", ("ㅎ", "ㅏ", "ㄴ")),
        ("값", ("ㄱ", "ㅏ", "ㅄ")),
        ("뷁", ("ㅂ", "ㅞ", "ㄺ")),
        ("힣", ("ㅎ", "ㅣ", "ㅎ")),
    ],
)
def test_known_syllables(syllable, letters):
    assert decompose(syllable) == letters
    assert compose(*letters) == syllable


def test_every_syllable_comes_apart_and_together():
    assert len(SYLLABLES) == len(LEADS) * len(VOWELS) * len(TAILS) == 11_172
    assert [compose(*decompose(c)) for c in SYLLABLES] == SYLLABLES
    assert len({decompose(c) for c in SYLLABLES}) == 11_172


def test_letters_are_those_of_unicode():
    # Unicode decomposes into conjoining jamo, laid out in the same order as our three lists.
    for syllable in SYLLABLES:
        parts = unicodedata.normalize("NFD", syllable)
        tail = TAILS[ord(parts[2]) - 0x11A7] if len(parts) == 3 else ""
        assert decompose(syllable) == (
            LEADS[ord(parts[0]) - 0x1100],
            VOWELS[ord(parts[1]) - 0x1161],
            tail,
        )


@pytest.mark.parametrize(
    "text", ["", "ㄱ", "ㅏ", "a", "가나", "漢", "\u1100\u1161", "\ud7a4", "\uabff"]
)
def test_what_is_no_syllable(text, refused):
    assert not is_syllable(text)
    with refused("not one Hangul syllable"):
        decompose(text)


@pytest.mark.parametrize(
    "letters",
    [("", "ㅏ"), ("ㄱ", ""), ("ㄳ", "ㅏ"), ("ㅏ", "ㄱ"), ("ㄱ", "ㅏ", "ㄸ"), ("ㄱㄴ", "ㅏ")],
)
def test_letters_that_make_no_syllable(letters, refused):
    with refused("no syllable has the letters"):
        compose(*letters)


def test_to_jamo_leaves_other_characters():
    assert to_jamo("한글 OCR 값!") == "ㅎㅏㄴㄱㅡㄹ OCR ㄱㅏㅄ!"


@given(st.text(alphabet=st.one_of(st.sampled_from(SYLLABLES), st.characters(codec="utf-8"))))
def test_nfd_and_nfc_spell_the_same(text):
    decomposed = unicodedata.normalize("NFD", text)
    assert nfc(decomposed) == nfc(text)
    assert to_jamo(decomposed) == to_jamo(text)


@pytest.mark.parametrize(("name", "size"), [("972", 972), ("ksx1001", 2350)])
def test_charsets(name, size):
    characters = charset(name)
    assert len(characters) == len(set(characters)) == size
    assert all(map(is_syllable, characters))
    assert list(characters) == sorted(characters)


def test_ksx1001_has_common_syllables_and_not_rare_ones():
    common = charset("ksx1001")
    assert common[0] == "가"
    assert common[-1] == "힝"
    assert not set("똠펲뷁쌰햏") & set(common)


def test_unknown_charset(refused):
    with refused("choose 972 or ksx1001"):
        charset("utf-8")
