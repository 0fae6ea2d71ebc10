"""The text-alignment layer: read a feature map on a grid laid into a quadrilateral.

He et al., "An End-to-End TextSpotter with Explicit Alignment and Attention" (CVPR 2018).
RoI pooling would cut an upright rectangle, and of a turned word mostly background.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ocrkit.papers.shared.sampling import pixel_centres, sample


def align_text(
    features: Tensor, quads: Sequence[Tensor], stride: int, height: int, width: int
) -> Tensor:
    """Each quadrilateral's inside on a grid of `height` x `width` points, (N, C, height, width).

    Args:
        features: (B, C, H, W), a cell every `stride` pixels.
        quads: for each of the B images (n, 4, 2), in pixels of the image, clockwise from the
            text's top left.

    The grid is of one size for all: a short word is drawn out, a long one pressed together.
    Differentiable in the features and in the corners.
    """
    return sample(features, [grid_points(quad, height, width) for quad in quads], stride)


def grid_points(quads: Tensor, height: int, width: int) -> Tensor:
    """Points at equal steps between opposite sides of quads (n, 4, 2), (n, height, width, 2)."""
    x, y = pixel_centres(height, width, quads)
    u, v = (x / width)[..., None], (y / height)[..., None]
    a, b, c, d = quads[:, :, None, None].unbind(1)
    # p(u, v) = (1 - v) [(1 - u) a + u b] + v [(1 - u) d + u c], u and v from 0 to 1
    return (1 - v) * torch.lerp(a, b, u) + v * torch.lerp(d, c, u)


def columns_of(characters: Tensor, quad: Tensor, width: int) -> Tensor:
    """Where along the grid characters lie: first and last column, (k, 2), 0 to `width`.

    Args:
        characters: quads (k, 4, 2) of the characters of one word.
        quad: (4, 2), the word's.

    A point is told by its shadow on the line through the middle of the word; this is exact for
    rectangles.
    """
    start, stop = (quad[0] + quad[3]) / 2, (quad[1] + quad[2]) / 2
    along = (stop - start) / (stop - start).square().sum()
    u = ((characters - start) @ along).clamp(0, 1) * width
    return torch.stack([u.amin(-1), u.amax(-1)], dim=-1)
