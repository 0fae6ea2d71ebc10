"""Whatever mode, depth, kind of file or orientation a picture comes in, the same line is seen."""

import numpy as np
import pytest
from pictures import encoded, picture
from PIL import Image, ImageDraw

from ocrkit.data import pictures
from ocrkit.data.cache import resize
from ocrkit.data.pictures import FORMATS, contrast_problem, decode, to_grey


def line(ink: int = 20, paper: int = 240, size: tuple[int, int] = (60, 24)) -> Image.Image:
    """Dark marks on light paper, another shape at each of the four sides."""
    image = Image.new("L", size, paper)
    draw = ImageDraw.Draw(image)
    draw.rectangle((4, 4, 14, 18), fill=ink)
    draw.rectangle((20, 10, 50, 13), fill=ink)
    return image


def same(grey: Image.Image, wanted: Image.Image, within: float = 3) -> None:
    assert grey.mode == "L"
    assert grey.size == wanted.size
    difference = np.abs(np.asarray(grey, float) - np.asarray(wanted, float))
    assert difference.mean() <= within, f"{difference.mean():.1f} grey levels apart"


def in_mode(mode: str, grey: Image.Image) -> Image.Image:
    """The picture in a mode, with the values that the mode's full scale asks for."""
    if mode.startswith("I"):
        values = np.asarray(grey).astype(np.uint16) * 257
        if mode == "I":
            return Image.fromarray(values.astype(np.int32))
        order = ">u2" if mode == "I;16B" else "<u2"
        return Image.frombytes(mode, grey.size, values.astype(order).tobytes())
    if mode == "F":
        return Image.fromarray(np.asarray(grey, np.float32) / 255)
    if mode == "LAB":
        flat = Image.new("L", grey.size, 128)
        return Image.merge("LAB", (grey, flat, flat))
    if mode == "PA":
        return grey.convert("RGB").quantize(8).convert(mode)
    before = {"La": "LA", "RGBa": "RGBA", "HSV": "RGB", "YCbCr": "RGB"}.get(mode, "L")
    grey = grey.convert(before)
    return grey.convert(mode)


@pytest.mark.parametrize("mode", Image.MODES)
def test_every_mode_that_pillow_knows_shows_the_same_line(mode):
    image = in_mode(mode, line())
    assert image.mode == mode
    same(to_grey(image), line(0, 255) if mode == "1" else line(), within=20 if mode == "1" else 3)
    assert np.ptp(resize(image, 60, 24)) > 150, "what is drawn in a notebook passes there too"


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        *(("TIFF", mode) for mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK")),
        *(("TIFF", mode) for mode in ("YCbCr", "LAB", "I", "F", "I;16", "I;16B", "I;16L")),
        *(("JPEG", mode) for mode in ("L", "RGB", "CMYK")),
        *(("BMP", mode) for mode in ("1", "L", "P", "RGB", "RGBA")),
        *(("GIF", mode) for mode in ("1", "L", "P", "RGB", "RGBA")),
        *(("WEBP", mode) for mode in ("L", "RGB", "RGBA")),
        *(("PPM", mode) for mode in ("1", "L", "RGB", "I;16")),
        *(("JPEG2000", mode) for mode in ("L", "RGB", "RGBA", "I;16")),
        ("AVIF", "RGB"),
    ],
)
def test_every_kind_of_file_shows_the_same_line(kind, mode):
    wanted = line(0, 255) if mode in ("1", "P") else line()
    same(decode(encoded(in_mode(mode, line()), kind)), wanted, 30 if mode in ("1", "P") else 6)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_files_of_fewer_bits_are_neither_black_nor_white(bits, kind):
    scale = (2**bits - 1) / 255
    values = np.rint(np.asarray(line(paper=250), float) * scale).astype(np.uint16)
    same(decode(encoded(Image.fromarray(values), kind)), line(paper=250))


@pytest.mark.parametrize("scale", [1 / 255, 1, 257])
def test_fractions_and_large_floats(scale):
    values = np.asarray(line(), np.float32) * scale
    same(decode(encoded(Image.fromarray(values), "TIFF")), line())


@pytest.mark.parametrize("wrong", [-5.0, float("nan"), float("inf"), 1e6])
def test_floats_without_a_known_scale_are_refused(wrong, refused):
    values = np.asarray(line(), np.float32).copy()
    values[0, 0] = wrong
    with refused("values run from .*: save it as 8-bit greyscale"):
        decode(encoded(Image.fromarray(values), "TIFF"))


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("tag", TURNS)
def test_photographs_are_turned_as_their_exif_says(kind, tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    lying = line().convert("RGB").transpose(TURNS[tag])
    same(decode(encoded(lying, kind, exif=exif)), line(), within=6)


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0junk", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 9]
)
def test_broken_exif_does_not_spoil_a_whole_picture(exif):
    same(decode(encoded(line().convert("RGB"), "JPEG", exif=exif)), line(), within=6)


def drawn_on_nothing(ink: int) -> bytes:
    """Marks of one grey on full transparency, whose hidden colour is the ink's own."""
    layers = Image.new("LA", (60, 24), (ink, 0))
    layers.paste((ink, 255), (10, 5, 20, 15))
    return encoded(layers.convert("RGBA"))


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (40, 255), (128, 255), (255, 0), (220, 0)])
def test_ink_on_transparency_is_seen_whatever_its_colour(ink, paper):
    grey = np.asarray(decode(drawn_on_nothing(ink)))
    assert (grey[0, 0], grey[10, 15]) == (paper, ink)


def test_files_that_pillow_would_hand_to_another_program_are_not_opened(monkeypatch, refused):
    from PIL import EpsImagePlugin

    def started(*_, **__):
        raise AssertionError("Ghostscript was asked")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", started)
    eps = encoded(line(), "EPS")
    with refused("no picture file .*PNG, JPEG"):
        decode(eps)
    assert not {"EPS", "WMF", "PSD", "FITS", "GRIB"} & set(FORMATS)


@pytest.mark.filterwarnings("error")
def test_an_enormous_picture_is_not_unpacked(refused):
    # A few kilobytes that would fill 100 or 400 MB: Pillow must not come to that, nor warn.
    for side in (9_800, 20_000):
        small = encoded(Image.new("1", (side, side)))
        assert len(small) < 200_000
        with refused("enormous"):
            decode(small)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"text, not a picture", picture(0)[:40]])
def test_what_does_not_decode(content, refused):
    with refused("the image (is empty|does not decode)"):
        decode(content)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000"])
def test_files_cut_anywhere_are_one_line(kind, refused):
    whole = encoded(line().convert("RGB"), kind)
    for length in range(0, len(whole) * 3 // 4, max(len(whole) // 12, 1)):
        with refused("the image (is empty|does not decode)"):
            decode(whole[:length])


def test_a_picture_of_one_grey_is_named():
    assert contrast_problem(line()) == ""
    assert contrast_problem(Image.new("L", (9, 9), 7)).startswith(
        "the image has no contrast (greys from 7 to 7)"
    )
    faint = line(240 - pictures.MIN_CONTRAST, 240)
    assert contrast_problem(faint) == ""
