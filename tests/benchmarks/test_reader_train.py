"""Training the line reader."""

import itertools
import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
import torch
from reader_train import BATCH_PIXELS, batches, longest_at, rate_share, train

from ocrkit.reader import load_reader
from ocrkit.reader.draw import Artist
from ocrkit.reader.faces import Faces
from ocrkit.reader.lines import BUCKET
from ocrkit.reader.network import STRIDE, LineNetwork
from ocrkit.reader.task import READER_RECIPE, LineTask
from ocrkit.reader.text import Texts
from ocrkit.training import Loop


def some_batches(count: int, longest: int) -> list:
    artist = Artist(1, Faces("koreanize"), Texts(1, ["사과", "하늘"]))
    return list(itertools.islice(batches(artist, 30 * (longest - 4)), count))


def test_batches_hold_like_widths_and_labels_that_fit():
    for inks, labels in some_batches(8, 12):
        widths = [ink.shape[1] for ink in inks]
        assert max(widths) - min(widths) < BUCKET
        assert len(inks) * max(widths) <= BATCH_PIXELS
        assert all(0 < len(lab) <= w // STRIDE for lab, w in zip(labels, widths, strict=True))
        assert all(ink.dtype == np.uint8 for ink in inks)


def test_lines_grow_longer():
    assert longest_at(0) < 6
    assert longest_at(100_000) == longest_at(10_000) > 30


def test_a_few_steps_learn_a_batch():
    torch.manual_seed(0)
    batch = some_batches(1, 3)[0]
    network = LineNetwork((8, 16, 16, 16, 32), 32)
    recipe = replace(READER_RECIPE, steps=30)
    losses = []
    loop = Loop(network, LineTask([batch] * 30, None), recipe)
    muon = {id(p) for g in loop.engine.optimizer.param_groups if g["muon"] for p in g["params"]}
    assert {id(network.sequence.rnn.weight_hh_l0)} <= muon
    assert not muon & {id(p) for p in network.score.parameters()}
    loop.run(lambda now: losses.append(now.loss))
    assert losses[-1] < 0.6 * losses[0]


def test_the_rate_goes_up_stays_and_falls_to_zero():
    shares = [rate_share(step, 1000, 0.4) for step in range(1000)]
    assert shares[0] == 1 / 200
    assert shares[200:600] == [1.0] * 400
    assert 0 < shares[-1] < 0.01
    assert shares[800] == 0.5


def test_stopped_it_goes_on_and_a_later_call_from_a_finished_reader(
    tmp_path, capsys, refused, monkeypatch
):
    monkeypatch.setattr("reader_train.CHECK_LINES", 10)  # read at every validation
    one, two = tmp_path / "one", tmp_path / "two"
    settings = {"fonts": "koreanize", "recipe": replace(READER_RECIPE, validate_every=2)}
    steps = []

    def stop(now) -> None:
        steps.append(now.step)
        if now.step == 3:
            raise KeyboardInterrupt

    settings["save_every"] = 0.0
    with pytest.raises(KeyboardInterrupt):
        train(one, 4, **settings, watch=stop)
    assert multiprocessing.active_children() == []
    assert load_reader(one / "reader-ko").info["steps"] == 2
    train(one, 4, **settings, watch=lambda now: steps.append(now.step))
    assert steps == [1, 2, 3, 3, 4]
    assert load_reader(one / "reader-ko").info["steps"] == 4
    train(two, 2, **settings, start=one / "reader-ko")
    assert load_reader(two / "reader-ko").info["steps"] == 6
    assert "valid_cer_spaces" in capsys.readouterr().out
    with refused("is of another run"):
        train(one, 4, **settings, seed=2)
