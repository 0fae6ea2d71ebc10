"""TPS, the spatial transformer: straighten a curved or slanted line before reading it.

Shi et al., "Robust Scene Text Recognition with Automatic Rectification" (CVPR 2016), section 3.1.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.models.features import conv_bn_relu

FIDUCIALS = 20
EPS = 1e-6


def target_fiducials(count: int = FIDUCIALS) -> Tensor:
    """Fiducial points C of the straightened image, (count, 2) float64 as (x, y) in [-1, 1]."""
    x = torch.linspace(-1, 1, count // 2, dtype=torch.float64)
    top, bottom = torch.full_like(x, -1), torch.full_like(x, 1)
    return torch.cat([torch.stack([x, top], dim=1), torch.stack([x, bottom], dim=1)])


def start_fiducials() -> Tensor:
    """Fiducial points C' predicted before any training, (20, 2) float32: a slanted band."""
    half = FIDUCIALS // 2
    x = torch.linspace(-1, 1, half)
    top, bottom = torch.linspace(0, -1, half), torch.linspace(1, 0, half)
    return torch.cat([torch.stack([x, top], dim=1), torch.stack([x, bottom], dim=1)])


def pixel_centres(height: int, width: int) -> Tensor:
    """Centres P of the output pixels, row by row: (height * width, 2) float64, (x, y) in [-1, 1].

    Pixel i of n has its centre at (2i + 1) / n - 1, half a pixel inside the border.
    """
    x = (2 * torch.arange(width, dtype=torch.float64) + 1) / width - 1
    y = (2 * torch.arange(height, dtype=torch.float64) + 1) / height - 1
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x, grid_y], dim=2).reshape(-1, 2)


def spline_matrices(height: int, width: int, count: int = FIDUCIALS) -> tuple[Tensor, Tensor]:
    """P_hat (height * width, count + 3) and inverse(Delta) (count + 3, count + 3), both float64.

    Sampling points are P' = P_hat inverse(Delta) [C'; 0] (eq. 2-4). The three rows of zeros below
    C' silence the last three columns of inverse(Delta).
    """
    c, p = target_fiducials(count), pixel_centres(height, width)
    # Delta = [[1, C, U(|Ci - Cj|)], [0, 0, C^T], [0, 0, 1]] with U(r) = r^2 ln r and U(0) = 0.
    r = (c[:, None] - c[None]).norm(dim=2)
    u = torch.where(r > 0, r**2 * torch.log(r.clamp_min(EPS)), torch.zeros_like(r))
    delta = torch.zeros(count + 3, count + 3, dtype=torch.float64)
    delta[:count, 0], delta[:count, 1:3], delta[:count, 3:] = 1, c, u
    delta[count : count + 2, 3:], delta[count + 2, 3:] = c.T, 1
    # P_hat = [1, P, U(|Pi - Cj|)]; eps keeps the logarithm finite where a pixel meets a fiducial.
    r = (p[:, None] - c[None]).norm(dim=2)
    p_hat = torch.cat([torch.ones(len(p), 1, dtype=p.dtype), p, r**2 * torch.log(r + EPS)], dim=1)
    return p_hat, torch.linalg.inv(delta)


class LocalizationNetwork(nn.Module):
    """Where the text's edges run: images (B, 1, H, W) -> C' (B, 20, 2), (x, y) in [-1, 1].

    channels: the four convolutions' widths; hidden: that of the first fully connected layer.
    """

    def __init__(self, channels: tuple[int, int, int, int], hidden: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((1, *channels)):
            conv, norm, relu = conv_bn_relu(before, after)
            # Pooled before ReLU where the paper pools after: the same numbers, sooner.
            layers += [conv, norm, nn.MaxPool2d(2), relu]
        layers[-2:] = [layers[-1], nn.AdaptiveAvgPool2d(1)]
        self.conv = nn.Sequential(*layers)
        self.fc1 = nn.Sequential(nn.Linear(channels[-1], hidden), nn.ReLU(inplace=True))
        self.fc2 = nn.Linear(hidden, 2 * FIDUCIALS)
        # Weight 0: at first every image gets the same points, those of the bias.
        nn.init.zeros_(self.fc2.weight)
        with torch.no_grad():
            self.fc2.bias.copy_(start_fiducials().flatten())

    def forward(self, images: Tensor) -> Tensor:
        pooled = self.conv(images).flatten(1)
        # A bfloat16 keeps 8 bits: too coarse for a coordinate, by up to a pixel in 400.
        with torch.autocast(images.device.type, enabled=False):
            points = self.fc2(self.fc1(pooled.to(self.fc2.weight.dtype)))
        return points.view(-1, FIDUCIALS, 2)


def spline_coefficients(inv_delta: Tensor, fiducials: Tensor) -> Tensor:
    """inverse(Delta) (23, 20) times C' (B, 20, 2): (B, 23, 2).

    inverse(Delta) magnifies rounding: matrix libraries that sum in different ways move the sampling
    points far enough to show in the logits. Fused multiply-adds, one fiducial after the other, come
    nearest to the reference's values and need no matrix library.
    """
    columns, points = inv_delta[..., None].unbind(1), fiducials[:, None].unbind(2)
    spline = columns[0] * points[0]
    for column, point in zip(columns[1:], points[1:], strict=True):
        spline = torch.addcmul(spline, column, point)
    return spline


class TPS(nn.Module):
    """Thin-plate spline rectification: images (B, 1, H, W) in [-1, 1] -> the same shape."""

    p_hat: Tensor
    inv_delta: Tensor

    def __init__(
        self, height: int, width: int, channels: tuple[int, int, int, int], hidden: int
    ) -> None:
        super().__init__()
        self.height, self.width = height, width
        self.localization = LocalizationNetwork(channels, hidden)
        # Made from the image size, so never stored in a checkpoint.
        p_hat, inv_delta = spline_matrices(height, width)
        self.register_buffer("p_hat", p_hat.float(), persistent=False)
        self.register_buffer("inv_delta", inv_delta[:, :FIDUCIALS].float(), persistent=False)

    def start_straight(self) -> None:
        """Start with the points on the image's own edges, as ASTER does (Shi et al., 2018).

        The reference's slanted start (`start_fiducials`) bends every image until training has
        undone it.
        """
        with torch.no_grad():
            self.localization.fc2.bias.copy_(target_fiducials().flatten())

    def grid(self, fiducials: Tensor) -> Tensor:
        """C' (B, 20, 2) -> sampling points P' (B, H, W, 2) for `grid_sample`."""
        spline = spline_coefficients(self.inv_delta, fiducials)
        # One product for the whole batch, all x and y as rows: as B products with two columns each
        # it takes 14 times as long.
        rows = spline.transpose(1, 2).flatten(0, 1) @ self.p_hat.T
        return rows.view(-1, 2, self.height, self.width).permute(0, 2, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        fiducials = self.localization(images)
        with torch.autocast(images.device.type, enabled=False):
            exact = self.p_hat.dtype
            grid = self.grid(fiducials.to(exact))
            return F.grid_sample(
                images.to(exact), grid, mode="bilinear", padding_mode="border", align_corners=True
            )
