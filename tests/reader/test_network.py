"""The network of the line reader, against the same sums written out over all 11,172 syllables."""

import pytest
import torch
import torch.nn.functional as F

from ocrkit.reader.charset import CLASSES, encode
from ocrkit.reader.network import LineNetwork, best_classes, ctc_loss


@pytest.fixture(scope="module")
def scores():
    torch.manual_seed(0)
    network = LineNetwork((8, 8, 8, 8, 16), 16).eval().double()
    with torch.no_grad():
        found = network(torch.rand(2, 1, 32, 48, dtype=torch.float64))
    return tuple(20 * each for each in found)


def dense(scores):
    signs, lead_vowel, vowel_tail = scores
    syllables = (lead_vowel[..., None] + vowel_tail[:, :, None]).flatten(2)
    return torch.cat([signs, syllables], 2).log_softmax(2)


def test_loss_and_gradient_are_those_of_ctc_over_all_classes(scores):
    labels, frames = [encode("가나 a"), encode("값")], torch.tensor([12, 9])
    lengths = torch.tensor([4, 1])

    def plain(given):
        targets = torch.tensor([i for label in labels for i in label])
        return F.ctc_loss(dense(given).transpose(0, 1), targets, frames, lengths)

    results = []
    for loss_of in (plain, lambda given: ctc_loss(given, labels, frames)):
        given = tuple(each.clone().requires_grad_() for each in scores)
        loss = loss_of(given)
        results.append((loss, *torch.autograd.grad(loss, given)))
    assert dense(scores).shape[2] == CLASSES
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_best_class_is_that_of_all_classes(scores):
    ids, sure = best_classes(scores)
    highest, expected = dense(scores).max(2)
    assert torch.equal(ids, expected)
    torch.testing.assert_close(sure, highest.exp())


def test_a_label_too_long_for_its_frames_counts_nothing(scores):
    given = tuple(each.clone().requires_grad_() for each in scores)
    loss = ctc_loss(given, [encode("가나"), encode("가" * 30)], torch.tensor([12, 12]))
    alone = ctc_loss(tuple(each[:1] for each in scores), [encode("가나")], torch.tensor([12]))
    assert loss.item() == pytest.approx(alone.item() / 2)
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss, given))


@pytest.mark.parametrize("width", [4, 132, 1200])
def test_any_width_gives_a_frame_in_four_pixels(width):
    signs, *_ = LineNetwork((8, 8, 8, 8, 16), 16)(torch.zeros(2, 1, 32, width))
    assert signs.shape[:2] == (2, width // 4)


def test_weights_take_under_8_megabytes_in_half_precision():
    assert 2 * sum(p.numel() for p in LineNetwork().parameters()) < 8e6
