"""The head with context in its logits, fractional pickup, and the small reader."""

import torch

from ocrkit.models.prediction import Attention
from ocrkit.papers.recognition.word_readers import AttentionReader, fractional_pickup

CLASSES, MAX_LENGTH = 12, 4


def small_reader():
    torch.manual_seed(0)
    return AttentionReader(CLASSES, MAX_LENGTH).eval()


def test_logits_may_see_the_context_too():
    torch.manual_seed(6)
    decoder, frames = Attention(6, 8, CLASSES, output_context=True), torch.randn(3, 7, 6)
    text = torch.randint(2, CLASSES, (3, 4))
    output = decoder.decode(frames, text, 4)
    contexts = output.alpha @ frames
    expected = decoder.generator(output.states) + contexts @ decoder.output_context.weight.T
    torch.testing.assert_close(output.logits, expected)


def test_the_weights_may_be_given():
    torch.manual_seed(7)
    decoder, frames = Attention(6, 8, CLASSES, output_context=True), torch.randn(2, 5, 6)
    own = decoder.decode(frames, None, 3, stop=False)
    given = iter(own.alpha.unbind(1))
    again = decoder.decode(frames, None, 3, stop=False, change=lambda _: next(given))
    torch.testing.assert_close(again, own)
    other = decoder.decode(frames, None, 3, stop=False, change=lambda alpha: alpha.flip(1))
    assert (other.logits - own.logits).abs().max() > 1e-4


def test_gradients_reach_the_frames_through_the_weights():
    torch.manual_seed(2)
    decoder = Attention(3, 4, CLASSES).double()
    frames = torch.randn(2, 5, 3, dtype=torch.double, requires_grad=True)
    text = torch.tensor([[0, 3, 4], [0, 5, 1]])
    assert torch.autograd.gradcheck(lambda f: decoder.decode(f, text, 3).alpha, frames)


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
    reader, images = small_reader(), torch.randn(2, 1, 32, 96)
    fine = reader.features[: reader.fine_layers](images)
    assert fine.shape == (2, reader.fine_channels, 8, 24)
    assert reader.decode(images).alpha.shape == (2, MAX_LENGTH + 1, 24)
    assert small_reader()(torch.zeros(2, 1, 32, 96)).shape == (2, MAX_LENGTH + 1, CLASSES)
