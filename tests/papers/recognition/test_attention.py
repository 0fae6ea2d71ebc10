"""The decoder that keeps its weights, and fractional pickup."""

import pytest
import torch

from ocrkit.models.prediction import attention_maps
from ocrkit.papers.recognition.attention import (
    Decoder,
    Reader,
    as_pixels,
    fractional_pickup,
)
from ocrkit.papers.shared.scene_sets import word_set

CLASSES, LONGEST = 12, 4


def small_reader():
    torch.manual_seed(0)
    return Reader(CLASSES, LONGEST, (4, 4, 8, 8), hidden=16).eval()


@pytest.mark.parametrize("glance", [False, True])
def test_both_ways_through_the_decoder_give_the_same_logits(glance):
    torch.manual_seed(1)
    decoder, frames = Decoder(6, 8, CLASSES, glance), torch.randn(3, 7, 6)
    text = torch.randint(2, CLASSES, (3, LONGEST + 1))
    text[:, 0] = 0
    told = decoder.look(frames, text, LONGEST + 1)
    torch.testing.assert_close(told.logits, decoder(frames, text, LONGEST + 1))
    guessed, greedy = decoder.look(frames, None, 5).logits, decoder(frames, None, 5)
    taken = greedy.abs().sum((0, 2)) > 0  # the head stops when all have said [s]
    torch.testing.assert_close(guessed[:, taken], greedy[:, taken])
    assert told.alpha.shape == (3, 5, 7)
    assert told.states.shape == (3, 5, 8)
    torch.testing.assert_close(told.alpha.sum(2), torch.ones(3, 5))


def test_the_weights_are_those_that_attention_maps_sees():
    reader, images = small_reader(), torch.rand(2, 1, 32, 96) * 2 - 1
    _, maps = attention_maps(reader, images)
    looks = reader.head.look(reader.frames(reader.features(images)), None, maps.shape[1])
    torch.testing.assert_close(looks.alpha, maps)


def test_a_glance_adds_what_the_context_says():
    torch.manual_seed(6)
    decoder, frames = Decoder(6, 8, CLASSES, glance=True), torch.randn(3, 7, 6)
    text = torch.randint(2, CLASSES, (3, 4))
    looks = decoder.look(frames, text, 4)
    contexts = looks.alpha @ frames
    expected = decoder.generator(looks.states) + contexts @ decoder.glance.weight.T
    torch.testing.assert_close(looks.logits, expected)
    logits, alphas = decoder.guess(frames, 4)
    torch.testing.assert_close(decoder(frames, None, 4), logits)
    assert [alpha.shape for alpha in alphas] == 4 * [(3, 7)]


def test_gradients_reach_the_frames_through_the_weights():
    torch.manual_seed(2)
    decoder = Decoder(3, 4, CLASSES).double()
    frames = torch.randn(2, 5, 3, dtype=torch.double, requires_grad=True)
    text = torch.tensor([[0, 3, 4], [0, 5, 1]])
    assert torch.autograd.gradcheck(lambda f: decoder.look(f, text, 3).alpha, frames)


def test_pickup_mixes_two_neighbours_and_keeps_the_sum():
    torch.manual_seed(3)
    alpha = torch.randn(40, 9, dtype=torch.double).softmax(1)
    mixed = fractional_pickup(alpha, torch.Generator().manual_seed(4))
    torch.testing.assert_close(mixed.sum(1), alpha.sum(1))
    again = fractional_pickup(alpha, torch.Generator().manual_seed(4))
    torch.testing.assert_close(mixed, again)
    for before, after in zip(alpha, mixed, strict=True):
        (changed,) = (before - after).abs().gt(1e-12).nonzero(as_tuple=True)
        left, right = changed.tolist()
        assert right == left + 1
        # Both are means of the two, so neither leaves their range.
        assert before[[left, right]].min() <= after[left] <= before[[left, right]].max()
    where = (alpha - mixed).abs().argmax(1)
    assert len(set(where.tolist())) > 4  # not always the same place


def test_a_reader_reads_word_images():
    words = word_set("test", 3, size=(32, 96))
    pixels = as_pixels(words)
    assert (pixels.pixels.shape, tuple(pixels.texts)) == ((3, 32, 96), words.texts)
    assert small_reader()(torch.zeros(2, 1, 32, 96)).shape == (2, LONGEST + 1, CLASSES)
