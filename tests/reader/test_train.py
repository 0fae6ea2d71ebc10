"""Training the line reader."""

import csv
import itertools
from types import SimpleNamespace

import numpy as np
import torch

from ocrkit.reader import load_reader
from ocrkit.reader.draw import Artist
from ocrkit.reader.faces import Faces
from ocrkit.reader.lines import BUCKET
from ocrkit.reader.network import STRIDE, LineNetwork
from ocrkit.reader.text import Texts
from ocrkit.reader.train import BATCH_PIXELS, batches, learn, longest_at, train
from ocrkit.training.optimizers import MuonAdamW, muon_groups


def some_batches(count: int, longest: int) -> list:
    artist = Artist(1, Faces("koreanize"), Texts(1, ["사과", "하늘"]))
    return list(itertools.islice(batches(artist, SimpleNamespace(value=longest)), count))


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
    optimizer = MuonAdamW(muon_groups(network, 3e-3, 0.02, 0.0))
    muon = {id(p) for g in optimizer.param_groups if g["muon"] for p in g["params"]}
    assert {id(network.sequence.rnn.weight_hh_l0)} <= muon
    assert not muon & {id(p) for p in network.score.parameters()}
    losses = [learn(network, optimizer, batch) for _ in range(30)]
    assert losses[-1] < 0.6 * losses[0]


def test_a_second_call_goes_on_and_so_does_a_finished_reader(tmp_path):
    def curve(folder):
        with (folder / "curve.csv").open(encoding="utf-8") as file:
            return [int(row["step"]) for row in csv.DictReader(file)]

    one, two = tmp_path / "one", tmp_path / "two"
    train(one, 0.05, fonts="koreanize")
    train(one, 0.05, fonts="koreanize")
    steps = curve(one)
    assert 0 < steps[0] < steps[-1] == load_reader(one / "reader-ko").info["steps"]
    train(two, 0.05, start=one / "reader-ko", fonts="koreanize")
    assert curve(two)[-1] > steps[-1]
