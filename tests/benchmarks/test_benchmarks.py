"""The benchmarks run, compare like with like, and the documents say what was measured or counted.

No time is judged here.
"""

import re
import sys
from types import SimpleNamespace

import feed
import generate
import numpy as np
import optimizations
import pandas as pd
import paper_scale
import performance
import pytest
import reader_speed
import timing
import torch
import trdg_side
from PIL import Image

from ocrkit.files import read_json
from ocrkit.models import MODEL_NAMES

CPU = torch.device("cpu")
TINY = {
    "batch": 2, "resnet_batch": 3, "image_width": 32, "width": 0.1, "characters": 9,
    "max_length": 2,
}  # fmt: skip


def test_ways_take_turns():
    order = []
    ways = [lambda: order.append("a"), lambda: order.append("b")]
    ours, theirs = timing.in_turns(ways, rounds=2)
    assert order == ["a"] * 3 + ["b"] * 3 + ["a"] * 3 + ["b"] * 3
    assert len(ours) == len(theirs) == 2
    assert all(second > 0 for second in [*ours, *theirs])


def test_a_row_holds_medians_and_their_ratio():
    found = timing.row("feed", "decoding", [100.0, 300.0, 200.0], [10.0, 20.0, 40.0], "")
    assert found["processor"] == {"ours": 200, "theirs": 20, "times": 10}
    lone = timing.row("feed", "decoding", [100.0], [], "")
    assert lone["processor"] == {"ours": 100, "theirs": None, "times": None}


# The line reader beside Tesseract


def test_engines_read_the_same_lines_and_get_a_row_each(capsys):
    line = reader_speed.Line(np.zeros((32, 64), np.uint8), "가 나")
    asked = {"good": [], "bad": []}

    def reads(name, text):
        return lambda images: asked[name].append(len(images)) or [text] * len(images)

    found = [
        reader_speed.Engine("good", reads("good", "가나"), 2_000_000, ""),
        reader_speed.Engine("bad", reads("bad", "가다"), 1, "a note"),
    ]
    table = reader_speed.measure(found, {"drawn": [line] * 3}, [line.image] * 4, rounds=2)
    assert table["engine"].tolist() == ["good", "bad"]
    assert table["cer_drawn"].tolist() == [0, 0.5]
    assert table["megabytes"].tolist() == [2, 0]
    assert asked["good"] == asked["bad"] == [1, 1, 1, 1, 4] * 3 + [3]


def test_page_lines_are_cut_and_told_apart():
    lines = reader_speed.page_lines(["receipt"], every=4)
    assert len(lines) >= 3
    assert all(line.text.strip() and line.image.dtype == np.uint8 for line in lines)


def test_the_committed_table_has_all_engines_and_whole_numbers_cost_no_characters():
    table = pd.read_csv(reader_speed.TABLE, index_col="engine")
    wanted = ["torch fp32", "torch bf16", "ONNX fp32", "ONNX int8", "Tesseract"]
    assert table.index.tolist() == wanted
    for column in ("cer_drawn", "cer_pages"):
        assert table.loc["ONNX int8", column] <= table.loc["torch fp32", column] + 0.003


# Beside today's tools


def test_both_generators_draw_the_same_texts(monkeypatch):
    asked, ours = [], []

    def answers(python, job):
        asked.append([texts for _, texts in job["parts"]])
        return {"seconds": 2.0, "versions": {"trdg": "1.8.0", "pillow": "9.5.0"}}

    drawing = generate.samples

    def noted(generation):
        ours.append([])
        for sample in drawing(generation):
            ours[-1].append(sample.label)
            yield sample

    monkeypatch.setattr(generate, "draw_with_trdg", answers)
    monkeypatch.setattr(generate, "samples", noted)
    rows = list(generate.measure("python", rounds=1, ours=6, theirs=6))
    assert [row["what"] for row in rows] == [f"generate: {kind}" for kind in generate.PARTS]
    assert rows[0]["against"] == "TRDG 1.8.0 (pillow 9.5.0)"
    assert rows[0]["processor"]["theirs"] == 3
    ends = {tuple(texts): texts for texts in ours}
    for texts in (part for parts in asked for part in parts):
        assert texts
        assert any(texts == own[: len(texts)] for own in ends.values())
        assert all(len(text.split(" ")) == 10 for text in texts)


@pytest.mark.parametrize("python", ["no-such-python", sys.executable])  # this one has no TRDG
def test_without_trdg_our_side_stands_alone(monkeypatch, python):
    monkeypatch.setattr(generate, "PARTS", {"basic": generate.PARTS["basic"]})
    (lone,) = generate.measure(python, rounds=1, ours=6, theirs=6)
    assert lone["processor"]["theirs"] is None
    assert re.match(r"TRDG does not run here \(.*(no-such|ModuleNotFound).*`make", lone["note"])


def test_trdgs_side_draws_each_part_with_its_options(monkeypatch):
    asked = []

    def drawn(texts, **options):
        asked.append((texts, options))
        return [(Image.new("RGB", (8, 8)), text) for text in texts]

    monkeypatch.setitem(sys.modules, "trdg", SimpleNamespace())
    stand_in = SimpleNamespace(GeneratorFromStrings=drawn)
    monkeypatch.setitem(sys.modules, "trdg.generators", stand_in)
    trdg_side.draw({"font": "a.ttf", "parts": [[{"blur": 1}, ["말", "글"]], [{}, ["책"]]]})
    assert [(t, o.get("blur")) for t, o in asked] == [(["말", "글"], 1), (["책"], None)]
    assert {(o["size"], *o["fonts"], o["text_color"]) for _, o in asked} == {
        (64, "a.ttf", "#282828")
    }


