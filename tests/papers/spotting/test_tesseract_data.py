"""Tesseract's file of a language is taken apart: ours, made by hand, and the installed one."""

import struct

import pytest

from ocrkit.papers.spotting.tesseract import INSTALL, installed
from ocrkit.papers.spotting.tesseract_data import language_data, parse_data

needs_tesseract = pytest.mark.skipif(
    not installed(), reason="the program tesseract or its Korean data is not installed"
)
CODES = {"가": (4, 5, 6), "1": (2,), "각": (4, 5, 7)}


def traineddata(characters=tuple(CODES), **others: bytes) -> bytes:
    """A file of three characters, laid out as Tesseract lays it out."""
    codes = struct.pack("<I", len(CODES))
    for each in CODES.values():
        codes += struct.pack(f"<bI{len(each)}i", 1, len(each), *each)
    listed = "\n".join([str(len(characters)), *(f"{c} 1 0 0" for c in characters)])
    parts = {
        0: b"#a remark of words\npreserve_interword_spaces 1\n",
        17: bytes(1000),
        21: listed.encode(),
        22: codes,
        23: b"4.0:kor:[1,48,0,1Ct3,3,16O1c1]",
    }
    begins, at = [-1] * 24, 4 + 8 * 24
    for number, part in parts.items():
        begins[number], at = at, at + len(part)
    return struct.pack("<i24q", 24, *begins) + b"".join(parts.values())


def test_a_file_is_taken_apart(tmp_path):
    path = tmp_path / "kor.traineddata"
    path.write_bytes(traineddata())
    data = parse_data(path)
    assert data.network == "[1,48,0,1Ct3,3,16O1c1]"
    assert data.config == {"preserve_interword_spaces": "1"}
    assert data.spelling == CODES
    assert data.bytes["network"] == 1000


@pytest.mark.parametrize(
    "broken", [b"", b"no data at all", traineddata(characters=("가",)), traineddata()[:300]]
)
def test_a_broken_file_is_said(tmp_path, refused, broken):
    path = tmp_path / "kor.traineddata"
    path.write_bytes(broken)
    with refused("kor.traineddata is no data of Tesseract 4 or 5: install it"):
        parse_data(path)


@needs_tesseract
def test_the_installed_korean_spells_a_syllable_in_three_codes(refused):
    data = language_data()
    syllables = {c: codes for c, codes in data.spelling.items() if "가" <= c <= "힣"}
    assert {len(codes) for codes in syllables.values()} == {3}
    ga, gak, gan, na = (syllables[c] for c in "가각간나")
    assert ga[:2] == gak[:2] == gan[:2]  # initial and vowel are shared
    assert len({ga[2], gak[2], gan[2]}) == 3
    assert na[1:] == ga[1:]
    assert data.network.startswith("[1,48,0,1")
    with refused(f"no data for xxx: {INSTALL}"):
        language_data("xxx")
