"""A map read at points is what the four cells around each point say."""

import math

import pytest
import torch

from ocrkit.papers.shared.sampling import sample

STRIDE = 2


def slowly(features: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """(C, H, W) at points (..., 2) of the image: the sum over every cell of the map."""
    channels, rows, columns = features.shape
    out = torch.zeros(channels, *points.shape[:-1], dtype=features.dtype)
    for place in torch.cartesian_prod(*map(torch.arange, points.shape[:-1])):
        x, y = points[tuple(place)].tolist()
        for i in range(rows):
            for j in range(columns):
                near_y = max(0.0, 1 - abs(y / STRIDE - (i + 0.5)))
                near_x = max(0.0, 1 - abs(x / STRIDE - (j + 0.5)))
                out[(slice(None), *place)] += near_y * near_x * features[:, i, j]
    return out


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(3, 4, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_equals_the_sum_over_all_cells(features):
    random = torch.Generator().manual_seed(2)
    # From well inside to outside the image, whose edges are 14 and 10.
    points = [16 * torch.rand(n, 2, 3, 2, generator=random).double() - 1 for n in (2, 0, 1)]
    got = sample(features, points, STRIDE)
    wanted = [slowly(features[b], at).movedim(1, 0) for b, at in enumerate(points)]
    assert torch.allclose(got, torch.cat(wanted))


def test_cells_are_read_at_their_own_centres(features):
    centres = torch.stack(torch.meshgrid(torch.arange(7), torch.arange(5), indexing="xy"), -1)
    points = STRIDE * (centres[None] + 0.5)
    got = sample(features[:1], [points], STRIDE)
    assert torch.allclose(got[0], features[0])


def test_no_points_give_no_crops(features):
    got = sample(features, [torch.zeros(0, 2, 3, 2)] * 3, STRIDE)
    assert got.shape == (0, 4, 2, 3)


def test_half_precision_maps_keep_their_type(features):
    points = [torch.full((1, 1, 1, 2), math.pi)] * 3
    got = sample(features.bfloat16(), points, STRIDE)
    assert got.dtype == torch.bfloat16
    exact = sample(features, [p.double() for p in points], STRIDE)
    assert torch.allclose(got.double(), exact, atol=0.03)


def test_gradients(features):
    random = torch.Generator().manual_seed(3)
    points = [1 + 8 * torch.rand(n, 2, 2, 2, generator=random).double() for n in (1, 0, 2)]
    inputs = [features[:, :1].clone().requires_grad_(), *(p.requires_grad_() for p in points)]
    assert torch.autograd.gradcheck(lambda f, *p: sample(f, p, STRIDE), inputs)
