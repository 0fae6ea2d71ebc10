"""Scenes with words, quads and characters."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import STRtree
from shapely.geometry import Polygon

from ocrkit.synth import find_fonts
from ocrkit.synth.scenes import SCENES, SceneSettings, draw_scene, scenes, word_image

FONTS = find_fonts("koreanize")
WORDS = ("학교", "선생님", "도서관", "컴퓨터", "꽃", "흙길", "옛날", "값", "대한민국")
CLEAN = {
    name: replace(each, papers=("white",), clutter=0, line_share=0.4)
    for name, each in SCENES.items()
}
seeds = st.integers(0, 100_000)
names = st.sampled_from(list(SCENES))


@settings(max_examples=25)
@given(seeds, names)
def test_words_lie_in_the_image_and_not_on_each_other(seed, name):
    scene = draw_scene(seed, 3, SCENES[name], WORDS, FONTS)
    rows, columns = SCENES[name].size
    assert scene.image.shape == (rows, columns)
    assert scene.image.dtype == np.uint8
    assert 1 <= len(scene.words) <= SCENES[name].words[1]
    for word in scene.words:
        assert word.text in WORDS
        assert word.quad.shape == (4, 2)
        assert word.character_quads.shape == (len(word.text), 4, 2)
        for points in (word.quad, word.outline):
            assert (points >= 0).all()
            assert (points <= (columns, rows)).all()
    for i, one in enumerate(scene.words):
        for other in scene.words[:i]:
            assert not Polygon(one.quad).intersects(Polygon(other.quad))


@settings(max_examples=25)
@given(seeds, names)
def test_ink_lies_in_characters_and_characters_in_words(seed, name):
    scene = draw_scene(seed, 0, CLEAN[name], WORDS, FONTS)
    ink = scene.image < 140
    left = ink.copy()
    for word in scene.words:
        for quad in word.character_quads:
            own = _pixels(quad, ink.shape)
            assert ink[own].any()
            left &= ~own
            around = cv2.boxPoints(cv2.minAreaRect(word.outline))
            middle = tuple(map(float, quad.mean(0)))
            assert cv2.pointPolygonTest(around, middle, False) >= 0
    assert not left.any()


@given(seeds, names)
@settings(max_examples=25)
def test_quads_run_clockwise_in_reading_order(seed, name):
    for word in draw_scene(seed, 1, SCENES[name], WORDS, FONTS).words:
        for quad in (word.quad, *word.character_quads):
            assert cv2.contourArea(quad, oriented=True) > 0  # clockwise, as y points down
        assert cv2.contourArea(word.outline, oriented=True) > 0
        if len(word.text) > 1:
            first, last = word.character_quads[[0, -1]].mean(1)
            along = word.quad[1] - word.quad[0]
            assert (last - first) @ along > 0
            assert abs((last - first) @ along) > abs(np.cross(*_deep(last - first, along))[2])


def test_the_same_seed_gives_the_same_bytes():
    one, again = (list(scenes(4, 7, SCENES["curved"], WORDS, FONTS)) for _ in range(2))
    alone = draw_scene(7, 2, SCENES["curved"], WORDS, FONTS)
    assert alone.image.tobytes() == one[2].image.tobytes()
    for a, b in zip(one, again, strict=True):
        assert a.image.tobytes() == b.image.tobytes()
        assert [w.text for w in a.words] == [w.text for w in b.words]
        assert all(np.array_equal(v.quad, w.quad) for v, w in zip(a.words, b.words, strict=True))
    assert len({scene.image.tobytes() for scene in one}) == 4


def test_variants_do_what_they_say():
    def drawn(name):
        return [w for s in scenes(30, 1, SCENES[name], WORDS, FONTS) for w in s.words]

    upright, rotated, curved = map(drawn, SCENES)
    assert all(abs(w.quad[0, 1] - w.quad[1, 1]) < 1e-3 for w in upright)
    tilted = [w for w in rotated if abs(w.quad[0, 1] - w.quad[1, 1]) > 2]
    assert 0.5 < len(tilted) / len(rotated) <= 1

    def fills(word):
        return cv2.contourArea(word.outline) / cv2.contourArea(word.quad)

    assert min(map(fills, rotated)) > 0.99
    assert np.mean([fills(w) < 0.95 for w in curved]) > 0.4


def test_words_of_one_bent_line_do_not_overlap():
    bent = SceneSettings(
        size=(160, 160), line_share=1.0, line_words=(3, 3), curved_share=1.0, arc=(120, 180)
    )
    for scene in scenes(12, 2, bent, WORDS, FONTS):
        tree = STRtree([Polygon(word.quad) for word in scene.words])
        meeting = tree.query(tree.geometries, predicate="overlaps")
        assert meeting.size == 0


def test_words_stand_on_one_line_and_settings_are_kept():
    lines = SceneSettings(
        size=(64, 200), words=(3, 3), line_share=1.0, line_words=(3, 3), em=(14, 16)
    )
    for scene in scenes(5, 0, lines, ("가나", "다라"), FONTS):
        assert len(scene.words) == 3
        tops = [word.quad[0, 1] for word in scene.words]
        lefts = [word.quad[0, 0] for word in scene.words]
        assert max(tops) - min(tops) < 5
        assert lefts == sorted(lefts)


@settings(max_examples=25)
@given(seeds, names, st.sampled_from([(32, 128), (48, 160), (64, 64)]), st.sampled_from(WORDS))
def test_word_images_hold_their_ink_in_their_characters(seed, name, size, text):
    rng = np.random.default_rng(seed)
    image, quads = word_image(text, FONTS[0], rng, size, CLEAN[name])
    assert image.shape == size
    assert quads.shape == (len(text), 4, 2)
    assert quads.dtype == np.float32
    ink = image < 140
    assert ink.any()
    for quad in quads:
        ink &= ~_pixels(quad, size)
    assert not ink.any()


def test_word_images_are_as_large_as_they_can_be(font):
    image, quads = word_image("가 나", font, np.random.default_rng(0), (32, 256), CLEAN["upright"])
    assert len(quads) == 2
    assert np.ptp(quads[..., 1]) > 24
    assert np.ptp(np.nonzero(image < 140)[0]) > 22


def test_what_cannot_be_drawn_is_refused(font, refused):
    rng = np.random.default_rng(0)
    with refused("too long for 32 x 64"):
        word_image("가" * 40, font, rng, (32, 64))
    with refused("empty text"):
        word_image("  ", font, rng)
    with refused("no word fits a scene of 32 x 32"):
        draw_scene(0, 0, SceneSettings(size=(32, 32), em=(30, 36)), ["대한민국"], FONTS)
    with refused("words to draw from"):
        draw_scene(0, 0, SceneSettings(), [], FONTS)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"em": (20, 10)}, "em must be"),
        ({"papers": ("sand",)}, "papers must be among"),
        ({"turned_share": 1.5}, "must lie in 0..1"),
        ({"words": (0, 3)}, "a word"),
        ({"ink": (0, 300)}, "ink must lie"),
        ({"arc": (30, 200)}, "arc in 0..180"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, said, refused):
    with refused(said):
        SceneSettings(**wrong)


def _pixels(quad: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The pixels whose centres lie in a quad, give or take half a pixel."""
    i, j = np.indices(shape)
    sides = np.roll(quad, -1, 0) - quad
    sides = sides / np.linalg.norm(sides, axis=1, keepdims=True)
    return np.all(
        [
            u * (i + 0.5 - y) - v * (j + 0.5 - x) >= -0.5
            for (x, y), (u, v) in zip(quad, sides, strict=True)
        ],
        axis=0,
    )


def _deep(*vectors: np.ndarray) -> list[np.ndarray]:
    return [np.append(vector, 0.0) for vector in vectors]
