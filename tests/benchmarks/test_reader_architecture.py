"""One of the 24 learns the reader's lines by the reader's recipe, and both get a row."""

import pytest
import reader_architecture
import torch
import torch.nn.functional as F
from reader_architecture import NETWORKS, plain_ctc_loss, rare_right

from ocrkit.reader.charset import CLASSES
from ocrkit.reader.draw import Artist
from ocrkit.reader.faces import Faces


def test_the_loss_over_all_classes_is_ctcs_and_so_is_its_gradient():
    logits = torch.randn(2, 9, 30, dtype=torch.double, requires_grad=True)
    frames = torch.tensor([9, 7])
    ours = plain_ctc_loss(logits, [[3, 4, 4], [5]], frames)
    targets, lengths = torch.tensor([3, 4, 4, 5]), torch.tensor([3, 1])
    theirs = F.ctc_loss(logits.log_softmax(2).transpose(0, 1), targets, frames, lengths)
    assert ours.item() == pytest.approx(theirs.item())
    (gradient,) = torch.autograd.grad(ours, logits)
    torch.testing.assert_close(gradient, torch.autograd.grad(theirs, logits)[0])


@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_network_has_the_readers_frames_and_classes(name):
    network = NETWORKS[name]().eval()
    scores = network(torch.rand(2, 1, 32, 52))
    assert (scores if name == "VGG" else scores[0]).shape[:2] == (2, 13)
    if name == "VGG":
        assert scores.shape[2] == CLASSES
    ids, sure = reader_architecture.reader_of(network).classes(torch.rand(2, 1, 32, 52))
    assert ids.shape == sure.shape == (2, 13)
    assert ids.max() < CLASSES
    assert ((sure > 0) & (sure <= 1)).all()


def test_lines_are_drawn_once_learnt_and_measured(tmp_path, capsys):
    reader_architecture.draw(tmp_path, 3, fonts="koreanize")
    batches = reader_architecture.drawn_batches(tmp_path)
    assert len(batches) == 3
    assert all(len(inks) == len(labels) > 1 and all(labels) for inks, labels in batches)
    reader_architecture.train(tmp_path, "VGG", 2, fonts="koreanize", checked=2)
    artist = Artist(5, Faces("koreanize"))
    lines = [artist.line(8) for _ in range(3)]
    rows = reader_architecture.table(tmp_path, lines, lines, rounds=1)
    assert rows["engine"].tolist() == ["None-VGG-BiLSTM-CTC, width 0.25", "reader-ko"]
    first = rows.iloc[0]
    assert (first["steps"], first["lines"]) == (2, sum(len(inks) for inks, _ in batches[:2]))
    assert first["cer_drawn"] > rows.iloc[1]["cer_drawn"]
    capsys.readouterr()


def test_rare_syllables_are_counted_where_they_stand():
    assert rare_right(["가뷁다", "뷁"], ["나뷁다", "다"], {"뷁", "나"}) == (1, 2)
