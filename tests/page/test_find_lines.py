"""Lines are found on drawn pages, in reading order, whatever their scale, contrast or turn."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocrkit.page.layout import Layout, find_lines
from ocrkit.page.measure import match, order_kept
from ocrkit.page.synthetic import PAGES, SyntheticPage, draw_page
from ocrkit.synth.fonts import find_fonts


def found_on(page: SyntheticPage, layout: Layout) -> list[int | None]:
    return match(page, [layout.corners(line) for line in layout.lines])


def recall(matches: list[int | None]) -> float:
    return sum(m is not None for m in matches) / len(matches)


@pytest.fixture(scope="module")
def chat() -> SyntheticPage:
    return draw_page("chat")


@pytest.fixture(scope="module")
def notice() -> SyntheticPage:
    return draw_page("notice-light-on-dark")


def test_the_test_set_has_twelve_pages_of_all_kinds():
    assert len(PAGES) >= 12
    assert {name.split("-")[0] for name in PAGES} >= {"exam", "book", "notice", "receipt", "chat"}


def test_a_seed_draws_the_same_page_again_and_another_seed_another(chat):
    again, other = draw_page("chat"), draw_page("chat", seed=1)
    assert np.array_equal(chat.image, again.image)
    assert chat.text == again.text != other.text


@pytest.mark.parametrize("name", ["exam-coarse", "chat", "columns", "book"])
def test_every_line_of_a_page_is_found_in_reading_order(name):
    page = draw_page(name)
    layout = find_lines(page.image)
    matches = found_on(page, layout)
    assert recall(matches) >= 0.97
    assert order_kept(matches) == 1.0
    assert len(layout.lines) <= 1.05 * len(page.lines), "nothing is taken for text that is none"


def test_a_table_and_a_box_are_read_cell_by_cell(notice):
    matches = found_on(notice, find_lines(notice.image))
    assert recall(matches) >= 0.97
    assert order_kept(matches) == 1.0


@pytest.mark.parametrize("scale", [0.7, 3.0])
def test_the_size_of_the_letters_does_not_matter(chat, scale):
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    image = cv2.resize(chat.image, None, fx=scale, fy=scale, interpolation=how)
    larger = SyntheticPage("", image, chat.lines, chat.matrix * scale, 0)
    assert recall(found_on(larger, find_lines(image))) >= 0.95


def test_negative_and_faint_pages_show_the_same_lines(chat):
    for image in (255 - chat.image, (chat.image // 4 + 150).astype(np.uint8)):
        page = SyntheticPage("", image, chat.lines, chat.matrix, 0)
        assert recall(found_on(page, find_lines(image))) >= 0.95


def test_shade_and_noise_do_not_part_the_answers_of_an_exam_or_join_its_lines():
    page = draw_page("exam-coarse")
    height, width = page.image.shape
    shade = 0.4 + 0.6 * np.linspace(0, 1, width) * np.linspace(0, 1, height)[:, None]
    noise = np.random.default_rng(0).normal(0, 8, page.image.shape)
    image = np.clip(page.image * shade + noise, 0, 255).astype(np.uint8)
    layout = find_lines(image)
    matches = found_on(SyntheticPage("", image, page.lines, page.matrix, 0), layout)
    assert recall(matches) >= 0.95
    assert order_kept(matches) == 1.0


def test_what_is_left_of_a_broken_frame_does_not_join_the_lines_beside_it():
    page = np.full((300, 500), 255, np.uint8)
    for y in (60, 110, 160):
        cv2.putText(page, "Hxg jumble", (50, y), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 0, 2)
    right = int(np.flatnonzero((page < 128).any(axis=0)).max()) + 12
    for top in (30, 80, 130):  # each piece as high as a line and a half
        page[top : top + 42, right : right + 2] = 0
    layout = find_lines(page)
    assert len(layout.lines) == 3
    assert all(line.box[0] + line.box[2] < right for line in layout.lines)


def test_a_few_level_lines_are_not_turned():
    sheet = Image.new("L", (1600, 400), 255)
    font = ImageFont.truetype(find_fonts()[0].path, 28)
    for y in (20, 70, 120):
        text = "오늘 날씨가 좋습니다 하늘이 파랗고 바람이 분다"
        ImageDraw.Draw(sheet).text((40, y), text, 0, font)
    layout = find_lines(np.asarray(sheet))
    assert abs(layout.degrees) < 0.3
    assert len(layout.lines) == 3


@pytest.mark.parametrize("degrees", [-6.0, 3.0])
def test_an_askew_page_is_levelled(notice, degrees):
    height, width = notice.image.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 0.9)
    image = cv2.warpAffine(notice.image, turn, (width, height), borderValue=30)
    layout = find_lines(image)
    assert layout.degrees == pytest.approx(-degrees, abs=0.3)
    matrix = np.vstack([turn, [0, 0, 1]]) @ np.vstack([notice.matrix, [0, 0, 1]])
    page = SyntheticPage("", image, notice.lines, matrix[:2], 0)
    assert recall(found_on(page, layout)) >= 0.95


@pytest.mark.parametrize("name", ["chat", "notice-light-on-dark", "receipt"])
def test_lines_that_run_up_or_down_are_laid_level_and_others_are_not(name):
    image = draw_page(name, seed=1).image
    assert find_lines(image).quarters == 0
    assert find_lines(np.ascontiguousarray(np.rot90(image))).quarters == 1


def test_crops_are_dark_on_light_without_frames_or_neighbours():
    page = np.full((300, 500), 255, np.uint8)
    for y in (60, 110):
        cv2.putText(page, "Hxg jumble", (50, y), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 0, 2)
    cv2.rectangle(page, (30, 20), (470, 125), 0, 2)
    layout = find_lines(page)
    assert len(layout.lines) == 2
    for line in layout.lines:
        dark = line.crop < 128
        assert 0.03 < dark.mean() < 0.4
        assert dark.mean(axis=1).max() < 0.8, "no rule crosses the crop"
        assert not dark[:, :2].any()


@pytest.mark.filterwarnings("error")
def test_crops_are_nearly_as_low_as_their_ink(notice):
    for line in find_lines(notice.image).lines:
        _, _, width, height = line.box
        assert height + 2 <= line.crop.shape[0] <= 1.16 * height + 1
        assert width + 2 <= line.crop.shape[1] <= width + 0.16 * height + 1


def test_letters_at_the_very_edge_of_a_page_are_found():
    page = draw_page("chat").image[:, 38:]
    assert len(find_lines(np.ascontiguousarray(page)).lines) > 20


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (300, 1), (40, 40), (800, 600)])
def test_an_empty_page_has_no_lines(shape):
    rng = np.random.default_rng(0)
    for image in (np.full(shape, 255, np.uint8), rng.normal(200, 3, shape).astype(np.uint8)):
        assert find_lines(image).lines == []


def test_a_page_of_twenty_thousand_rows_is_read_to_its_end():
    page = np.full((20_000, 300), 255, np.uint8)
    for y in (100, 10_000, 19_900):
        cv2.putText(page, "Hxg jumble", (30, y), cv2.FONT_HERSHEY_SIMPLEX, 1, 0, 2)
    layout = find_lines(page)
    assert len(layout.lines) == 3
    assert layout.quarters == 0


def test_a_large_page_of_small_marks_is_not_enlarged_beyond_measure(monkeypatch):
    """Twenty million pixels, four times as many to work on, took minutes and gigabytes."""
    page = np.full((200, 400), 255, np.uint8)
    for y in (50, 120):
        cv2.putText(page, "Hxg jumble", (30, y), cv2.FONT_HERSHEY_SIMPLEX, 0.35, 0)

    def scale() -> float:
        return float(np.hypot(*find_lines(page).matrix[:, 0]))

    assert scale() == 2.0
    monkeypatch.setattr("ocrkit.page.layout.MOST_PIXELS", 2 * page.size)
    assert scale() == pytest.approx(2**0.5)
    monkeypatch.setattr("ocrkit.page.layout.MOST_PIXELS", page.size // 2)
    assert scale() == 1.0


def test_a_long_strip_is_not_turned_into_a_huge_square(monkeypatch):
    strip = np.full((100, 2000), 255, np.uint8)
    cv2.putText(strip, "Hxg jumble of many letters", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 1, 0, 2)
    tilt = cv2.warpAffine(
        strip, np.array([[1, 0, 0], [-0.2, 1, 60]], float), (2000, 100), borderValue=255
    )
    assert abs(find_lines(tilt).degrees) > 5
    monkeypatch.setattr("ocrkit.page.layout.MOST_PIXELS", strip.size)
    layout = find_lines(tilt)
    assert (layout.degrees, layout.grey.shape) == (0, strip.shape)
