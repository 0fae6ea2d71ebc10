"""Recurrent convolution with and without its gate: the layers, what they see, where gates open."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ocrkit.models.gated import GRCL
from ocrkit.papers.recognition.grcnn import (
    RCL,
    STUDIES,
    effective_receptive_field,
    field_radius,
    gated_reader,
    recalibrate_batchnorm,
    recurrent_layers,
    stop_after,
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
    layer = RCL(2, 3).eval()
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


def test_each_iteration_sees_one_place_further():
    for layer in (gated(), without_gate(gated()).eval()):
        for iterations in range(4):
            u = torch.randn(3, 3, 21, 21, generator=torch.Generator().manual_seed(2))
            field = effective_receptive_field(stop_after(layer, iterations), u)
            rows, columns = field.nonzero().T
            reach = 1 + iterations
            assert (rows.min(), rows.max()) == (10 - reach, 10 + reach)
            assert (columns.min(), columns.max()) == (10 - reach, 10 + reach)
            assert field.sum().item() == pytest.approx(1)
        assert len(layer.steps) == 5  # `stop_after` has left the layer alone


def test_the_random_mixtures_agree_with_every_channel_one_by_one():
    layer = without_gate(gated(channels=6)).eval()
    u = torch.randn(1, 3, 9, 9, generator=torch.Generator().manual_seed(4))
    whole = torch.autograd.functional.jacobian(lambda u: layer(u)[0, :, 4, 4], u)
    exact = whole.square().sum(dim=(0, 1, 2))
    # One image again and again: only the mixture differs.
    guess = effective_receptive_field(layer, u.expand(2_000, -1, -1, -1))
    torch.testing.assert_close(guess.float(), exact / exact.sum(), rtol=0.3, atol=2e-3)


def test_the_radius_of_known_maps():
    field = torch.zeros(5, 7)
    field[2, 3] = 1
    assert field_radius(field) == 0
    field[2, 3] = 0
    field[2, 0] = field[2, 6] = 0.5
    assert field_radius(field) == pytest.approx(3)


def test_the_layers_of_a_reader_and_what_they_are_given(refused):
    reader = gated_reader().eval()
    layers = recurrent_layers(reader, images())
    assert [tuple(u.shape) for _, u in layers] == [
        (2, 16, 16, 32),
        (2, 16, 8, 16),
        (2, 32, 4, 17),
    ]
    reader.features = reader.features[:3]
    with refused("has no recurrent convolution"):
        recurrent_layers(reader, images())


def test_recalibrating_is_what_training_sees():
    reader = recalibrate_batchnorm(gated_reader(), images(64))
    ours = reader(images(64))
    torch.testing.assert_close(ours, reader.train()(images(64)), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", STUDIES)
def test_both_studies_learn(name):
    study = find_study(name)
    task = ctc_task(1, images=4, batch_size=4)
    recipe = replace(study.recipe, steps=15, batch_size=4, validate_every=15, precision="fp32")
    loop = Loop(study.make(1), task, recipe, 1)
    first = task.loss(loop.model.train(), 0).item()
    loop.run()
    assert task.loss(loop.model.train(), 0).item() < first / 2
