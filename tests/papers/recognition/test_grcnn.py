"""Recurrent convolution with and without its gate: the layers, what they see, where gates open."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ocrkit.models.gated import GRCL
from ocrkit.papers.recognition.crnn import word_reading
from ocrkit.papers.recognition.grcnn import (
    RCL,
    STUDIES,
    after,
    blindfold,
    gated_reader,
    gates,
    kinds_of_places,
    plain_reader,
    radius,
    recount,
    recurrent_layers,
    sight,
    without_gate,
)
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
    one, other = gated_reader(3), plain_reader(3)
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
            felt = sight(after(layer, iterations), u)
            rows, columns = felt.nonzero().T
            reach = 1 + iterations
            assert (rows.min(), rows.max()) == (10 - reach, 10 + reach)
            assert (columns.min(), columns.max()) == (10 - reach, 10 + reach)
            assert felt.sum().item() == pytest.approx(1)
        assert len(layer.steps) == 5  # `after` has left the layer alone


def test_the_random_mixtures_agree_with_every_channel_one_by_one():
    layer = without_gate(gated(channels=6)).eval()
    u = torch.randn(1, 3, 9, 9, generator=torch.Generator().manual_seed(4))
    whole = torch.autograd.functional.jacobian(lambda u: layer(u)[0, :, 4, 4], u)
    exact = whole.square().sum(dim=(0, 1, 2))
    # One image again and again: only the mixture differs.
    guess = sight(layer, u.expand(2_000, -1, -1, -1))
    torch.testing.assert_close(guess.float(), exact / exact.sum(), rtol=0.3, atol=2e-3)


def test_the_radius_of_known_maps():
    felt = torch.zeros(5, 7)
    felt[2, 3] = 1
    assert radius(felt) == 0
    felt[2, 3] = 0
    felt[2, 0] = felt[2, 6] = 0.5
    assert radius(felt) == pytest.approx(3)


def test_gates_are_those_of_the_layer():
    layer, u = gated(), torch.randn(2, 3, 6, 6)
    heard = gates(layer, u)
    assert [gate.shape for gate in heard] == [(2, 4, 6, 6)] * 5
    # With its gates put back in by hand the layer gives the same result.
    wide = layer.wide_input(u)
    x = layer.bn_first(wide).relu()
    for step, gate in zip(layer.steps, heard, strict=True):
        state = step.bn_gated(step.bn_state(layer.wide_state(x)) * gate)
        x = (step.bn_input(wide) + state).relu()
    torch.testing.assert_close(layer(u), x)
    assert all(not step._forward_pre_hooks for step in layer.steps)


def test_the_layers_of_a_reader_and_what_they_are_given(refused):
    reader = gated_reader(1).eval()
    layers = recurrent_layers(reader, images())
    assert [tuple(u.shape) for _, u in layers] == [
        (2, 16, 16, 32),
        (2, 16, 8, 16),
        (2, 32, 4, 17),
    ]
    reader.features = reader.features[:3]
    with refused("has no recurrent convolution"):
        recurrent_layers(reader, images())


def test_every_place_is_of_one_kind():
    image = np.full((8, 12), 255, np.uint8)
    image[2, 3] = 0
    box = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [5, 5] + [1, 1]
    masks = kinds_of_places(image, np.stack([box, box + np.array([5, 0])]))
    assert (sum(masks.values()) == 1).all()
    assert masks["ink"].nonzero() == (1, 1)
    # The seam is at column 6: places with centres 5 and 7 are within two pixels of it.
    assert np.unique(masks["border"].nonzero()[1]).tolist() == [2, 3]
    assert masks["outside"][3].all()  # the boxes end at row 6
    alone = kinds_of_places(image, box[None])
    assert not alone["border"].any()


def test_a_blindfolded_reader_is_one_without_a_gate():
    reader = gated_reader(2)
    blind = recount(blindfold(reader), images(16))
    plain = plain_reader(2)
    state = {n: v for n, v in blind.state_dict().items() if n in plain.state_dict()}
    plain.load_state_dict(state)
    # Only the norm of the gated product is one more, and it scales to what BN has scaled already.
    torch.testing.assert_close(
        blind(images(16)), recount(plain, images(16))(images(16)), rtol=0.02, atol=0.02
    )
    for _, (layer, u) in zip(range(1), recurrent_layers(blind, images()), strict=False):
        assert all((gate == 0.5).all() for gate in gates(layer, u))


def test_recounting_is_what_training_sees():
    reader = recount(gated_reader(1), images(64))
    ours = reader(images(64))
    torch.testing.assert_close(ours, reader.train()(images(64)), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", STUDIES)
def test_both_studies_learn(name):
    study = find_study(name)
    task = word_reading(1, images=4, batch_size=4)
    recipe = replace(study.recipe, steps=15, batch_size=4, validate_every=15, precision="fp32")
    loop = Loop(study.make(1), task, recipe, 1)
    first = task.loss(loop.model.train(), 0).item()
    loop.run()
    assert task.loss(loop.model.train(), 0).item() < first / 2
