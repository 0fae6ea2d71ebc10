"""Files of pages: what is whole is read, what is not says why in one line."""

import io

import numpy as np
import pypdfium2 as pdfium
import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from ocrkit.data import pictures
from ocrkit.page import PageFile


def marks(shade: int = 30) -> Image.Image:
    """A light page with a dark bar."""
    page = np.full((60, 200), 250, np.uint8)
    page[20:40, 30:170] = shade
    return Image.fromarray(page)


def pdf(pages: int, encrypt: object = None, size: tuple[float, float] = (600, 300)) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=size, encrypt=encrypt)
    for number in range(pages):
        canvas.drawString(20, 50, f"page {number}")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


@pytest.fixture
def file(tmp_path):
    def write(content: bytes, name: str = "scan[1]"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def test_the_pages_of_a_pdf_are_drawn_one_by_one(file):
    opened = PageFile(file(pdf(3)))
    assert len(opened) == 3
    pages = [np.asarray(opened.page(i)) for i in range(3)]
    assert pages[0].shape == pytest.approx((300 * 200 / 72, 600 * 200 / 72), abs=2)
    assert pages[0].min() < 50 < 250 < pages[0].max()
    assert not np.array_equal(pages[0], pages[1])


@pytest.mark.parametrize("size", [(60, 80), (3, 4), (0.03, 0.04), (200, 2)])
def test_a_page_as_small_as_a_stamp_is_drawn_large_enough_to_read(file, size):
    page = PageFile(file(pdf(1, size=size))).page(0)
    assert max(page.size) == pytest.approx(1000, abs=2)


def test_the_pages_of_a_tiff_are_all_there(file):
    out = io.BytesIO()
    first, *rest = (marks(shade) for shade in (0, 60, 120))
    first.save(out, "TIFF", save_all=True, append_images=rest)
    opened = PageFile(file(out.getvalue()))
    assert [np.asarray(opened.page(i)).min() for i in range(len(opened))] == [0, 60, 120]


@pytest.mark.parametrize("mode", ["CMYK", "I;16", "1", "RGBA", "P"])
def test_scans_of_every_depth_and_colour_look_alike(file, mode):
    page = marks()
    if mode == "I;16":
        page = Image.fromarray(np.asarray(page).astype(np.uint16) * 257)
    else:
        page = page.convert("RGB").convert(mode)
    out = io.BytesIO()
    page.save(out, "TIFF")
    grey = PageFile(file(out.getvalue())).page(0)
    assert grey.mode == "L"
    levels = np.asarray(grey)
    assert levels[:15].mean() > 240
    assert levels[22:38, 35:165].mean() < 40


def test_an_encrypted_pdf_says_what_to_do(file, refused):
    locked = file(pdf(1, StandardEncryption("secret", canPrint=0)))
    with refused(r"scan\[1\]: the PDF is encrypted: save a copy without a password"):
        PageFile(locked)


def test_a_broken_pdf_a_text_and_an_empty_file_are_named(file, refused):
    with refused(r"scan\[1\]: the PDF is broken"):
        PageFile(file(b"%PDF-1.7\nand then nothing"))
    with refused(r"scan\[1\]: the image does not decode: this is no picture file"):
        PageFile(file("이것은 글입니다".encode()))
    with refused(r"scan\[1\] is empty"):
        PageFile(file(b""))
    with refused("nowhere.png is missing"):
        PageFile("nowhere.png")
    with refused("is a folder: give an ordinary file"):
        PageFile(file(b"x").parent)


def test_a_pdf_without_pages_is_named(file, refused):
    empty = io.BytesIO()
    pdfium.PdfDocument.new().save(empty)
    with refused("PDF has no pages|PDF is broken"):
        PageFile(file(empty.getvalue()))


def test_half_a_picture_is_named(file, refused):
    out = io.BytesIO()
    marks().save(out, "PNG")
    opened = PageFile(file(out.getvalue()[:-60]))
    with refused(r"scan\[1\]: the image does not decode"):
        opened.page(0)


def test_a_picture_too_large_for_the_memory_is_named(file, refused, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 5000)
    out = io.BytesIO()
    marks().save(out, "PNG")
    with refused(r"enormous \(200 x 60\): cut or shrink it"):
        PageFile(file(out.getvalue())).page(0)


def test_a_poster_is_drawn_coarsely_enough(file):
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(14_000, 14_000))
    canvas.showPage()
    canvas.save()
    page = PageFile(file(out.getvalue())).page(0)
    assert 0.5 * pictures.MAX_PIXELS < page.width * page.height <= pictures.MAX_PIXELS
