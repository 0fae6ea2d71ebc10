"""Tesseract's answers are understood; where the program is installed, it is run too."""

import shutil
import sys

import numpy as np
import pytest

from ocrkit.papers.spotting import tesseract
from ocrkit.papers.spotting.tesseract import installed, parse, read_images
from ocrkit.synth.fonts import find_fonts
from ocrkit.synth.kinds import Background

needs_tesseract = pytest.mark.skipif(
    not installed(), reason="the program tesseract or its Korean data is not installed"
)
PLAIN = Background(papers=("white",))
HEAD = (
    "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"
)


def row(level, page, numbers, box, confidence=-1, text=""):
    return "\t".join(map(str, (level, page, *numbers, *box, confidence, text)))


TABLE = "\n".join(
    [
        HEAD,
        row(1, 1, (0, 0, 0, 0), (0, 0, 200, 60)),
        row(2, 1, (1, 0, 0, 0), (10, 10, 120, 40)),
        row(3, 1, (1, 1, 0, 0), (10, 10, 120, 40)),
        row(4, 1, (1, 1, 1, 0), (10, 10, 120, 20)),
        row(5, 1, (1, 1, 1, 1), (10, 10, 20, 20), 91.5, "전"),
        row(5, 1, (1, 1, 1, 2), (30, 12, 42, 18), 93.0, "세방"),
        row(5, 1, (1, 1, 1, 3), (80, 10, 50, 20), 96.0, "사절"),
        row(4, 1, (1, 1, 2, 0), (10, 40, 40, 10)),
        row(5, 1, (1, 1, 2, 1), (10, 40, 40, 10), 50.0, '"'),
        row(1, 2, (0, 0, 0, 0), (0, 0, 200, 60)),
        row(5, 2, (1, 1, 1, 1), (0, 0, 200, 60), 95.0, " "),
    ]
)


def test_pieces_are_put_together_as_the_text_has_its_spaces():
    page, empty = parse(TABLE, '전세방 사절\n"\n\f \n\f', 2)
    assert page.words == ("전세방", "사절", '"')
    assert page.quads[0].tolist() == [[10, 10], [72, 10], [72, 30], [10, 30]]
    found = {name: len(quads) for name, quads in page.areas.items()}
    assert found == {"block": 1, "paragraph": 1, "line": 2, "piece": 4}
    assert empty.words == ()
    assert empty.quads.shape == (0, 4, 2)


def test_quads_come_back_in_the_pixels_of_the_image_given():
    page = parse(TABLE, '전세방 사절\n"\n\f', 1, scale=2)[0]
    assert page.quads[1].tolist() == [[40, 5], [65, 5], [65, 15], [40, 15]]
    assert page.areas["block"][0].tolist() == [[5, 5], [65, 5], [65, 25], [5, 25]]


@pytest.mark.parametrize("text", ["다른 말\n\f", "전세방 사절\n\f", "\f", ""])
def test_where_text_and_table_disagree_the_pieces_stand(text):
    words = parse(TABLE, text, 1)[0].words
    assert words == ("전", "세방", "사절", '"') if text[:1] != "전" else ("전세방", "사절", '"')


def test_a_number_is_read_as_it_is_written():
    table = "\n".join([HEAD, row(5, 1, (1, 1, 1, 1), (0, 0, 9, 9), 95.0, "007")])
    assert parse(table, "007\n\f", 1)[0].words == ("007",)


def test_a_missing_program_is_said(monkeypatch, refused):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert not installed()
    with refused("program tesseract is not installed: install it: apt-get install tesseract-ocr"):
        read_images([np.zeros((8, 8), np.uint8)])


def test_a_missing_package_is_said(monkeypatch, refused):
    monkeypatch.setitem(sys.modules, "pytesseract", None)
    assert not installed()
    with refused("package pytesseract is not installed: install it: .* pip install pytesseract"):
        read_images([np.zeros((8, 8), np.uint8)])


def test_an_unknown_mode_is_refused(refused):
    with refused("no mode 'poem': choose one of page, block, line"):
        read_images([np.zeros((8, 8), np.uint8)], mode="poem")


@needs_tesseract
def test_a_missing_language_is_said(refused):
    with refused("no data for xxx: install it"):
        read_images([np.zeros((8, 8), np.uint8)], language="kor+xxx")


@needs_tesseract
def test_it_reads_korean_and_blank_pages_in_one_call():
    rng = np.random.default_rng(0)
    font = find_fonts("koreanize")[0]
    drawn = [np.asarray(PLAIN.draw(t, font, rng)) for t in ("우리 학교", "사람 시간")]
    blank = np.full((64, 200), 255, np.uint8)
    first, none, last = read_images([drawn[0], blank, drawn[1]], "block")
    assert (first.text, last.text) == ("우리 학교", "사람 시간")
    assert none.text.strip() == ""
    assert first.words == ("우리", "학교")
    assert (first.quads >= 0).all()
    assert (first.quads <= drawn[0].shape[::-1]).all()
    assert read_images([], "page") == []


@needs_tesseract
def test_the_switch_for_spaces_changes_spaces_alone():
    rng = np.random.default_rng(1)
    image = np.asarray(PLAIN.draw("전세방 튀김 꼬불꼬불", find_fonts("koreanize")[0], rng))
    on, off = (read_images([image], "line", spaces=spaces)[0].text for spaces in (True, False))
    assert on == "전세방 튀김 꼬불꼬불"
    assert off.count(" ") > on.count(" ")
    assert off.replace(" ", "") == on.replace(" ", "")


@needs_tesseract
def test_a_failure_is_said_in_one_line(monkeypatch, refused):
    monkeypatch.setattr(tesseract, "_write", lambda path, image, scale: None)
    with refused("tesseract failed .*cannot be read"):
        read_images([np.zeros((8, 8), np.uint8)])
