"""Recurrent convolution with and without its gate: the layers and the studies."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ocrkit.models.gated import GRCL
from ocrkit.papers.recognition.grcnn import (
    RCL,
    STUDIES,
    without_gate,
)
from ocrkit.papers.recognition.word_readers import ctc_task
from ocrkit.papers.shared.study import find_study
from ocrkit.training import Loop


def gated(before: int = 3, channels: int = 4, seed: int = 0) -> GRCL:
    torch.manual_seed(seed)
    return GRCL(before, channels).eval()


def images(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 1, 32, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_plain_layer_is_its_equation():
    torch.manual_seed(0)
    layer = RCL(GRCL(2, 3)).eval()
    for norm in layer.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    u = torch.randn(2, 2, 6, 5)
    wide = F.conv2d(u, layer.wide_input.weight, padding=1)
    x = layer.bn_first(wide).relu()
    for step in layer.steps:
        more = F.conv2d(x, layer.wide_state.weight, padding=1)
        x = (step.bn_input(wide) + step.bn_state(more)).relu()
    torch.testing.assert_close(layer(u), x)


def test_taking_the_gate_out_keeps_all_other_weights():
    layer = gated()
    plain = without_gate(layer).eval()
    ours, theirs = plain.state_dict(), layer.state_dict()
    gone = {name for name in theirs if "gate" in name}
    assert set(ours) == set(theirs) - gone
    for name, value in ours.items():
        assert torch.equal(value, theirs[name])
    assert plain(torch.randn(1, 3, 7, 7)).shape == (1, 4, 7, 7)


def test_the_two_readers_start_from_the_same_weights():
    one, other = (STUDIES[name].make(3) for name in ("grcnn", "grcnn-ungated"))
    ours, theirs = other.state_dict(), one.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert sum(isinstance(layer, RCL) for layer in other.features) == 3
    assert not any(isinstance(layer, GRCL) for layer in other.modules())
    assert other(images()).shape == one(images()).shape


def test_a_gate_that_is_the_same_everywhere_changes_nothing_in_training():
    # BN((BN(W_r x) g)) = BN(BN(W_r x)) for any constant g > 0: only a gate that varies can matter.
    layer = gated().train()
    for step in layer.steps:
        for norm in (step.bn_gate_input, step.bn_gate_state):
            nn.init.zeros_(norm.weight)
        nn.init.constant_(step.bn_gate_input.bias, -1.0)
    u = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    plain = without_gate(layer).train()
    torch.testing.assert_close(layer(u), plain(u), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", STUDIES)
def test_both_studies_learn(name):
    study = find_study(name)
    task = ctc_task(1, images=4, batch_size=4)
    recipe = replace(study.recipe, steps=15, batch_size=4, validate_every=15, precision="fp32")
    loop = Loop(study.make(1), task, recipe, 1)
    first = task.loss(loop.model.train(), 0).item()
    loop.run()
    assert task.loss(loop.model.train(), 0).item() < first / 2
