"""Samples: the same bytes however they are made, and labels as asked for."""

import dataclasses
import io
import itertools
import json
import multiprocessing

import pytest
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ocrkit.errors import OcrkitError
from ocrkit.synth import KINDS, Background, Font, Generation, find_fonts, manifest, sample, samples


@pytest.fixture
def generation(words, fonts) -> Generation:
    return Generation("basic", count=80, seed=7, words=words, fonts=fonts, words_per_label=3)


def test_two_workers_make_the_same_bytes_as_one(generation):
    # enough samples that the workers are given new chunks while others are still out
    mixed = dataclasses.replace(
        generation,
        kind="background",
        count=410,
        words_per_label=1,
        random_share=0.3,
        syllables="각",
    )
    alone = list(samples(mixed, workers=1))
    assert [made.index for made in alone] == list(range(410))
    assert list(samples(mixed, workers=2)) == alone
    assert sample(mixed, 41) == alone[41]


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_depends_on_seed_kind_and_index_alone(generation, kind):
    one = dataclasses.replace(generation, kind=kind)
    assert sample(one, 3) == sample(dataclasses.replace(one, count=4), 3)
    assert sample(one, 3).image != sample(one, 4).image
    assert sample(one, 3).image != sample(dataclasses.replace(one, seed=8), 3).image
    assert {sample(dataclasses.replace(one, kind=k), 3).label for k in KINDS} != {
        sample(one, 3).label  # kinds draw their own labels
    }


def test_stopping_early_leaves_no_worker_behind(generation):
    making = samples(generation, workers=2)
    assert next(making).index == 0
    making.close()
    assert multiprocessing.active_children() == []


def test_an_error_in_a_worker_reaches_the_user(generation):
    lost = dataclasses.replace(generation, fonts=(Font("lost", "lost.ttf", ""),))
    with pytest.raises(OcrkitError, match=r"lost\.ttf"):
        list(samples(lost, workers=2))


def test_images_are_jpegs_of_the_height(generation):
    for height in (64, 32):
        made = sample(dataclasses.replace(generation, height=height), 0)
        with Image.open(io.BytesIO(made.image)) as image:
            assert image.format == "JPEG"
            assert image.height == height
            assert image.width > height


def test_labels_are_words_of_the_list_with_single_spaces(generation, words, fonts):
    made = list(samples(generation))
    drawn = [made_one.label.split(" ") for made_one in made]
    assert all(len(label) == 3 for label in drawn)
    assert {word for label in drawn for word in label} == set(words)  # 240 draws out of 14
    assert {made_one.font for made_one in made} == {font.name for font in fonts}


def test_random_strings_have_their_lengths_and_share(generation, words):
    half = dataclasses.replace(
        generation, random_share=0.5, syllables="갸냐댜", random_length=(2, 3), words_per_label=10
    )
    drawn = [word for index in range(60) for word in sample(half, index).label.split(" ")]
    strings = [word for word in drawn if word not in words]
    assert 240 < len(strings) < 360
    assert {len(word) for word in strings} == {2, 3}
    assert set("".join(strings)) == set("갸냐댜")


def test_held_out_words_are_never_drawn_as_random_strings(generation):
    pure = dataclasses.replace(
        generation, random_share=1, syllables="가나", random_length=(1, 2), words=()
    )
    held = dataclasses.replace(pure, held_out=frozenset({"가", "나가", "가가"}))
    free = {w for i in range(40) for w in sample(pure, i).label.split(" ")}
    kept = {w for i in range(40) for w in sample(held, i).label.split(" ")}
    assert free == {"가", "나", "가가", "가나", "나가", "나나"}
    assert kept == {"나", "가나", "나나"}
    with pytest.raises(OcrkitError, match="held out"):
        sample(dataclasses.replace(held, random_length=(1, 1), held_out=frozenset("가나")), 0)


with TTFont(find_fonts("koreanize")[-1].path) as face:
    GLYPHS = "".join(map(chr, face.getBestCmap()))  # the smallest of the four character maps
WORDS = st.text(alphabet=GLYPHS, min_size=1, max_size=4).filter(
    lambda word: word.strip() and not set(word) & set("\t\r\n")
)


@settings(max_examples=40)
@given(
    st.sampled_from(sorted(KINDS)),
    st.lists(WORDS, min_size=1, max_size=3).map(tuple),
    st.integers(1, 4),
    st.integers(0, 2**63),
    st.integers(0, 2**31),
)
def test_any_kind_text_and_seed(fonts, kind, words, number, seed, index):
    order = Generation(kind, 1, seed, words, fonts, words_per_label=number)
    made = sample(order, index)
    assert sample(order, index) == made
    with Image.open(io.BytesIO(made.image)) as image:
        assert (image.format, image.height) == ("JPEG", 64)
    assert made.label in map(" ".join, itertools.product(words, repeat=number))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "marble"},
        {"words": ()},
        {"words": ("가", " ")},
        {"words": ("가\t나",)},
        {"separator": "\n"},
        {"fonts": ()},
        {"count": -1},
        {"seed": -1},
        {"words_per_label": 0},
        {"height": 3},
        {"random_share": 1.5, "syllables": "가"},
        {"random_share": 0.5},
        {"random_length": (0, 2)},
        {"random_length": (3, 2)},
        {"jpeg_quality": 0},
    ],
)
def test_bad_orders_are_refused(generation, change):
    with pytest.raises(OcrkitError):
        dataclasses.replace(generation, **change)


def test_the_kinds_own_parameters_can_be_replaced(generation):
    white = dataclasses.replace(
        generation, kind="background", settings=Background(papers=("white",)), jpeg_quality=95
    )
    for index in range(6):
        with Image.open(io.BytesIO(sample(white, index).image)) as image:
            assert image.getpixel((0, 0)) > 250


def test_the_manifest_tells_what_made_the_images(generation, fonts):
    told = json.loads(json.dumps(manifest(generation, generation), ensure_ascii=False))
    assert told["count"] == 160
    first = told["generations"][0]
    assert first["seed"] == 7
    assert first["words"]["count"] == len(generation.words)
    assert first["fonts"] == [{"name": f.name, "sha256": f.sha256} for f in fonts]
    assert first["settings"] == {"noise_mean": 235.0, "noise_sd": 10.0}
    assert not any(font.path in json.dumps(told) for font in fonts)
    fewer = manifest(dataclasses.replace(generation, words=generation.words[1:]))
    assert fewer["generations"][0]["words"]["sha256"] != first["words"]["sha256"]
