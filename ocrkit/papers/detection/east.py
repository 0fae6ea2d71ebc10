"""The detector of FOTS and TextSpotter: from every cell inside a word, the word's rotated box.

Zhou et al., "EAST: An Efficient and Accurate Scene Text Detector" (CVPR 2017).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.papers.detection.detectors import hardest
from ocrkit.papers.shared.backbone import conv
from ocrkit.papers.shared.quads import as_quads, from_boxes, iou_matrix, nms
from ocrkit.papers.shared.sampling import cell_centres

SHRINK = 0.3  # EAST: of the shorter side, left out at each end
ANGLE_WEIGHT = 10.0  # lambda of the geometry's loss
_TYPICAL = 16.0  # pixels; what a distance is before anything was learned


class EastMaps(NamedTuple):
    """Predictions or targets of every cell."""

    score: Tensor  # (B, H, W), logits of "this cell is text"; for targets 1 or 0
    distances: Tensor  # (B, 4, H, W), pixels to the word's top, right, bottom and left side
    angle: Tensor  # (B, H, W), radians, counter-clockwise as seen
    care: Tensor | None = None  # (B, H, W) for targets: False at a word's rim, which does not count


class EastHead(nn.Module):
    """Features (B, inputs, H, W) -> `EastMaps` of cells twice as large: (B, ..., H/2, W/2)."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.body = conv(inputs, hidden, stride=2)
        self.out = nn.Conv2d(hidden, 6, 1)

    def forward(self, features: Tensor) -> EastMaps:
        raw = self.out(self.body(features)).float()
        # Never negative, and a step changes a long distance as much as a short one, in percent.
        distances = _TYPICAL * raw[:, 1:5].clamp(-4, 4).exp()
        return EastMaps(raw[:, 0], distances, math.pi / 2 * raw[:, 5].tanh())


def east_targets(boxes: Sequence[Tensor], size: tuple[int, int], stride: int) -> EastMaps:
    """The targets for images with turned boxes (n, 5); `size` is the maps' (H, W).

    A cell is text if its centre lies in the box without a rim of `SHRINK` times the shorter side.
    """
    targets = [_one_target(box, size, stride) for box in boxes]
    return EastMaps(*(torch.stack(parts) for parts in zip(*targets, strict=True)))


def _one_target(boxes: Tensor, size: tuple[int, int], stride: int) -> EastMaps:
    if not len(boxes):
        nothing = boxes.new_zeros(size)
        return EastMaps(nothing, boxes.new_zeros(4, *size), nothing, nothing == 0)
    cx, cy, w, h, angle = boxes[..., None, None].unbind(1)
    x, y = (stride * c for c in cell_centres(*size, boxes))
    cos, sin = angle.cos(), angle.sin()
    # Along the text and across it, from the box's centre.
    a, d = (x - cx) * cos - (y - cy) * sin, (x - cx) * sin + (y - cy) * cos
    distances = torch.stack([h / 2 + d, w / 2 - a, h / 2 - d, w / 2 + a], dim=1)
    inside = distances.amin(1)  # how deep in the box
    deep = inside > SHRINK * torch.minimum(w, h)
    rim = ((inside > 0) & ~deep).any(0)
    whose = torch.where(deep, inside, -math.inf).argmax(0)
    text = deep.any(0)
    pick = whose[None, None].expand(1, 4, *size)
    angles = angle.expand(-1, *size).gather(0, whose[None])[0]
    return EastMaps(text.to(boxes.dtype), distances.gather(0, pick)[0], angles, ~rim | text)


def score_loss(predicted: EastMaps, target: EastMaps) -> Tensor:
    """Cross-entropy over text cells and the worst others of each image, three times as many.

    Online hard example mining as in FOTS; EAST itself balances the cross-entropy.
    """
    each = F.binary_cross_entropy_with_logits(
        predicted.score, target.score, reduction="none"
    ).flatten(1)
    assert target.care is not None, "targets say which cells count"
    text, others = (target.score > 0).flatten(1), (target.care & (target.score == 0)).flatten(1)
    count = 3 * text.sum(1).clamp_min(32)
    return each[text | hardest(each.detach(), others, count)].mean()


def box_loss(predicted: EastMaps, target: EastMaps) -> Tensor:
    """How wrong boxes are, mean over text cells: their overlap, and their angle."""
    text = target.score > 0
    if not text.any():
        return predicted.distances.sum() * 0
    top, right, bottom, left = predicted.distances.permute(1, 0, 2, 3)[:, text]
    top_, right_, bottom_, left_ = target.distances.permute(1, 0, 2, 3)[:, text]
    # Both boxes hold this cell, and are compared as if they were turned alike (EAST):
    # shared = (min(right, right*) + min(left, left*)) (min(top, top*) + min(bottom, bottom*))
    across = torch.minimum(right, right_) + torch.minimum(left, left_)
    down = torch.minimum(top, top_) + torch.minimum(bottom, bottom_)
    shared = across * down
    either = (top + bottom) * (left + right) + (top_ + bottom_) * (left_ + right_) - shared
    # L = -ln IoU + lambda (1 - cos(angle - angle*))
    overlap = -torch.log((shared + 1) / (either + 1))
    turned = 1 - torch.cos(predicted.angle[text] - target.angle[text])
    return (overlap + ANGLE_WEIGHT * turned).mean()


def decode(
    maps: EastMaps, stride: int, threshold: float = 0.7, overlap: float = 0.2
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Quads (n, 4, 2) in pixels and scores (n,) of each image, the surest first.

    threshold: least score of a cell that counts, 0 to 1.
    overlap: IoU above which two boxes are one word.
    The boxes of a word's cells are averaged, weighted by score (EAST's locality-aware suppression).
    """
    found = []
    scores = maps.score.detach().float().sigmoid()
    for score, distances, angle in zip(scores, maps.distances, maps.angle, strict=True):
        at = score > threshold
        boxes = _boxes(distances.detach()[:, at], angle.detach()[at], at, stride)
        quads = from_boxes(boxes.double().cpu().numpy())
        weights = score[at].double().cpu().numpy()
        kept = nms(quads, weights, overlap)
        share = (iou_matrix(quads[kept], quads) > 0.5) * weights
        share[np.arange(len(kept)), kept] = weights[kept]  # itself at least
        share /= share.sum(1, keepdims=True)
        found.append((as_quads(share @ quads.reshape(-1, 8)), weights[kept]))
    return found


def _boxes(distances: Tensor, angle: Tensor, at: Tensor, stride: int) -> Tensor:
    """Boxes (n, 5) from what the n cells of a mask (H, W) say."""
    rows, columns = at.shape
    x, y = (stride * c.expand(at.shape)[at] for c in cell_centres(rows, columns, distances))
    top, right, bottom, left = distances
    cos, sin = angle.cos(), angle.sin()
    # The centre lies (right - left) / 2 along the text and (bottom - top) / 2 across it.
    along, across = (right - left) / 2, (bottom - top) / 2
    cx, cy = x + along * cos + across * sin, y - along * sin + across * cos
    return torch.stack([cx, cy, left + right, top + bottom, angle], dim=1)
