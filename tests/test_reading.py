"""Reading a user's files: what is read, what is doubted, what is refused."""

import random

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from ocrkit.data.pictures import decode
from ocrkit.models import Recognizer, save_checkpoint
from ocrkit.reading import Reader, ink_bands, stacked_lines
from ocrkit.synth import Generation, find_fonts, samples

CHARSET = "가나다라마바사아자차카타파하"


def save(folder, name: str, image_width: int = 64, max_length: int = 4, charset: str = CHARSET):
    torch.manual_seed(0)
    special = 1 if name.endswith("CTC") else 2
    model = Recognizer(
        name,
        classes=len(CHARSET) + special,
        max_length=max_length,
        image_width=image_width,
        width=0.05,
    )
    return save_checkpoint(model, folder / name, charset)


@pytest.fixture(scope="module", params=["None-VGG-None-CTC", "TPS-RCNN-None-Attn"])
def reader(request, tmp_path_factory) -> Reader:
    return Reader(save(tmp_path_factory.mktemp("reader"), request.param))


@pytest.fixture
def draw(tmp_path):
    """Save a picture of a size; return its path."""

    def make(width: int, height: int, name: str = "a.png", mode: str = "L"):
        pixels = np.random.default_rng(0).integers(0, 255, (height, width), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(tmp_path / name)
        return tmp_path / name

    return make


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1"])
def test_a_word_is_read(reader, draw, mode):
    reading = reader.read(draw(90, 32, mode=mode))
    assert set(reading.text) <= set(CHARSET)
    assert len(reading.text) <= 15
    assert 0 <= reading.confidence <= 1
    # The weights are random: such a model must not sound sure.
    assert any("unsure" in warning for warning in reading.warnings)


def test_the_same_file_reads_the_same(reader, draw):
    path = draw(90, 32)
    assert reader.read(path) == reader.read(str(path))


def test_a_page_is_refused_and_force_warns(reader, draw, refused):
    page = draw(600, 850, "page.png")
    with refused(r"page\.png: the image is 600 x 850 pixels, higher than wide.*--force"):
        reader.read(page)
    forced = reader.read(page, force=True)
    assert any("cut the page into lines" in warning for warning in forced.warnings)


def test_the_box_of_one_large_syllable_is_no_page(reader, draw):
    assert not any("higher than wide" in said for said in reader.read(draw(110, 130)).warnings)


def test_a_long_line_is_refused(reader, draw, refused):
    with refused("room for about 20 syllables and this model says at most 4"):
        reader.read(draw(640, 32))


def test_a_narrow_syllable_is_no_page(reader, draw):
    assert not any("page" in w for w in reader.read(draw(20, 40)).warnings)


def test_squeezed_syllables_are_doubted(tmp_path, draw):
    reader = Reader(save(tmp_path, "None-VGG-None-Attn", image_width=32, max_length=8))
    assert reader.doubts(Image.open(draw(128, 32))) == []
    assert "squeezed to 32 pixels" in reader.doubts(Image.open(draw(192, 32)))[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        ("한글 글자, 그림이 아님\n".encode(), "does not decode"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "does not decode"),
        (b"%PDF-1.7\n", "does not decode"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(reader, tmp_path, content, said, refused):
    (tmp_path / "note.txt").write_bytes(content)
    with refused(rf"note\.txt: the image {said}"):
        reader.read(tmp_path / "note.txt")
    with refused(rf"note\.txt: the image {said}"):
        reader.read(tmp_path / "note.txt", force=True)


def test_a_cut_picture_is_refused(reader, draw, refused):
    path = draw(90, 32, "cut.jpg")
    path.write_bytes(path.read_bytes()[:300])
    with refused(r"cut\.jpg: the image does not decode"):
        reader.read(path)


def test_missing_files_and_folders_are_refused(reader, tmp_path, refused):
    with refused(r"gone\.png is missing"):
        reader.read(tmp_path / "gone.png")
    with refused("is a folder: give an ordinary file"):
        reader.read(tmp_path)


def test_a_missing_checkpoint(tmp_path, refused):
    with refused("is missing"):
        Reader(tmp_path / "gone")


def test_limits_tell_what_the_model_knows(reader):
    said = reader.limits()
    assert "knows 14 syllables (가나다라마바사아자차카타...)" in said
    assert "up to 4" in said


def test_digits_and_letters_are_not_called_syllables(tmp_path):
    mixed = "가나0a" + CHARSET[4:]
    reader = Reader(save(tmp_path, "None-VGG-None-CTC", charset=mixed))
    assert "knows 14 characters (가나0a" in reader.limits()


def test_ctc_cannot_say_more_than_its_frames(tmp_path):
    # 32 pixels give None-VGG 7 frames, whatever max_length promises.
    reader = Reader(save(tmp_path, "None-VGG-None-CTC", image_width=32, max_length=25))
    assert reader.model.frames == 7
    assert "up to 7" in reader.limits()


def page_of(lines: int, size: tuple[int, int] = (1920, 1080)) -> Image.Image:
    page = Image.new("L", size, 255)
    for line in range(lines):
        page.paste(0, (100, 60 + line * 100, 1800, 100 + line * 100))
    return page


def test_a_wide_page_is_known_by_its_lines():
    assert ink_bands(page_of(9)) == 9
    assert ink_bands(page_of(1)) == 1


def test_noise_makes_no_bands():
    drawn = samples(Generation("basic", 20, 1, ("흐르다", "으뜸"), tuple(find_fonts())))
    assert max(ink_bands(decode(one.image)) for one in drawn) <= 4


def written(text: str, height: int = 40) -> Image.Image:
    """A line of text of this height in pixels."""
    face = ImageFont.truetype(str(find_fonts()[0].path), round(0.7 * height))
    image = Image.new("L", (round(face.getlength(text)) + 8, height), 240)
    ImageDraw.Draw(image).text((4, round(0.1 * height)), text, fill=20, font=face)
    return image


def test_two_lines_and_upright_text_are_doubted_however_small(reader, tmp_path):
    line = written("오늘 바다")
    two = Image.new("L", (line.width, 2 * line.height), 240)
    two.paste(line, (0, 0))
    two.paste(line, (0, line.height))
    for name, image in (
        ("two", two),
        ("up", written("나무").rotate(90, expand=True)),
        ("one", line),
    ):
        image.save(tmp_path / f"{name}.png")
    two, up, one = (reader.read(tmp_path / f"{name}.png").warnings for name in ("two", "up", "one"))
    assert "2 lines of text" in two[0]
    assert "higher than wide" in up[0]
    assert not any("lines" in said or "higher" in said for said in one)


def test_lines_are_seldom_taken_for_several():
    rng = random.Random(0)
    texts = ["".join(chr(rng.randint(0xAC00, 0xD7A3)) for _ in range(1 + i % 9)) for i in range(90)]
    several = [text for text in texts if stacked_lines(written(text)) > 1]
    assert len(several) <= 3, several


def test_a_picture_without_contrast_is_refused_and_read_only_when_forced(reader, tmp_path, refused):
    Image.new("L", (90, 32), 255).save(tmp_path / "blank.png")
    with refused(r"blank.png: the image has no contrast \(greys from 255 to 255\)"):
        reader.read(tmp_path / "blank.png")
    forced = reader.read(tmp_path / "blank.png", force=True)
    assert any("no contrast" in warning for warning in forced.warnings)
