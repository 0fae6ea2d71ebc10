"""RoIRotate: cut a turned box out of a feature map, upright and of a fixed height.

Liu et al., "FOTS: Fast Oriented Text Spotting with a Unified Network" (CVPR 2018).
Boxes are (cx, cy, w, h, angle) in pixels and radians, as in `ocrkit.papers.shared.quads`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ocrkit.papers.shared.sampling import pixel_centres, sample


def affine_matrices(boxes: Tensor, height: int) -> Tensor:
    """The maps from pixels of the image to pixels of the upright crop, (n, 2, 3).

    Args:
        boxes: (n, 5).
        height: of the crop; its width is that of the box times the same scale.
    """
    cx, cy, w, h, angle = boxes.unbind(-1)
    cos, sin = angle.cos(), angle.sin()
    # s = h_t / h: both directions are scaled alike, so letters keep their shape.
    s = height / h
    # The box's top left corner goes to (0, 0): t_x = w/2 - (cx cos - cy sin), t_y likewise.
    t_x = w / 2 - cx * cos + cy * sin
    t_y = h / 2 - cx * sin - cy * cos
    # M = s [[cos, -sin, t_x], [sin, cos, t_y]], the product of a shift, a turn and a scale.
    rows = [torch.stack([cos, -sin, t_x], -1), torch.stack([sin, cos, t_y], -1)]
    return s[:, None, None] * torch.stack(rows, dim=1)


def roi_rotate(
    features: Tensor, boxes: Sequence[Tensor], stride: int, height: int, width: int
) -> Tensor:
    """Crops (N, C, height, width) of turned boxes; 0 to the right of where a box ends.

    Args:
        features: (B, C, H, W), a cell every `stride` pixels.
        boxes: for each of the B images (n, 5), in pixels of the image.
        width: of all crops; of a box that is longer the end is cut off.

    Differentiable in the features and in the boxes.
    """
    points = [rotated_points(box, height, width) for box in boxes]
    crops = sample(features, points, stride)
    long = torch.cat([height * box[:, 2] / box[:, 3] for box in boxes])
    x, _ = pixel_centres(height, width, long)
    return crops * (x < long[:, None])[:, None, None, :]


def rotated_points(boxes: Tensor, height: int, width: int) -> Tensor:
    """Where in the image each pixel of the crops lies, (n, height, width, 2)."""
    m = affine_matrices(boxes, height)
    x, y = pixel_centres(height, width, boxes)
    # (x, y) = A^-1 ((x_t, y_t) - t) with M = [A, t]; A is a turn times s, so A^-1 = A^T / s^2.
    a, t = m[:, :, :2], m[:, :, 2]
    target = torch.stack(torch.broadcast_tensors(x, y), dim=-1) - t[:, None, None]
    scale = a.square().sum(1)[:, :1]
    return torch.einsum("nhwi,nij->nhwj", target, a) / scale[:, None, None]
