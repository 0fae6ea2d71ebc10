"""Feature maps read at points between their cells, as the spotters' crops need it."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def sample(features: Tensor, points: Sequence[Tensor], stride: int) -> Tensor:
    """Values of a map at points of the image, (N, C, h, w); 0 outside the image; differentiable.

    features: (B, C, H, W); cell (i, j) is the square of `stride` pixels a side whose centre is
        (stride (j + 1/2), stride (i + 1/2)).
    points: for each of the B images (n, h, w, 2), (x, y) in continuous pixels; N is the sum
        of all n.

    Jaderberg et al., "Spatial Transformer Networks", NIPS 2015, eq. 5.
    """
    exact = torch.promote_types(features.dtype, torch.float32)
    # grid_sample counts from -1 to 1 between the map's edges (align_corners=False).
    size = features.new_tensor([features.shape[3], features.shape[2]], dtype=exact) * stride
    crops = []
    for one, at in zip(features.to(exact), points, strict=True):
        n, h, w, _ = at.shape
        grid = (2 * at.to(exact) / size - 1).reshape(1, n * h, w, 2)
        # v = sum over the four cells i around p of v_i g(p_x, i_x) g(p_y, i_y), with
        # g(a, b) = max(0, 1 - |a - b|), distances in cells.
        values = F.grid_sample(one[None], grid, mode="bilinear", align_corners=False)
        crops.append(values.reshape(features.shape[1], n, h, w).transpose(0, 1))
    return torch.cat(crops).to(features.dtype)


def cell_centres(height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """x (1, width) and y (height, 1) of the centres of a map's cells, in cells from its corner."""
    x = torch.arange(width, dtype=like.dtype, device=like.device) + 0.5
    y = torch.arange(height, dtype=like.dtype, device=like.device) + 0.5
    return x[None], y[:, None]
