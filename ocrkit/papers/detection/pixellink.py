"""PixelLink: which pixels are text, and which neighbours belong to the same word; no boxes learned.

Deng, Liu, Li and Cai, "PixelLink: Detecting Scene Text via Instance Segmentation" (AAAI 2018).
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.data.cache import to_input
from ocrkit.papers.detection.detectors import SceneTask, detector_study, hardest
from ocrkit.papers.shared.backbone import Stages
from ocrkit.papers.shared.quads import area, as_quads, from_boxes, to_boxes
from ocrkit.synth.scenes import SCENES
from ocrkit.synth.warps import min_area_rectangle

STRIDE = 2
# Rows and columns to the eight neighbours; number k and number 7 - k look at each other.
NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
NEGATIVES = 3  # r in the paper
PIXEL_WEIGHT = 2.0  # lambda in the paper
# The outermost centres lie up to half a map's pixel inside the word, less where it is turned.
GROW = STRIDE / 2
LEAST_SIDE, LEAST_AREA = 6.0, 80.0  # pixels: less is no word; 99 % of the training words are larger


class PixelLink(nn.Module):
    """Images (B, 1, H, W) to logits (no, yes) of pixels and of links in the order of `NEIGHBOURS`.

    Returns (B, 2, H/2, W/2) and (B, 2, 8, H/2, W/2).
    """

    def __init__(self, channels: Sequence[int] = (16, 32, 64, 96)) -> None:
        super().__init__()
        self.stages = Stages(channels)
        self.fuse = nn.ModuleList(nn.Conv2d(c, 2 + 16, 1) for c in channels)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        # Every stage gives its own answer, and the answers are added up, coarse to fine.
        outputs = [layer(x) for layer, x in zip(self.fuse, self.stages(images), strict=True)]
        total = outputs.pop()
        for finer in reversed(outputs):
            total = finer + F.interpolate(total, scale_factor=2.0, mode="bilinear")
        pixels, links = total.float().split([2, 16], dim=1)
        return pixels, links.unflatten(1, (2, 8))


def instance_map(quads: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Which word each pixel of the map lies in: 1 for the first, 0 for none or several.

    quads: convex (n, 4, 2), in pixels of the image of `size` (rows, columns).
    Returns int64 (H / STRIDE, W / STRIDE).
    """
    quads = as_quads(quads)
    y, x = ((np.arange(n // STRIDE) + 0.5) * STRIDE for n in size)
    sides = np.roll(quads, -1, axis=1) - quads
    # A point lies inside if it is to the right of all four sides, going clockwise with y down.
    from_corner = np.stack(np.meshgrid(x, y), axis=-1) - quads[:, :, None, None]
    across = sides[..., 0, None, None] * from_corner[..., 1]
    across -= sides[..., 1, None, None] * from_corner[..., 0]
    inside = (across > 0).all(axis=1)
    word = (inside * np.arange(1, len(quads) + 1)[:, None, None]).sum(0)
    return np.where(inside.sum(0) == 1, word, 0)


def link_targets(instances: Tensor) -> Tensor:
    """Links between pixels of the same word, bool (..., 8, h, w), of instances (..., h, w)."""
    rows, columns = instances.shape[-2:]
    around = F.pad(instances, (1, 1, 1, 1))
    there = [
        around[..., 1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + columns] for dy, dx in NEIGHBOURS
    ]
    own = instances.unsqueeze(-3)
    return (torch.stack(there, dim=-3) == own) & (own > 0)


def instance_weights(instances: Tensor) -> Tensor:
    """Weights (B, h, w) with which every word of an image counts the same; 0 outside words.

    A pixel of word i weighs B / S_i: S_i is the word's area, S the sum of all, B = S / N.
    """
    areas = F.one_hot(instances).sum((1, 2))[:, 1:]  # S_i, (B, words)
    total, words = areas.sum(1), (areas > 0).sum(1)
    weights = (total / words.clamp_min(1))[:, None] / areas.clamp_min(1)
    return F.pad(weights, (1, 0)).gather(1, instances.flatten(1)).view_as(instances)


def loss(model: PixelLink, images: Tensor, quads: Sequence[np.ndarray]) -> Tensor:
    """L = lambda L_pixel + L_link, the mean over the images."""
    height, width = images.shape[-2:]
    instances = torch.from_numpy(np.stack([instance_map(q, (height, width)) for q in quads]))
    weights, linked = instance_weights(instances), link_targets(instances)
    pixels, links = model(images)
    return losses(pixels, links, weights, linked).mean()


def losses(pixels: Tensor, links: Tensor, weights: Tensor, linked: Tensor) -> Tensor:
    """The loss of each image, (B,).

    pixels, links: the model's logits.
    weights: (B, h, w), of `instance_weights`; positive where text is.
    linked: bool (B, 8, h, w), of `link_targets`.
    """
    text = weights > 0
    each = F.cross_entropy(pixels, text.long(), reduction="none").flatten(1)
    # L_pixel = 1 / ((1 + r) S) * W * L_CE, with the r S negatives that it is worst at (OHEM).
    area = text.flatten(1).sum(1)
    hard = hardest(each.detach(), ~text.flatten(1), NEGATIVES * area)
    pixel = ((weights.flatten(1) + hard) * each).sum(1) / ((1 + NEGATIVES) * area).clamp_min(1)
    # L_link = L_yes / sum(W_yes) + L_no / sum(W_no), over the links of text pixels alone:
    # W_yes(i, j, k) = W(i, j) where link k is there, W_no(i, j, k) = W(i, j) where it is not.
    each = F.cross_entropy(links, linked.long(), reduction="none")
    link = torch.zeros_like(pixel)
    for there in (linked, ~linked):
        counted = weights[:, None] * there
        link += (counted * each).sum((1, 2, 3)) / counted.sum((1, 2, 3)).clamp_min(1)
    return PIXEL_WEIGHT * pixel + link


def components(text: np.ndarray, linked: np.ndarray) -> np.ndarray:
    """Text pixels joined by links in either direction: numbers int64 (h, w) from 1, 0 outside text.

    text: bool (h, w).
    linked: bool (8, h, w), in the order of `NEIGHBOURS`.
    """
    number = np.arange(text.size).reshape(text.shape)
    rows, columns = text.shape
    ones, others = [], []
    for k in range(4, 8):  # the other four are the same pairs, seen from the other side
        dy, dx = NEIGHBOURS[k]
        here = np.s_[: rows - dy, max(0, -dx) : columns - max(0, dx)]
        there = np.s_[dy:, max(0, dx) : columns - max(0, -dx)]
        joined = text[here] & text[there] & (linked[k][here] | linked[7 - k][there])
        ones.append(number[here][joined])
        others.append(number[there][joined])
    pairs = (np.concatenate(ones), np.concatenate(others))
    graph = coo_array((np.ones(len(pairs[0])), pairs), shape=(text.size, text.size))
    labels = connected_components(graph, directed=False)[1].reshape(text.shape)
    found = np.zeros(text.shape, np.int64)
    found[text] = np.unique(labels[text], return_inverse=True)[1] + 1
    return found


def boxes_of(found: np.ndarray) -> np.ndarray:
    """The minimal rectangle around each component, (n, 4, 2) in image pixels; no small ones."""
    quads = []
    for number in range(1, found.max(initial=0) + 1):
        centres = (np.argwhere(found == number)[:, ::-1] + 0.5) * STRIDE
        box = to_boxes(min_area_rectangle(centres))
        box[2:4] += GROW
        quads.append(from_boxes(box))
    quads = as_quads(quads)
    sides = to_boxes(quads)[:, 2:4].min(1)
    return quads[(sides >= LEAST_SIDE) & (area(quads) >= LEAST_AREA)]


@torch.inference_mode()
def detect(
    model: PixelLink, images: np.ndarray, pixel: float = 0.6, link: float = 0.6
) -> list[np.ndarray]:
    """Words in images uint8 (N, H, W): for each its quads (n, 4, 2); thresholds 0 to 1."""
    found = []
    for some in np.array_split(images, -(-len(images) // 32)):
        pixels, links = (x.softmax(1)[:, 1].numpy() for x in model(to_input(some)))
        found += [
            boxes_of(components(p > pixel, k > link)) for p, k in zip(pixels, links, strict=True)
        ]
    return found


ROTATED = SCENES["rotated"]
STUDIES = {
    "pixellink": detector_study(
        "pixellink",
        PixelLink,
        partial(SceneTask, settings=ROTATED, loss=loss, detect=detect),
        detect,
        ROTATED,
        steps=1600,
    )
}
