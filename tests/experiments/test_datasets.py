"""A preset's data: no label shared, the same bytes everywhere, kept when it is there."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import matplotlib
import pytest

from ocrkit.data.store import ImageSet
from ocrkit.experiments.datasets import plan, prepare
from ocrkit.experiments.presets import KINDS
from ocrkit.files import read_json
from ocrkit.labels import label_of, outside
from ocrkit.synth.words import read_words

NAMES = [
    *("train-basic", "train-skew", "valid"),
    *(f"test-{kind}" for kind in KINDS),
    *("seen-basic", "seen-skew"),
]


def labels(data, *names: str) -> set[str]:
    return {label_of(text) for name in names for text in data.open(name).texts()}


def stamps(folder) -> dict[str, int]:
    return {name: (folder / name / "data.mdb").stat().st_mtime_ns for name in NAMES}


def test_sets_and_their_sizes(data, tiny):
    sizes = {name: len(data.open(name)) for name in NAMES}
    assert sizes == {
        **dict.fromkeys(NAMES, tiny.test_images),
        "train-basic": tiny.train_images,
        "train-skew": tiny.train_images,
        "valid": tiny.valid_images,
    }
    told = read_json(data.folder / "data.json")
    assert list(told["sets"]) == NAMES
    assert told["sets"] == {name: data.open(name).fingerprint() for name in NAMES}
    assert (told["charset"], told["fingerprint"]) == (data.charset, data.fingerprint)
    assert len(told["fonts"]) == 4
    assert told["fonts_left_out"] == {}
    assert len(data.charset) == tiny.pool_size


def test_train_validation_and_test_share_no_label(data):
    train = labels(data, "train-basic", "train-skew")
    valid = labels(data, "valid")
    test = labels(data, *(f"test-{kind}" for kind in KINDS))
    assert train
    assert not train & valid
    assert not train & test
    assert not valid & test
    # "Seen" words are training's words, real ones.
    words = plan_words(data)
    assert labels(data, "seen-basic", "seen-skew") <= set(words["train"])
    assert test <= set(words["test"])
    assert valid <= set(words["valid"])


def plan_words(data) -> dict[str, list[str]]:
    from ocrkit.experiments.presets import get_preset

    return plan(get_preset("smoke")).words


def test_many_more_random_labels_share_none_either(tiny):
    # What is drawn, without drawing it: 2,000 labels over eight syllables meet every short string.
    import numpy as np

    from ocrkit.synth.generate import draw_label

    planned = plan(tiny)
    held_out = set(planned.words["valid"]) | set(planned.words["test"])
    (generation,) = planned.generations["train-basic"]
    common = "".join(sorted({c for word in held_out for c in word}))[:8]
    generation = replace(generation, syllables=common, random_share=1.0, random_length=(1, 2))
    rng = np.random.default_rng(0)
    drawn = {draw_label(generation, rng) for _ in range(2000)}
    assert len(drawn) > 40
    assert not drawn & held_out


def test_labels_are_written_with_the_charset(data, tiny):
    everything = labels(data, *NAMES)
    assert not [label for label in everything if outside(label, data.charset)]
    assert max(map(len, everything)) <= tiny.max_length


def test_workers_do_not_change_a_byte(data, tiny, tmp_path):
    assert prepare(tiny, tmp_path, workers=2).fingerprint == data.fingerprint


def test_what_is_there_is_kept(data, tiny):
    before, watched = stamps(data.folder), []
    again = prepare(tiny, data.folder, watch=lambda *told: watched.append(told))
    assert stamps(data.folder) == before
    assert again == data
    assert watched == []


def test_what_changed_or_broke_is_made_again(data, tiny, tmp_path):
    small = replace(tiny, train_images=2, test_images=2, valid_images=2)
    watched = []
    first = prepare(small, tmp_path, watch=lambda *told: watched.append(told))
    assert [name for name, _, _ in watched] == NAMES
    assert all(done == count for _, done, count in watched)
    before = stamps(tmp_path)

    os.truncate(tmp_path / "valid" / "data.mdb", 5000)
    assert prepare(small, tmp_path).fingerprint == first.fingerprint
    mended = stamps(tmp_path)
    assert [name for name in NAMES if mended[name] != before[name]] == ["valid"]

    other = prepare(replace(small, train_images=4), tmp_path)
    assert other.fingerprint != first.fingerprint
    changed = stamps(tmp_path)
    assert [n for n in NAMES if changed[n] != mended[n]] == ["train-basic", "train-skew"]


def test_what_is_not_ours_is_not_replaced(tiny, tmp_path, refused):
    small, watched = replace(tiny, train_images=2, test_images=2, valid_images=2), []
    (tmp_path / "valid").mkdir()
    (tmp_path / "valid" / "notes.txt").write_text("mine")
    with refused("valid is not replaced, for it holds notes.txt"):
        prepare(small, tmp_path, watch=lambda *told: watched.append(told))
    (tmp_path / "valid").rename(tmp_path / "notes")
    (tmp_path / "data.json").write_text('{"mine": 1}')
    with refused(r"data.json is of another shape: charset: .*or give another folder"):
        prepare(small, tmp_path, watch=lambda *told: watched.append(told))
    assert (tmp_path / "data.json").read_text() == '{"mine": 1}'
    assert watched == []  # nothing was drawn before


def test_another_seed_is_other_data(tiny):
    one, two = plan(tiny), plan(replace(tiny, seed=7))
    assert one.words != two.words
    seeds = {g.seed for p in (one, two) for gs in p.generations.values() for g in gs}
    assert len(seeds) == sum(len(gs) for p in (one, two) for gs in p.generations.values())


def test_words_of_ones_own(tiny, tmp_path):
    mine = read_words()[:300]
    (tmp_path / "words.txt").write_text("\n".join(mine), encoding="utf-8")
    planned = plan(replace(tiny, pool_size=30), words=tmp_path / "words.txt")
    assert {word for part in planned.words.values() for word in part} <= set(mine)
    assert len(planned.charset) == 30


@pytest.fixture
def own_words(tmp_path):
    """A list of words as people have them: of twenty characters, and of some others."""
    path = tmp_path / "words.txt"
    odd = ["Hello", "2024년", "한국전력공사", "뷁", "😀기"]
    pairs = [f"{a}{b}" for a in "가나다라마바사아" for b in "고노도로모보소오"]
    path.write_text("\n".join([*pairs, *odd]), encoding="utf-8")
    return path


def test_what_is_left_out_of_a_word_list_is_counted_and_named(tiny, own_words):
    planned = plan(replace(tiny, pool_size=16), words=own_words)
    assert sum(map(len, planned.words.values())) == 64
    no_hangul, changed, rare = planned.left_out_words.items()
    assert "no Hangul" in no_hangul[0]
    assert no_hangul[1] == ["Hello"]
    assert changed[1] == ["2024년 as 년", "😀기 as 기"]
    assert "16 commonest" in rare[0]
    assert rare[1] == ["년", "한국전력공사", "뷁", "기"]
    assert planned.choices == {"--words": str(own_words)}


def test_more_syllables_longer_words_and_other_characters_by_choice(tiny, own_words):
    wide = plan(tiny, own_words, syllables=0, longest=6)
    drawn = {word for part in wide.words.values() for word in part}
    assert {"한국전력공사", "뷁", "년"} <= drawn
    assert set(wide.charset) == set("".join(drawn))
    assert (wide.preset.max_length, wide.choices["--longest"]) == (6, 6)
    every = plan(tiny, own_words, syllables=0, longest=6, all_characters=True)
    assert {"Hello", "2024년"} <= {word for part in every.words.values() for word in part}
    # What no face has is named, not blamed on the faces.
    assert every.left_out_words == {"hold characters that no font has (😀)": ["😀기"]}
    assert "😀" not in every.charset
    assert every.left_out_fonts == {"NanumGothicLight": "뷁"}


def test_what_was_drawn_by_choice_is_not_replaced_by_the_preset_s_own(tiny, own_words, refused):
    small, folder = replace(tiny, train_images=2, test_images=2, valid_images=2), own_words.parent
    chosen = plan(small, own_words, syllables=16)
    first = prepare(small, folder / "data", planned=chosen)
    assert prepare(small, folder / "data", planned=chosen) == first
    told = read_json(folder / "data" / "data.json")
    assert sum(told["words_left_out"].values()) == 7
    with refused("data was drawn with --words .*words.txt --syllables 16, and would be replaced"):
        prepare(small, folder / "data")
    assert read_json(folder / "data" / "data.json") == told


def test_fonts_without_hangul_are_told_in_a_line_that_can_be_read(tiny, tmp_path, refused):
    latin = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    shutil.copy(latin, tmp_path)
    with refused(r"^0 words can be drawn.* no font has \(가각간.{17} and \d+ more\): give more"):
        plan(tiny, fonts=str(tmp_path))


def test_too_few_words(tiny, tmp_path, refused):
    (tmp_path / "words.txt").write_text("하나 둘 셋 English", encoding="utf-8")
    with refused(r"^3 words can be drawn, and 10 are needed; 1 words \(English\) .*: give more"):
        plan(tiny, words=tmp_path / "words.txt")


def test_fonts_that_are_not_there(tiny, tmp_path, refused):
    with refused("font"):
        plan(tiny, fonts=str(tmp_path / "gone"))


@pytest.mark.parametrize("name", ["gone", "test-rain"])
def test_a_set_that_is_not_there(data, name, refused):
    with refused("is missing: give the folder of an LMDB set"):
        data.open(name)
    assert isinstance(data.open("valid"), ImageSet)
