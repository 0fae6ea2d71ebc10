"""A folder of images: whole or not there."""

import dataclasses
import json

import pytest

from ocrkit.errors import OcrkitError
from ocrkit.synth import Generation, Sample, manifest, read_labels, samples, write_folder


def made(count, label="가 나"):
    return [Sample(i, "basic", f"{label}{i}", "NanumGothic", bytes([i])) for i in range(count)]


def test_labels_come_back_as_they_were_written(tmp_path, words, fonts):
    order = Generation("skew", 12, 1, words, fonts, words_per_label=2)
    out = write_folder(samples(order), tmp_path / "set", manifest(order))
    rows = read_labels(out)
    assert [(row.label, row.kind, row.font) for row in rows] == [
        (one.label, one.kind, one.font) for one in samples(order)
    ]
    for row, one in zip(rows, samples(order), strict=True):
        assert (out / row.file).read_bytes() == one.image
    assert json.loads((out / "manifest.json").read_text(encoding="utf-8")) == json.loads(
        json.dumps(manifest(order))
    )


@pytest.mark.parametrize("label", ['"따옴표"', "쉼표,", "빈  칸 ", "\u2028줄", "#"])
def test_odd_labels_survive(tmp_path, label):
    out = write_folder(made(2, label), tmp_path / "set", {})
    assert [row.label for row in read_labels(out)] == [f"{label}0", f"{label}1"]


def test_our_own_folder_is_replaced_and_any_other_refused(tmp_path):
    out = write_folder(made(3), tmp_path / "set", {"old": True})
    write_folder(made(1), out, {"old": False})
    assert len(read_labels(out)) == 1
    assert len(list((out / "images").iterdir())) == 1
    diary = tmp_path / "diary"
    diary.mkdir()
    write_folder(made(1), diary, {})  # an empty folder is free to take
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("years of work")
    with pytest.raises(OcrkitError, match="choose another folder"):
        write_folder(made(1), other, {})
    assert (other / "chapter.txt").read_text() == "years of work"


def test_stopped_half_way_nothing_new_stays_behind(tmp_path):
    out = write_folder(made(3), tmp_path / "set", {})

    def broken():
        yield from made(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_folder(broken(), out, {})
    assert len(read_labels(out)) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_label_that_would_break_the_table_is_refused(tmp_path):
    bad = [dataclasses.replace(made(1)[0], label="가\t나")]
    with pytest.raises(OcrkitError, match="tab"):
        write_folder(bad, tmp_path / "set", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", [None, "", "file\tlabel\n", "file\tlabel\tkind\tfont\na.jpg\t가\n"]
)
def test_a_missing_or_broken_table_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "labels.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(OcrkitError, match=r"labels\.tsv"):
        read_labels(tmp_path)
