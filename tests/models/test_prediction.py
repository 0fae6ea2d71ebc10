"""The attention decoder against LSTMCell and one-hot vectors; its early stop."""

import plain
import pytest
import torch
from torch.nn import functional as F

from ocrkit.errors import OcrkitError
from ocrkit.models import Recognizer
from ocrkit.models.prediction import Attention, attention_maps

BATCH, FRAMES, INPUTS, HIDDEN, CLASSES, STEPS = 3, 5, 6, 8, 7, 4


def decoder() -> Attention:
    torch.manual_seed(0)
    return Attention(INPUTS, HIDDEN, CLASSES)


def test_teacher_forcing_equals_the_slow_version_forward_and_backward():
    fast, slow = decoder(), decoder()
    text = torch.randint(0, CLASSES, (BATCH, STEPS))
    frames = torch.randn(BATCH, FRAMES, INPUTS).requires_grad_()
    same = frames.detach().clone().requires_grad_()
    ours, theirs = fast(frames, text, STEPS), plain.decode(slow, same, text, STEPS)
    torch.testing.assert_close(ours, theirs)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    torch.testing.assert_close(frames.grad, same.grad, rtol=1e-4, atol=1e-5)
    for (key, a), b in zip(fast.named_parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5, msg=key)


def test_the_backward_pass_is_exact():
    head = decoder().double()
    frames = torch.randn(BATCH, FRAMES, INPUTS, dtype=torch.float64, requires_grad=True)
    text = torch.randint(0, CLASSES, (BATCH, STEPS))
    weights = tuple(head.parameters())
    # Of the logits and of the attention, which a guided loss uses.
    assert torch.autograd.gradcheck(
        lambda H, *_: head.decode(H, text, STEPS)[:2], (frames, *weights)
    )


def test_frames_of_half_width_get_gradients_of_half_width():
    head, text = decoder(), torch.randint(0, CLASSES, (BATCH, STEPS))
    frames = torch.randn(BATCH, FRAMES, INPUTS, dtype=torch.bfloat16, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        head(frames, text, STEPS).float().sum().backward()
    assert frames.grad.dtype == torch.bfloat16
    assert all(p.grad.dtype == torch.float32 for p in head.parameters())


def test_greedy_equals_the_slow_version_until_every_row_has_ended():
    head = decoder()
    with torch.no_grad():
        head.generator.bias[1] = -100  # never [s]: every step is taken
    frames = torch.randn(BATCH, FRAMES, INPUTS)
    torch.testing.assert_close(head(frames, None, STEPS), plain.decode(head, frames, None, STEPS))


def test_greedy_stops_when_every_row_has_ended(monkeypatch):
    head = decoder()
    with torch.no_grad():
        head.generator.bias[1] = 100  # always [s]
    calls = []
    monkeypatch.setattr(head.generator, "forward", _counted(head.generator.forward, calls))
    logits = head(torch.randn(BATCH, FRAMES, INPUTS), None, STEPS)
    assert len(calls) == 1
    assert logits.shape == (BATCH, STEPS, CLASSES)
    assert (logits[:, 0].argmax(dim=1) == 1).all()


def _counted(function, calls):
    def wrapper(*arguments):
        calls.append(arguments)
        return function(*arguments)

    return wrapper


def test_greedy_fed_back_as_teacher_gives_the_same_logits():
    head = decoder()
    with torch.no_grad():
        head.generator.bias[1] = -100
    frames = torch.randn(BATCH, FRAMES, INPUTS)
    greedy = head(frames, None, STEPS)
    told = F.pad(greedy.argmax(dim=2)[:, :-1], (1, 0))  # [GO] first
    torch.testing.assert_close(head(frames, told, STEPS), greedy)


def test_longer_text_is_cut_and_shorter_text_refused():
    head, frames = decoder(), torch.randn(1, FRAMES, INPUTS)
    text = torch.tensor([[0, 2, 3, 4, 1]])
    assert torch.equal(head(frames, text, STEPS), head(frames, text[:, :STEPS], STEPS))
    with pytest.raises(OcrkitError, match="teacher forcing needs 4"):
        head(frames, text[:, :3], STEPS)


def test_attention_maps_are_the_weights_of_the_context():
    torch.manual_seed(0)
    model = Recognizer("None-VGG-None-Attn", classes=9, max_length=3, image_width=32, width=0.05)
    model.eval()
    images = torch.randn(2, 1, 32, 32)
    logits, maps = attention_maps(model, images)
    torch.testing.assert_close(logits, model(images))
    assert maps.shape == (2, 4, model.frames)
    torch.testing.assert_close(maps.sum(dim=2), torch.ones(2, 4))
    # The first step by the formula, where the state h is still 0.
    frames = model.features(images).mean(dim=2).transpose(1, 2)
    e = model.head.score(torch.tanh(model.head.i2h(frames) + model.head.h2h.bias))
    torch.testing.assert_close(maps[:, 0], torch.softmax(e.squeeze(2), dim=1))
    assert not model.head._forward_pre_hooks, "nothing is left behind"


def test_attention_maps_need_attention():
    model = Recognizer("None-VGG-None-CTC", classes=9, image_width=32, width=0.05)
    with pytest.raises(OcrkitError, match="None-VGG-None-CTC has no attention"):
        attention_maps(model, torch.zeros(1, 1, 32, 32))
