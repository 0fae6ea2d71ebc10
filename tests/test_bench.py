"""The bench: its arithmetic, its file, and that every measure runs. No number is judged here."""

import contextlib
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from ocrkit.bench import feed, generate, rates, run, train, trdg_side
from ocrkit.bench.rates import Rate, Row, in_turns, timed
from ocrkit.bench.trdg import Trdg, start_trdg, trdg_command
from ocrkit.files import read_json
from ocrkit.models import Recognizer

OURS = [Rate(100.0, 50.0), Rate(300.0, 70.0), Rate(200.0, 60.0)]
THEIRS = [Rate(10.0, 10.0), Rate(20.0, 20.0), Rate(40.0, 30.0)]


def row(clock: str = "processor", theirs: list[Rate] = THEIRS, reach: float = 10.0) -> Row:
    return Row("feed", "decoding", reach, clock, OURS, theirs, "two threads")


# Rates and rows


def test_the_ratio_is_that_of_the_medians_and_the_spread_that_of_the_rounds():
    assert row().by("processor") == {
        "ours": 200, "theirs": 20, "times": 10, "lowest": 5, "highest": 15,
    }  # fmt: skip
    assert row().by("wall")["times"] == 3


@pytest.mark.parametrize(
    ("clock", "reach", "reached"),
    [("processor", 10, True), ("processor", 10.1, False), ("wall", 3, True), ("wall", 10, False)],
)
def test_the_rows_own_clock_decides(clock, reach, reached):
    assert row(clock, reach=reach).as_dict()["reached"] is reached


def test_without_the_other_side_nothing_is_reached_or_missed():
    lone = row(theirs=[]).as_dict()
    assert lone["processor"] == {
        "ours": 200, "theirs": None, "times": None, "lowest": None, "highest": None,
    }  # fmt: skip
    assert lone["reached"] is None


def test_turns_are_taken_and_the_first_is_not_counted():
    order = []

    def side(name):
        def one():
            order.append(name)
            return Rate(len(order), len(order))

        return one

    ours, theirs = in_turns(side("a"), side("b"), rounds=2)
    assert order == ["a", "b"] * 3
    assert [rate.wall for rate in ours] == [3, 5]
    assert [rate.wall for rate in theirs] == [4, 6]
    assert [len(side) for side in in_turns(side("a"), None, rounds=3)] == [3, 0]


def test_a_rate_is_images_by_either_clock(monkeypatch):
    processor, wall = iter([1.0, 3.0]), iter([10.0, 15.0])
    clocks = SimpleNamespace(process_time=lambda: next(processor), perf_counter=lambda: next(wall))
    monkeypatch.setattr(rates, "time", clocks)
    assert timed(lambda: 30) == Rate(processor=15.0, wall=6.0)


# TRDG


def speaking(script: str) -> contextlib.AbstractContextManager[Trdg]:
    """A process that speaks as TRDG's side does, or not."""
    return start_trdg([sys.executable, "-c", script])


def test_trdg_that_is_not_there(refused, tmp_path):
    with (
        refused("TRDG is not installed: `make bench` puts it"),
        start_trdg(trdg_command(tmp_path / "python")),
    ):
        pass


def test_trdg_that_does_not_run_says_why(refused):
    # This Python has no cv2, and no trdg either.
    with (
        refused("does not run here: ModuleNotFoundError"),
        start_trdg(trdg_command(sys.executable)),
    ):
        pass


def test_trdg_is_asked_and_answers():
    script = """
import json, sys
print('{"trdg": "1.8.0"}', flush=True)
for line in sys.stdin:
    job = json.loads(line)
    assert job["font"] == "a.ttf" and job["parts"][1][0] == {"blur": 2}
    print('{"processor": 0.5, "wall": 2}', flush=True)
"""
    with speaking(script) as trdg:
        assert trdg.versions == {"trdg": "1.8.0"}
        for _ in range(2):
            rate = trdg.draw("a.ttf", [({}, ["말", "글"]), ({"blur": 2}, ["책", "집"])])
            assert rate == Rate(processor=8.0, wall=2.0)


def test_trdg_that_breaks_off_says_why(refused):
    script = "print('{}', flush=True); input(); raise ValueError('no such font')"
    with speaking(script) as trdg:
        for _ in range(2):  # the second time the pipe is broken too
            with refused("ValueError: no such font"):
                trdg.draw("a.ttf", [({}, ["말"])])


def test_trdgs_side_draws_each_part_with_its_options(monkeypatch):
    asked = []

    def drawn(texts, **options):
        asked.append((texts, options))
        return [(Image.new("RGB", (8, 8)), text) for text in texts]

    for name, holds in {
        "cv2": {"setNumThreads": lambda count: None},
        "trdg": {},
        "trdg.generators": {"GeneratorFromStrings": drawn},
    }.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**holds))
    monkeypatch.setattr(trdg_side, "version", lambda name: f"{name} 1")
    job = {"font": "a.ttf", "parts": [[{"blur": 1}, ["말", "글"]], [{}, ["책"]]]}
    answers = io.StringIO()
    trdg_side.answer_jobs([json.dumps(job)] * 2, answers)
    versions, *seconds = map(json.loads, answers.getvalue().splitlines())
    assert versions["trdg"] == "trdg 1"
    assert [set(answer) for answer in seconds] == [{"processor", "wall"}] * 2
    assert [(texts, options.get("blur")) for texts, options in asked] == [
        (["말", "글"], 1),
        (["책"], None),
    ] * 2
    assert {options["text_color"] for _, options in asked} == {"#282828"}
    assert {(options["size"], *options["fonts"]) for _, options in asked} == {(64, "a.ttf")}


