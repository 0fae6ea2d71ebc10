"""Where attention looks in the image, what is seen there, and what stands there.

Cheng et al., "Focusing Attention: Towards Accurate Text Recognition in Natural Images" (ICCV 2017).
Points are (x, y) in continuous pixels: pixel (i, j) covers [j, j + 1] x [i, i + 1].
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BACKGROUND = 0  # the label of a point where no glyph stands; no character has this id


def receptive_centres(layers: nn.Sequential, length: int, axis: int) -> Tensor:
    """Where in the image the units of the last map look: centres of their receptive fields, (n,).

    Section 3.2. Pixels; pixel i covers [i, i + 1]. axis: 0 down, 1 across; length: of the image.
    """
    first, step = 0.5, 1.0
    for layer in layers:
        if not hasattr(layer, "kernel_size"):
            continue
        kernel, stride, padding = (
            value if isinstance(value, int) else value[axis]
            for value in (layer.kernel_size, layer.stride, layer.padding)
        )
        # Unit j of a layer has its centre at place j s - p + (k - 1) / 2 of the map below.
        first += step * ((kernel - 1) / 2 - padding)
        step *= stride
        length = (length + 2 * padding - kernel) // stride + 1
    return first + step * torch.arange(length)


def attention_centres(alpha: Tensor, x: Tensor, y: float) -> Tensor:
    """Weights (B, steps, T) of frames that look at (x_j, y) -> centres (B, steps, 2), pixels."""
    # c_t = sum over j of alpha_tj c_j, with c_j = (x_j, y)
    across = alpha @ x.to(alpha)
    return torch.stack([across, torch.full_like(across, y)], dim=2)


def crop(features: Tensor, points: Tensor, size: tuple[int, int]) -> Tensor:
    """F_t = Crop(F, c_t, P, P): features at points of the image, bilinear between their pixels.

    Args:
        features: (B, C, h, w), a map of the whole image.
        points: (B, steps, P * P, 2) as (x, y), pixels of the image.
        size: rows and columns of the image.

    Returns:
        (B, steps, P * P, C); gradients flow to features and points.
    """
    # grid_sample wants the image's edges at -1 and 1.
    grid = 2 * points / points.new_tensor([size[1], size[0]]) - 1
    sampled = F.grid_sample(features, grid, padding_mode="border", align_corners=False)
    return sampled.permute(0, 2, 3, 1)


def labels_at(points: Tensor, quads: Tensor, ids: Tensor) -> Tensor:
    """Which character stands at each point, BACKGROUND where none does: (B, ..., 2) -> (B, ...).

    Args:
        points: pixels.
        quads: (B, n, 4, 2) of the characters, clockwise; one without area holds no point.
        ids: (B, n) int64, their classes.
    """
    flat = points.flatten(1, -2)[:, :, None, None]  # (B, points, 1 character, 1 side, 2)
    side, away = (quads.roll(-1, 2) - quads)[:, None], flat - quads[:, None]
    # Clockwise with y down: what is inside lies to the right of every side.
    inside = (side[..., 0] * away[..., 1] - side[..., 1] * away[..., 0] > 0).all(dim=3)
    return (
        torch.where(inside, ids[:, None], BACKGROUND).amax(dim=2).unflatten(1, points.shape[1:-1])
    )
