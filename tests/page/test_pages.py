"""A page that was read: text, boxes, JSON, HTML, hOCR and a searchable PDF say the same."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageDraw, ImageFont
from stand_in import StandIn

import ocrkit
from ocrkit.page import Page, read
from ocrkit.page.measure import match, measure_page
from ocrkit.page.output import to_hocr, write_pdf
from ocrkit.page.synthetic import SyntheticPage, draw_page
from ocrkit.synth.fonts import find_fonts

TEXT = "가격은 ② 5㎡ <뷁>"


@pytest.fixture(scope="module")
def drawn() -> SyntheticPage:
    return draw_page("receipt", seed=1)


@pytest.fixture(scope="module")
def page(drawn) -> Page:
    return read(drawn.image, reader=StandIn(TEXT))


def test_boxes_lie_on_the_lines_of_the_file_though_it_stands_askew(drawn, page):
    assert page.turned == pytest.approx(drawn.turned, abs=0.4)
    matches = match(drawn, [line.corners for line in page.lines])
    assert sum(m is not None for m in matches) >= 0.95 * len(matches)


def test_words_are_those_of_the_lines_from_left_to_right(page):
    assert page.text.splitlines() == [TEXT] * len(page.lines)
    assert [word.text for word in page.words] == TEXT.split() * len(page.lines)
    for line in page.lines:
        lefts = [word.box[0] for word in line.words]
        rights = [word.box[0] + word.box[2] for word in line.words]
        assert line.box[0] <= lefts[0]
        assert all(right <= left for right, left in zip(rights, lefts[1:], strict=False))
        assert rights[-1] <= line.box[0] + line.box[2]


def test_json_holds_what_the_page_holds(page):
    read_back = json.loads(json.dumps(page.to_dict()))
    assert (read_back["width"], read_back["height"]) == page.image.size
    assert [line["text"] for line in read_back["lines"]] == page.text.splitlines()
    assert read_back["lines"][0]["words"][1]["text"] == "②"


def test_a_word_has_the_confidence_of_its_own_characters(drawn):
    class Doubtful(StandIn):
        def _say(self, crop):
            said = super()._say(crop)
            return replace(said, probabilities=[0.9, 0.9, 1.0, 0.8, 0.2])

    page = read(drawn.image, reader=Doubtful("가나 다라"))
    for first, second in (line.words for line in page.lines):
        assert (first.confidence, first.character_confidences) == (0.9, (0.9, 0.9))
        assert (second.confidence, second.character_confidences) == (0.4, (0.8, 0.2))
    written = json.loads(json.dumps(page.to_dict()))["lines"][0]["words"][1]
    assert (written["confidence"], written["character_confidences"]) == (0.4, [0.8, 0.2])
    assert "x_wconf 40" in to_hocr([("page", page)])


def test_a_notebook_shows_picture_boxes_and_text(page):
    shown = page._repr_html_()
    assert shown.count("<rect") == len(page.lines)
    assert "data:image/png;base64," in shown
    assert "&lt;뷁&gt;" in shown
    assert "<뷁>" not in shown


def test_the_text_of_a_searchable_pdf_copies_right_and_is_not_seen(page, tmp_path):
    path = tmp_path / "out.pdf"
    write_pdf([page, page], path)
    document = pdfium.PdfDocument(path)
    assert len(document) == 2
    copied = document[1].get_textpage().get_text_range().split("\r\n")
    assert [" ".join(line.split()) for line in copied if line] == page.text.splitlines()
    size = page.image.size
    seen = document[0].render(scale=200 / 72, grayscale=True).to_pil().convert("L").resize(size)
    assert np.abs(np.asarray(seen, float) - np.asarray(page.image, float)).mean() < 8
    document.close()


def test_a_word_of_the_pdf_stands_on_its_picture(page, tmp_path):
    write_pdf([page], tmp_path / "out.pdf")
    document = pdfium.PdfDocument(tmp_path / "out.pdf")
    text = document[0].get_textpage()
    left, bottom, right, top = text.get_charbox(0)
    x, y, width, height = (value * 72 / 200 for value in page.lines[0].box)
    assert x - 2 <= left < right <= x + width / 4
    assert y - 2 <= page.image.height * 72 / 200 - top
    assert page.image.height * 72 / 200 - bottom <= y + height + 4
    document.close()


def test_hocr_is_well_formed_with_a_box_for_each_word(page):
    root = ElementTree.fromstring(to_hocr([('a "b" & c.png', page)]))
    spans = [e for e in root.iter() if e.get("class") == "ocrx_word"]
    assert [span.text for span in spans] == [word.text for word in page.words]
    x, y, width, height = page.words[0].box
    assert spans[0].get("title").startswith(f"bbox {x} {y} {x + width} {y + height};")


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_page_is_turned_to_where_its_lines_are_read_best(quarters):
    upright = np.full((240, 400), 255, np.uint8)
    for y in range(30, 220, 40):
        for x in range(30, 360, 22):  # heavy above, light below
            upright[y : y + 9, x : x + 18] = 0
            upright[y + 9 : y + 20, x + 8 : x + 10] = 0
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(upright, quarters)))
    turned = read(lying, reader=StandIn(upright=True))
    assert turned.turned == (-90 * quarters) % 360
    assert len(turned.lines) == 5
    assert np.abs(np.asarray(turned.image).astype(int) - upright).max() == 0


def test_an_empty_page_has_no_text_and_still_shows_itself(tmp_path):
    blank = read(Image.new("L", (300, 200), 255), reader=StandIn())
    assert (blank.text, blank.lines, blank.words) == ("", (), [])
    assert "<svg" in blank._repr_html_()
    write_pdf([blank], tmp_path / "blank.pdf")
    assert ElementTree.fromstring(to_hocr([("blank", blank)])) is not None


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1)])
def test_a_picture_of_one_pixel_or_one_row_is_an_empty_page(size):
    assert read(Image.new("L", size, 90), reader=StandIn()).text == ""


def test_what_the_reader_doubts_is_left_out_and_counted(drawn):
    doubted = read(drawn.image, reader=StandIn(confidence=0.1))
    assert doubted.lines == ()
    assert doubted.left_out > 5


def test_a_page_without_text_is_left_as_it_stands(drawn):
    page = read(drawn.image, reader=StandIn(confidence=0.1))
    assert page.turned == 0
    assert np.array_equal(np.asarray(page.image), drawn.image)


def test_a_file_of_several_pages_wants_a_number(tmp_path, refused):
    path = tmp_path / "two.tiff"
    page = Image.new("L", (50, 50), 255)
    page.save(path, save_all=True, append_images=[page])
    with refused("has 2 pages: say which, as in page=1"):
        read(path, reader=StandIn())
    assert read(path, page=2, reader=StandIn()).text == ""
    with refused("has no page 3: it has 2"):
        read(path, page=3, reader=StandIn())
    with refused("page= is for files"):
        read(page, page=1, reader=StandIn())
    for odd in (np.zeros((4, 4, 9)), np.zeros(9, np.uint8), b"bytes", [], None):
        with refused(r"give a file's name, a Pillow picture, or an array \(H, W\)"):
            read(odd, reader=StandIn())
    for shape in ((0, 10), (10, 0), (0, 10, 3)):
        with refused("the picture is empty"):
            read(np.zeros(shape, np.uint8), reader=StandIn())
    with refused("the picture is empty"):
        read(Image.new("L", (0, 10)), reader=StandIn())


def test_a_picture_is_read_by_the_kits_own_reader_if_no_other_is_given():
    picture = Image.new("L", (500, 160), 255)
    face = ImageFont.truetype(find_fonts("koreanize")[0].path, 40)
    ImageDraw.Draw(picture).text((30, 50), "오늘은 하늘이 맑다", fill=0, font=face)
    for source in (picture, np.asarray(picture.convert("RGB"))):
        assert ocrkit.read(source).text == "오늘은 하늘이 맑다"


def test_a_row_of_the_table_counts_what_was_missed_and_misread(drawn, page):
    row = measure_page(drawn, page)
    assert row["found"] <= row["lines"] == len(drawn.lines)
    assert row["order"] == 1.0
    assert row["cer"] > 0.5, "the stand-in reads nothing right"


def test_read_is_offered_by_ocrkit_itself():
    assert ocrkit.read is read
