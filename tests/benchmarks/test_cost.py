"""The counted arithmetic against counts made by hand."""

from math import prod

import pytest
import torch
from cost import Cost, count

from ocrkit.models import Recognizer

SMALL = {"classes": 41, "image_width": 64, "max_length": 4, "width": 0.25}


def by_hand(name: str) -> int:
    """Multiply-adds of every convolution, linear layer and LSTM in a forward pass, times two."""
    model = Recognizer(name, classes=41, image_width=64, max_length=4, width=0.25).eval()
    counted = []

    def look(layer, inputs, output):
        if isinstance(layer, torch.nn.Conv2d):
            counted.append(output[0].numel() * prod(layer.weight.shape[1:]))
        elif isinstance(layer, torch.nn.Linear):
            counted.append(output[0].numel() * layer.in_features)
        elif isinstance(layer, torch.nn.LSTM):
            frames = inputs[0].shape[1]
            weights = [w for n, w in layer.named_parameters() if n.startswith("weight")]
            counted.append(frames * sum(w.numel() for w in weights))

    for layer in model.modules():
        layer.register_forward_hook(look)
    with torch.no_grad():
        model(torch.zeros(1, 1, 32, 64))
    return 2 * sum(counted)


@pytest.mark.parametrize("name", ["None-VGG-None-CTC", "None-RCNN-BiLSTM-CTC"])
def test_reading_is_counted_as_by_hand(name):
    assert count(name, False, **SMALL).flops == pytest.approx(by_hand(name), rel=1e-3)


def test_training_is_three_forward_passes_less_one_input():
    forward, both = (count("None-VGG-None-CTC", t, **SMALL).flops for t in (False, True))
    # The image itself needs no gradient: the first convolution goes back once, not twice.
    first = 2 * 32 * 64 * 16 * 9
    assert both == pytest.approx(3 * forward - first, rel=0.01)


def test_what_a_stage_adds():
    plain = count("None-VGG-None-CTC", True, **SMALL)
    for name in ("TPS-VGG-None-CTC", "None-VGG-BiLSTM-CTC", "None-VGG-None-Attn"):
        richer = count(name, True, **SMALL)
        assert richer.flops > plain.flops
        assert richer.image_bytes > plain.image_bytes
        assert richer.batch_bytes > plain.batch_bytes


def test_the_weights_are_read_once_a_batch():
    model = Recognizer("None-VGG-None-CTC", classes=41, image_width=64, width=0.25)
    weights = 4 * sum(p.numel() for p in model.parameters())
    cost = count("None-VGG-None-CTC", False, **SMALL)
    assert weights <= cost.batch_bytes < 1.2 * weights


def test_the_roofline():
    cost = Cost(flops=100.0, image_bytes=10.0, batch_bytes=50.0)
    assert cost.seconds(2, flops_per_second=100, bytes_per_second=1e9) == pytest.approx(2)
    assert cost.seconds(2, flops_per_second=1e9, bytes_per_second=10) == pytest.approx(7)
