"""The detectors' network: shapes, sizes that it refuses, and nothing in it that does not learn."""

import pytest
import torch

from ocrkit.papers.shared.backbone import Backbone, Stages


def test_each_stage_halves_the_map():
    maps = Stages((4, 6, 8))(torch.zeros(2, 1, 32, 48))
    assert [tuple(m.shape) for m in maps] == [(2, 4, 16, 24), (2, 6, 8, 12), (2, 8, 4, 6)]


@pytest.mark.parametrize("channels", [(4, 4), (4, 4, 4, 4), (4, 4, 4, 4, 4)])
def test_the_merged_map_is_a_quarter_of_the_image(channels):
    assert Backbone(channels, out=5)(torch.zeros(2, 1, 64, 32)).shape == (2, 5, 16, 8)


def test_every_weight_of_it_learns():
    model = Backbone((4, 4, 4, 4), out=4)
    model(torch.randn(2, 1, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_a_place_of_the_map_sees_far_around_it():
    model = Backbone((4, 4, 4, 4), out=4).eval()
    for weight in model.parameters():
        weight.data.abs_()  # so that no ReLU hides a path
    image = torch.rand(1, 1, 128, 128, requires_grad=True)
    model(image)[0, :, 16, 16].sum().backward()
    seen = torch.nonzero(image.grad[0, 0])
    assert (seen.max(0).values - seen.min(0).values).min() > 80


def test_an_image_that_does_not_fit_is_refused(refused):
    with refused("40 x 64 is no multiple of 16"):
        Backbone((4, 4, 4, 4))(torch.zeros(1, 1, 40, 64))