# The measures


def test_both_generators_draw_the_same_texts(monkeypatch):
    asked, ours = [], []

    class Fake:
        versions = {"trdg": "1.8.0", "pillow": "9.5.0"}  # noqa: RUF012

        def draw(self, font, parts):
            asked.append([texts for _, texts in parts])
            return Rate(1.0, 1.0)

    drawing = generate.samples

    def noted(generation):
        ours.append([])
        for sample in drawing(generation):
            ours[-1].append(sample.label)
            yield sample

    monkeypatch.setattr(generate, "start_trdg", lambda command: contextlib.nullcontext(Fake()))
    monkeypatch.setattr(generate, "samples", noted)
    rows = list(generate.measure(Path("python"), rounds=1, ours=12, theirs=6))
    assert [row.what for row in rows] == [f"generate: {kind}" for kind in generate.PARTS]
    assert rows[0].against == "TRDG 1.8.0 (pillow 9.5.0)"
    theirs = [part for parts in asked for part in parts]
    assert len(theirs) == len(ours)
    for own, texts in zip(ours, theirs, strict=True):
        assert texts
        assert texts == own[: len(texts)]
        assert all(len(text.split(" ")) == 10 for text in texts)


def test_generating_stands_alone_where_trdg_is_missing_or_fails(monkeypatch, tmp_path):
    monkeypatch.setattr(generate, "PARTS", {"blur": generate.PARTS["blur"]})
    (lone,) = generate.measure(tmp_path / "python", rounds=2, ours=3, theirs=3)
    assert (len(lone.ours), lone.theirs) == (2, [])
    assert lone.note.startswith("TRDG is not installed")

    script = "print('{\"trdg\": \"1.8.0\"}', flush=True); input(); raise ValueError('broken')"
    monkeypatch.setattr(generate, "start_trdg", lambda command: speaking(script))
    (lone,) = generate.measure(tmp_path / "python", rounds=2, ours=3, theirs=3)
    assert (len(lone.ours), lone.theirs) == (2, [])
    assert lone.note.endswith("ValueError: broken")


def test_feeding_runs():
    found = feed.measure(rounds=2, images=4, copies=2, batch_size=3, ours=2, theirs=1)
    assert (len(found.ours), len(found.theirs)) == (2, 2)
    assert found.clock == "processor"
    assert "batches of 3" in found.note


def test_training_runs():
    threads = torch.get_num_threads()
    found = train.measure(
        rounds=1, batch_size=2, threads=1, image_width=64, width=0.05, words_per_label=1
    )
    assert (len(found.ours), len(found.theirs)) == (1, 1)
    assert (found.clock, found.reach) == ("wall", 3)
    assert "batch 2, 973 classes, 1 threads, adadelta" in found.note
    assert torch.get_num_threads() == threads


def test_the_plain_order_gives_the_same_numbers():
    torch.manual_seed(0)
    model = Recognizer(train.MODEL, classes=5, image_width=32, width=0.1).eval()
    images = torch.rand(2, 1, 32, 32) * 2 - 1
    with torch.inference_mode():
        before, kinds = model(images), [type(layer).__name__ for layer in model.features]
        train.plain_order(model.features)
        after = model(images)
    now = [type(layer).__name__ for layer in model.features]
    assert torch.equal(before, after)
    pools = [i for i, kind in enumerate(now) if kind == "MaxPool2d"]
    assert len(pools) == 4
    assert all(now[i - 1] == "ReLU" for i in pools)
    assert sorted(now) == sorted(kinds)


# The command


def test_the_bench_prints_and_writes_what_it_found(ocrkit, monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # put back afterwards: the command sets it
    lone = Row("generate: basic", "TRDG", 10.0, "processor", OURS, [], "TRDG is not installed")
    monkeypatch.setattr(run, "rows", lambda *asked: [lone, row("wall")])
    code, printed, _ = ocrkit("bench", "--out", tmp_path / "runs" / "bench.json")
    assert code == 0
    assert "TRDG is not installed" in printed
    found = read_json(tmp_path / "runs" / "bench.json")
    assert [one["what"] for one in found["rows"]] == ["generate: basic", "feed"]
    assert found["rows"][1]["wall"]["times"] == 3
    assert found["machine"]["cores"] >= 1
    assert set(found["versions"]) == {"ocrkit", "python", "torch", "numpy", "pillow"}
    shown = run.table(found)
    assert list(shown["rounds"]) == ["", "2-5"]
    assert shown["times"].isna().tolist() == [True, False]


def test_only_what_is_asked_for_is_measured(monkeypatch):
    monkeypatch.setattr(feed, "measure", lambda rounds: f"feed {rounds}")
    monkeypatch.setattr(train, "measure", lambda rounds: f"train {rounds}")
    assert list(run.rows(("train", "feed"), Path(), 3)) == ["feed 3", "train 3"]


def test_an_unknown_measure_is_refused(complains, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert "no measure 'reading': choose among generate" in complains("bench", "--only", "reading")
