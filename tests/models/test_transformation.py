"""TPS against the equations written out point by point."""

import math

import plain
import pytest
import torch
from torch.nn import functional as F

from ocrkit.models.transformation import TPS, pixel_centres, start_fiducials, target_fiducials


def small_tps(height: int = 6, width: int = 10) -> TPS:
    torch.manual_seed(0)
    return TPS(height, width, channels=(2, 2, 2, 2), hidden=4)


def slow_grid(fiducials: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Solve for the spline's coefficients, then move one pixel at a time (float64)."""
    c = target_fiducials().tolist()
    n = len(c)
    system = torch.zeros(n + 3, n + 3, dtype=torch.float64)
    for i in range(n):
        system[i, :3] = torch.tensor([1.0, *c[i]])
        for j in range(n):
            r = math.dist(c[i], c[j])
            system[i, 3 + j] = r * r * math.log(r) if i != j else 0.0
            system[n, 3 + j], system[n + 1, 3 + j], system[n + 2, 3 + j] = c[j][0], c[j][1], 1.0
    right = torch.cat([fiducials.double(), torch.zeros(3, 2, dtype=torch.float64)])
    spline = torch.linalg.solve(system, right)
    grid = torch.zeros(height, width, 2, dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            p = [(2 * column + 1) / width - 1, (2 * row + 1) / height - 1]
            r = [math.dist(p, point) for point in c]
            basis = [1.0, *p, *(d * d * math.log(d + 1e-6) for d in r)]
            grid[row, column] = torch.tensor(basis, dtype=torch.float64) @ spline
    return grid


def test_grid_is_the_equations():
    tps = small_tps()
    torch.manual_seed(1)
    fiducials = target_fiducials().float() + 0.1 * torch.randn(3, 20, 2)
    grid = tps.grid(fiducials)
    for one, points in zip(grid, fiducials, strict=True):
        torch.testing.assert_close(one.double(), slow_grid(points, 6, 10), rtol=0, atol=2e-5)


def test_one_product_for_the_batch_is_one_for_each_image():
    tps = small_tps()
    fiducials = (target_fiducials().float() + 0.1 * torch.randn(3, 20, 2)).requires_grad_()
    same = fiducials.detach().clone().requires_grad_()
    ours, theirs = tps.grid(fiducials), plain.sampling_points(tps, same)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)
    weights = torch.randn_like(ours)
    (ours * weights).sum().backward()
    (theirs * weights).sum().backward()
    torch.testing.assert_close(fiducials.grad, same.grad, rtol=1e-4, atol=1e-4)


def test_fiducials_at_their_target_move_nothing():
    grid = small_tps().grid(target_fiducials().float()[None])
    torch.testing.assert_close(grid.reshape(-1, 2), pixel_centres(6, 10).float(), atol=1e-5, rtol=0)


def test_an_untrained_network_predicts_the_same_fan_for_every_image():
    points = small_tps().eval().localization(torch.randn(4, 1, 6 * 4, 10 * 4))
    assert torch.equal(points, start_fiducials().expand(4, 20, 2))
    top, bottom = start_fiducials().split(10)
    assert (top[0] == torch.tensor([-1.0, 0.0])).all()
    assert (top[-1] == torch.tensor([1.0, -1.0])).all()
    assert (bottom[0] == torch.tensor([-1.0, 1.0])).all()
    assert (bottom[-1] == torch.tensor([1.0, 0.0])).all()


def test_a_straight_start_bends_nothing():
    tps = small_tps(8, 32).eval()
    tps.start_straight()
    images = torch.randn(3, 1, 8, 32)
    assert torch.equal(tps.localization(images), target_fiducials().float().expand(3, 20, 2))
    # A ramp stays a ramp, of (n - 1) / n of its height: pixel centres lie inside the border, and
    # `align_corners` calls the border the centre of the last pixel.
    ramp = torch.linspace(-1, 1, 32).expand(1, 1, 8, 32)
    torch.testing.assert_close(tps(ramp), ramp * 31 / 32, rtol=0, atol=1e-4)


def test_sampling_repeats_the_border():
    tps = small_tps(8, 8).eval()
    far = torch.full((1, 20, 2), 5.0)
    image = torch.arange(64.0).reshape(1, 1, 8, 8)
    out = F.grid_sample(image, tps.grid(far), padding_mode="border", align_corners=True)
    with torch.no_grad():
        tps.localization.fc2.bias.copy_(far.flatten())
    assert torch.equal(tps(image), out)
    assert (out == 63).all()


def test_gradients_are_exact():
    tps = small_tps(8, 8).double()
    torch.manual_seed(2)
    fiducials = (target_fiducials() * 0.7 + 0.03 * torch.randn(2, 20, 2)).requires_grad_()
    images = torch.rand(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)

    def straighten(images, points):
        return F.grid_sample(images, tps.grid(points), padding_mode="border", align_corners=True)

    assert torch.autograd.gradcheck(straighten, (images, fiducials))


@pytest.mark.parametrize("width", [100, 400])
def test_the_grid_is_rebuilt_not_stored(width):
    tps = TPS(32, width, channels=(1, 1, 1, 1), hidden=1)
    assert tps.p_hat.shape == (32 * width, 23)
    assert not {"p_hat", "inv_delta"} & tps.state_dict().keys()