def test_feeding_runs():
    found = feed.measure(rounds=1, images=4, copies=2, batch_size=3, ours=2, theirs=1)
    assert found["processor"]["times"] > 0
    assert "batches of 3" in found["note"]


# The 24 models


@pytest.fixture(scope="module")
def pairs():
    return optimizations.pairs(TINY, CPU)


WHAT = (
    "TPS's sampling points",
    "gated convolution",
    "pool before ReLU",
    "AdamW in one pass",
)


@pytest.mark.parametrize("what", WHAT)
def test_an_optimization_changes_nothing(pairs, what):
    assert set(pairs) == set(WHAT)
    theirs, ours = (way() for way in pairs[what])
    assert len(theirs) == len(ours)
    for one, other in zip(theirs, ours, strict=True):
        assert one.isfinite().all()
        # Two ways to round a bfloat16, or a float32 that the spline magnifies.
        coarse = one.dtype == torch.bfloat16 or what == "gated convolution"
        tolerance = {"rtol": 0.05, "atol": 1e-2} if coarse else {"rtol": 1e-3, "atol": 1e-4}
        torch.testing.assert_close(other, one, **tolerance)


def test_models_optimizations_and_ceilings_are_measured():
    rows = optimizations.measure("mini", TINY, CPU, rounds=1)
    assert [row["what"] for row in rows] == list(WHAT)
    for name, batch in (("None-VGG-None-CTC", 2), ("TPS-ResNet-BiLSTM-Attn", 3)):
        row = performance.measure_model("mini", TINY, name, CPU, rounds=1)
        assert row["batch"] == batch
        assert all(number > 0 for task in ("train", "read") for number in row[task].values())
        assert row["train"]["flops"] > row["read"]["flops"]
    ceilings = performance.measure_ceilings(CPU, rounds=1, edge=64, megabytes=1)
    assert ceilings.keys() == read_json(performance.DATA)["ceilings"].keys()


def test_reading_goes_on_to_the_last_character():
    model = optimizations.make_model("None-VGG-None-Attn", TINY).eval()
    with torch.no_grad():
        model.head.generator.bias[1] = 100  # it would end at once
    optimizations.never_end(model.head)
    with torch.inference_mode():
        assert (model(torch.zeros(1, 1, 32, 32)) != 0).any(dim=2).all()


def test_shares_by_hand():
    ceiling = {
        "product_fp32": 10.0, "convolution_fp32": 20.0, "product_bf16": 50.0,
        "convolution_bf16": 40.0, "bytes_per_second": 100.0,
    }  # fmt: skip
    row = {"precision": "bf16", "train": {"fast": 5.0, "plain": 2.0, "flops": 4.0, "bytes": 8.0}}
    assert performance.shares(row, "train", ceiling) == pytest.approx((0.4, 0.2))
    row["precision"] = "fp32"
    assert performance.shares(row, "train", ceiling) == pytest.approx((1.0, 0.4))


def test_all_models_were_measured_in_both_sizes():
    found = read_json(performance.DATA)
    for size in performance.SIZES:
        rows = [row["model"] for row in found["models"] if row["size"] == size]
        assert rows == list(MODEL_NAMES)
        assert [row["what"] for row in found["cuts"] if row["size"] == size] == list(WHAT)


# The documents


def test_the_page_on_performance_says_what_was_measured(tmp_path):
    said = performance.DOCUMENT.read_text(encoding="utf-8")
    copy = tmp_path / "page.md"
    copy.write_text(said.replace("\n| None-", "\n| old-"), encoding="utf-8")
    performance.write_tables(copy, performance.tables(read_json(performance.DATA)))
    assert copy.read_text(encoding="utf-8") == said


def test_the_page_on_the_papers_sizes_says_what_is_counted(tmp_path):
    said = paper_scale.DOCUMENT.read_text(encoding="utf-8")
    copy = tmp_path / "page.md"
    copy.write_text(said, encoding="utf-8")
    performance.write_tables(copy, {"best": paper_scale.best_table()})  # all 24 take minutes
    assert copy.read_text(encoding="utf-8") == said
    assert f"{paper_scale.reference_flops() / 1e9:.1f} GFLOP an image" in said
    assert f"{100 * paper_scale.share_reached():.1f} % of the ceiling" in said


def test_a_document_without_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(AssertionError, match="no place for the table cuts"):
        performance.write_tables(page, {"cuts": "|"})


def test_hours_are_the_slower_of_arithmetic_and_memory():
    cost = paper_scale.count(paper_scale.BEST, True)
    images = 300_000 * 192
    p40 = paper_scale.least_hours(paper_scale.BEST, "2019", "P40")
    assert p40 == pytest.approx(images * cost.flops / 11.8e12 / 3600)
    h100 = paper_scale.least_hours(paper_scale.BEST, "2019", "H100")
    moved = images * (cost.image_bytes + cost.batch_bytes / 192) / 2  # half-width numbers
    assert h100 == pytest.approx(moved / 3_350e9 / 3600)


def test_the_readmes_numbers_are_those_of_the_files():
    readme = (performance.ROOT / "README.md").read_text(encoding="utf-8")
    rows = read_json(performance.ROOT / "data/results/bench.json")["rows"]
    times = {row["what"]: row["processor"]["times"] for row in rows}
    drawn = [t for what, t in times.items() if what.startswith("generate") and "quasi" not in what]
    assert f"drawn {min(drawn):.0f} to {max(drawn):.0f} times as fast" in readme
    assert f"quasi-crystal background {times['generate: quasi-crystal']:.0f} times" in readme
    fed = times["feed: 32x400 batches"]
    assert f"fed {round(fed, -1):.0f} times as fast" in readme
