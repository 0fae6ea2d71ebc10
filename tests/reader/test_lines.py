"""Reading lines: preparation, batches, spans, files."""

import json

import numpy as np
import pytest
import torch
from rapidfuzz.distance import Levenshtein

from ocrkit.reader import load_reader
from ocrkit.reader.charset import encode
from ocrkit.reader.lines import Reader, _line_text, prepare, save_reader
from ocrkit.reader.network import LineNetwork
from ocrkit.synth.fonts import find_fonts
from ocrkit.synth.render import draw_text


def blocks(*columns: int, width: int = 120, height: int = 32) -> np.ndarray:
    """Black blocks of 12 pixels at the columns, on white."""
    image = np.full((height, width), 255, np.uint8)
    for x in columns:
        image[6 : height - 6, x : x + 12] = 0
    return image


@pytest.fixture(scope="module")
def reader() -> Reader:
    torch.manual_seed(0)
    return Reader(LineNetwork((8, 8, 8, 8, 16), 16))


def test_contrast_and_polarity_make_no_difference():
    image = blocks(10, 60)
    ink = prepare(image)
    assert ink.shape == (32, 120)
    assert ink[16, 15] == 255
    assert ink[16, 40] == 0
    for other in (image // 2 + 60, 255 - image):
        assert np.abs(prepare(other.astype(np.uint8)).astype(int) - ink).max() <= 2


def test_an_empty_line_has_no_ink():
    noise = np.random.default_rng(0).integers(250, 254, (40, 300)).astype(np.uint8)
    assert prepare(noise).max() < 64


def test_spans_part_characters_at_the_gap_in_pixels_of_the_crop():
    ids = np.zeros(30, np.int64)
    ids[3:5], ids[16] = encode("가")[0], encode("나")[0]
    image = blocks(10, 60)
    sure = np.full(30, 0.9)
    sure[3] = 0.6  # not where 가 is highest
    sure[16] = 0.4
    line = _line_text(ids, sure, prepare(image), 2 * image.shape[1])
    assert line.text == "가나"
    assert line.probabilities == pytest.approx([0.9, 0.4])
    assert line.confidence == pytest.approx(0.6)
    (left, middle), (again, right) = line.spans
    assert middle == again
    assert (left, right) == (20, 144)
    assert 44 <= middle <= 120


def test_spaces_at_the_ends_and_doubled_ones_are_dropped():
    space, ga = encode(" 가")
    ids = np.array([space, 0, ga, 0, space, 0, space, ga, space])
    line = _line_text(ids, np.ones(9), prepare(blocks(4, width=36)), 36)
    assert line.text == "가 가"
    assert len(line.spans) == len(line.probabilities) == 3


def test_a_line_reads_the_same_alone_and_among_others(reader):
    images = [
        blocks(10, 60, width=w, height=h) for w, h in [(120, 32), (500, 32), (90, 20), (64, 64)]
    ]
    together = reader.read_lines(images)
    assert [reader.read_lines([image])[0].text for image in images] == [r.text for r in together]
    for image, line in zip(images, together, strict=True):
        assert len(line.spans) == len(line.text)
        assert all(0 <= a <= b <= image.shape[1] for a, b in line.spans)
    assert reader.read_lines([]) == []


def test_what_is_no_line_is_refused(reader, refused):
    for image in (np.zeros((3, 4, 3), np.uint8), np.zeros((4, 4)), np.zeros((0, 4), np.uint8)):
        with refused("give grey uint8"):
            reader.read_lines([image])
    with refused("no line of text"):
        reader.read_lines([np.zeros((1, 5000), np.uint8)])


def test_a_saved_reader_reads_as_before(tmp_path, reader):
    save_reader(reader.network, tmp_path / "small", steps=3)
    again = load_reader(tmp_path / "small")
    assert again.info == {"steps": 3}
    images = [blocks(10, 60)]
    # Half precision may move a probability, never by much.
    assert again.read_lines(images)[0].confidence == pytest.approx(
        reader.read_lines(images)[0].confidence, rel=0.2
    )


def test_a_name_may_hold_a_dot(tmp_path, reader):
    weights = save_reader(reader.network, tmp_path / "menu-v1.2", steps=3)
    names = ["menu-v1.2.json", "menu-v1.2.safetensors"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert weights == tmp_path / names[1]
    for name in ("menu-v1.2", *names):
        assert load_reader(tmp_path / name).info == {"steps": 3}


def test_files_that_do_not_fit_are_refused(tmp_path, reader, refused):
    weights = save_reader(reader.network, tmp_path / "small")
    note = weights.with_suffix(".json")
    described = json.loads(note.read_text(encoding="utf-8"))

    def noted(**changes):
        note.write_text(json.dumps(described | changes), encoding="utf-8")

    with refused("missing"):
        load_reader(tmp_path / "none")
    noted(signs="abc")
    with refused("other signs"):
        load_reader(weights)
    noted(hidden=17)
    with refused("does not describe"):
        load_reader(weights)
    noted(channels=[1])
    with refused("channels"):
        load_reader(weights)
    noted()
    weights.write_bytes(weights.read_bytes()[:-8])
    with refused("damaged"):
        load_reader(weights)


def test_the_kits_own_reader_reads_clean_print_and_places_it():
    text = "오늘은 하늘이 맑다"
    ink = draw_text(text, find_fonts("koreanize")[0], 28)
    image = np.pad(255 - ink, ((2, 4), (6, 10)), constant_values=255)
    (line,) = load_reader().read_lines([image])
    assert Levenshtein.distance(line.text, text) <= 1
    inked = np.flatnonzero(image.min(axis=0) < 128)
    assert abs(line.spans[0][0] - inked[0]) <= 4
    assert abs(line.spans[-1][1] - inked[-1]) <= 4
