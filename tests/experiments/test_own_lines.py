"""The line reader on lines of one's own: what is learnt, left out, kept, and gone on from."""

import io
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from ocrkit.data.store import ImageSet, Item, write_set
from ocrkit.experiments import own_lines
from ocrkit.experiments.own_lines import TUNING_RECIPE, train_lines
from ocrkit.reader import load_reader
from ocrkit.reader.lines import save_reader
from ocrkit.reader.network import LineNetwork
from ocrkit.reader.task import LabelledLines, LineBatches
from ocrkit.resources import READER
from ocrkit.training import Loop

TEXTS = ("가나 다", "3,500원", "라 12", "나 ① b", "다가나 라", "가", "나다 4", "라라", "12 가나")
RECIPE = replace(TUNING_RECIPE, steps=6, batch_size=3, validate_every=2)


def line(width: int, seed: int = 0) -> bytes:
    """A picture of black blocks, another for each seed."""
    pixels = np.full((24, width), 255, np.uint8)
    for x in np.random.default_rng(seed).integers(0, width - 6, max(2, width // 20)):
        pixels[6:18, x : x + 6] = 0
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def sets(tmp_path):
    """Two sets of lines from 60 to 400 pixels wide, and one to validate on."""
    for number, (name, count) in enumerate((("mine", 9), ("drawn", 5), ("valid", 4))):
        texts = [TEXTS[i % len(TEXTS)] for i in range(count)]
        items = [Item(line(60 + 43 * i, 10 * number + i), t) for i, t in enumerate(texts)]
        write_set(tmp_path / name, items)
    return [tmp_path / name for name in ("mine", "drawn", "valid")]


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A tiny reader to begin with; fresh ones are as small."""
    monkeypatch.setattr(own_lines, "LineNetwork", partial(LineNetwork, (4, 4, 4, 4, 8), 8))
    torch.manual_seed(0)
    save_reader(LineNetwork((4, 4, 4, 4, 8), 8), tmp_path / "small", steps=1)
    return tmp_path / "small"


def train(sets, folder, start, **changes):
    settings = {"recipe": RECIPE, "seed": 2, "folder": folder, "start": start, **changes}
    return train_lines(sets[:2], sets[2], **settings)


@pytest.mark.parametrize("begun", [True, False])
def test_a_trained_reader_reads(sets, tmp_path, small, begun):
    steps = []
    start = small if begun else None
    checkpoint = train(sets, tmp_path / "run", start, watch=lambda now: steps.append(now.step))
    assert checkpoint == tmp_path / "run" / READER
    assert steps == [1, 2, 3, 4, 5, 6]
    reader = load_reader(checkpoint)
    assert reader.info["trained_on"] == ["mine", "drawn"]
    assert isinstance(reader.read_lines([np.full((30, 90), 255, np.uint8)])[0].text, str)
    told = json.loads((tmp_path / "run" / "own.json").read_text(encoding="utf-8"))
    assert [row["step"] for row in told["history"]] == [2, 4, 6]
    assert {"valid_cer", "valid_cer_spaces"} < set(told["history"][0])
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        *("own.json", f"{READER}.json", f"{READER}.safetensors"),
    ]


def test_it_begins_with_the_weights_it_is_given(sets, tmp_path, small, monkeypatch):
    seen = []
    monkeypatch.setattr(Loop, "run", lambda loop, _: seen.append(loop.model.state_dict()) or 1 / 0)
    for start in (small, None):
        with pytest.raises(ZeroDivisionError):
            train(sets, tmp_path / "run", start)
    given = load_reader(small).network.state_dict()
    same = [all(torch.equal(state[key], given[key]) for key in given) for state in seen]
    assert same == [True, False]


@pytest.mark.parametrize("stop_at", [1, 4])
def test_stopped_and_started_again_it_ends_the_same(sets, tmp_path, small, stop_at):
    def stop(progress) -> None:
        if progress.step == stop_at:
            raise KeyboardInterrupt

    whole = load_reader(train(sets, tmp_path / "whole", small)).network.state_dict()
    with pytest.raises(KeyboardInterrupt):
        train(sets, tmp_path / "stopped", small, watch=stop, save_every=0.0)
    steps = []
    again = train(sets, tmp_path / "stopped", small, watch=lambda now: steps.append(now.step))
    assert steps == list(range(stop_at, 7))
    for key, value in load_reader(again).network.state_dict().items():
        assert torch.equal(value, whole[key]), key


def test_the_lowest_error_rate_is_kept(sets, tmp_path, small, monkeypatch):
    rates = iter([30.0, 10.0, 20.0])
    monkeypatch.setattr(
        "ocrkit.reader.task.line_scores",
        lambda *_: {"valid_accuracy": 0.0, "valid_cer_spaces": next(rates)},
    )
    assert load_reader(train(sets, tmp_path / "run", small)).info["steps"] == 4


def test_a_run_from_other_weights_or_lines_is_another_run(sets, tmp_path, small, refused):
    train(sets, tmp_path / "run", small)
    steps = []
    train(sets, tmp_path / "run", small, watch=steps.append)
    assert steps == []
    with refused("finished training with another from: choose another folder"):
        train(sets, tmp_path / "run", None)
    with refused("with another train"):
        train([sets[0], sets[0], sets[2]], tmp_path / "run", small)
    with refused("would take the place of .*, from which it starts"):
        train(sets, tmp_path / "run", tmp_path / "run" / READER)
    with pytest.raises(KeyboardInterrupt):
        train(sets, tmp_path / "half", small, save_every=0.0, watch=interrupt)
    with refused(r"is of another run \(other from\)"):
        train(sets, tmp_path / "half", tmp_path / "run" / READER)


def interrupt(progress) -> None:
    if progress.step == 3:
        raise KeyboardInterrupt


def test_what_cannot_be_learnt_is_left_out_and_told(sets, tmp_path, small, refused):
    odd = [Item(line(90, 1), "한자 漢字"), Item(line(20, 2), "가나다라마바사" * 9)]
    odd += [Item(b"junk", "가"), Item(line(90, 3), "가 나")]
    write_set(tmp_path / "odd", odd, verify=False)
    said = []
    train([tmp_path / "odd", *sets[1:]], tmp_path / "run", small, warn=said.append)
    (one,) = said
    assert (
        "odd: 3 of 4 lines left out (first: number 0: the line reader cannot write '漢字')" in one
    )
    reasons = [reason for _, reason in LabelledLines(ImageSet(tmp_path / "odd")).left_out]
    assert "63 characters need 63 frames of 4 pixels, and the line has" in reasons[1]
    assert "does not decode" in reasons[2]
    write_set(tmp_path / "odd", odd[:1])
    with refused("odd has no line to learn from: the line reader cannot write"):
        train([tmp_path / "odd", *sets[1:]], tmp_path / "other", small)


def test_what_cannot_be_begun_with(sets, tmp_path, small, refused):
    with refused("gone.json is missing"):
        train(sets, tmp_path / "run", tmp_path / "gone")
    network = load_reader(small).network
    network.score.pair_bias.data[0] = torch.nan
    with refused("holds NaN"):
        save_reader(network, tmp_path / "nan")
    small.with_suffix(".safetensors").write_bytes(b"junk")
    with refused("is damaged"):
        train(sets, tmp_path / "run", small)
    with refused("nothing to train on"):
        train_lines([], None, start=None, recipe=RECIPE, folder=tmp_path / "run")
    with refused("unknown device"):
        train(sets, tmp_path / "run", small, device="abacus")
    assert not (tmp_path / "run").exists()


def test_batches_show_every_line_once_an_epoch_and_sets_take_turns(sets):
    lines = [LabelledLines(ImageSet(path)) for path in sets[:2]]
    batches, again = (LineBatches(lines, 2, seed=5) for _ in "ab")
    per_epoch = batches.lengths
    for source, count in enumerate(per_epoch):
        for epoch in range(2):
            steps = [2 * (epoch * count + place) + source for place in range(count)]
            labels = [label for step in steps for label in batches[step][1]]
            assert sorted(labels) == sorted(lines[source].labels)
    for step in (7, 0, 31):
        inks, labels = batches[step]
        assert 1 <= len(inks) == len(labels) <= 2
        assert max(i.shape[1] for i in inks) - min(i.shape[1] for i in inks) < 64
        assert all(np.array_equal(a, b) for a, b in zip(inks, again[step][0], strict=True))
    other = LineBatches(lines, 2, seed=6)
    assert any(batches[s][1] != other[s][1] for s in range(20))
