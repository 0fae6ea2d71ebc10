"""TextBoxes: a net that corrects a fixed set of long boxes, and says which of them hold a word.

Liao, Shi, Bai, Wang and Liu, "TextBoxes: A Fast Text Detector with a Single Deep Neural Network"
(AAAI 2017), after SSD (Liu et al., ECCV 2016). Boxes here are upright: (cx, cy, w, h) in pixels. N
is the number of default boxes.
"""

from collections.abc import Sequence
from functools import cache, partial
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.data.cache import to_input
from ocrkit.papers.detection.detectors import SceneTask, detector_study, hardest
from ocrkit.papers.shared.backbone import Stages
from ocrkit.papers.shared.quads import as_quads, bounds, from_boxes, nms
from ocrkit.synth.scenes import SCENES

# The paper: 1, 2, 3, 5, 7, 10 for Latin words. Ours have up to four square syllables.
RATIOS = (1.0, 2.0, 3.0, 4.5)
SCALES = {8: 16.0, 16: 28.0, 32: 48.0}  # stride of a map -> size of its boxes, pixels
SPREAD = (0.1, 0.1, 0.2, 0.2)  # makes the targets about as large as 1, as SSD's code does
MATCH, NEGATIVES = 0.5, 3
MOST = 100  # boxes of an image, before suppression; a scene has up to six words


class TextBoxes(nn.Module):
    """Images (B, 1, H, W) to scores (B, N, 2), paper or word, and offsets (B, N, 4).

    channels: of the stages at strides 2, 4, 8, 16, 32.
    kernel: rows and columns of the text-box layers; SSD's are 3x3.
    ratios: width over height of the default boxes.
    offset: have a second set of them half a cell lower, the paper's vertical offsets.
    """

    def __init__(
        self,
        channels: Sequence[int] = (16, 32, 64, 96, 96),
        kernel: tuple[int, int] = (1, 5),
        ratios: tuple[float, ...] = RATIOS,
        offset: bool = True,
    ) -> None:
        super().__init__()
        self.ratios, self.offset = ratios, offset
        self.stages = Stages(channels)
        values = (1 + offset) * len(ratios) * (2 + 4)  # each box has scores and offsets
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.text_box = nn.ModuleList(
            nn.Conv2d(c, values, kernel, padding=padding) for c in channels[-len(SCALES) :]
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.stages(images)[-len(SCALES) :]
        outputs = [
            layer(x).permute(0, 2, 3, 1).reshape(len(x), -1, 6)
            for layer, x in zip(self.text_box, maps, strict=True)
        ]
        scores, offsets = torch.cat(outputs, dim=1).float().split([2, 4], dim=-1)
        return scores, offsets

    def defaults(self, size: tuple[int, int]) -> Tensor:
        """The default boxes (N, 4) of an image of so many rows and columns."""
        return default_boxes(size, self.ratios, self.offset)


@cache
def default_boxes(
    size: tuple[int, int], ratios: tuple[float, ...] = RATIOS, offset: bool = True
) -> Tensor:
    """The default boxes (N, 4) of an image of `size` (rows, columns), in the outputs' order."""
    boxes = []
    for stride, scale in SCALES.items():
        rows, columns = size[0] // stride, size[1] // stride
        downs = (0.5, 1.0) if offset else (0.5,)
        for y, x, down, ratio in product(range(rows), range(columns), downs, ratios):
            # w = s sqrt(a), h = s / sqrt(a): the area stays s^2.
            w, h = scale * ratio**0.5, scale / ratio**0.5
            boxes.append(((x + 0.5) * stride, (y + down) * stride, w, h))
    return torch.tensor(boxes)


def encode(boxes: Tensor, defaults: Tensor) -> Tensor:
    """Offsets (..., 4) that turn default boxes into boxes; the inverse of `decode`."""
    move = (boxes[..., :2] - defaults[..., :2]) / defaults[..., 2:]
    grow = torch.log(boxes[..., 2:] / defaults[..., 2:])
    return torch.cat([move, grow], dim=-1) / move.new_tensor(SPREAD)


def decode(offsets: Tensor, defaults: Tensor) -> Tensor:
    """Boxes (..., 4) from offsets and default boxes, as its text-box layers give them."""
    move, grow = (offsets * offsets.new_tensor(SPREAD)).split(2, dim=-1)
    # x = x0 + w0 dx, y = y0 + h0 dy
    centre = defaults[..., :2] + defaults[..., 2:] * move
    # w = w0 exp(dw), h = h0 exp(dh)
    return torch.cat([centre, defaults[..., 2:] * grow.exp()], dim=-1)


def overlaps(ones: Tensor, others: Tensor) -> Tensor:
    """IoU of upright boxes (n, 4) and (m, 4), each with each, (n, m)."""
    ones, others = ones[:, None], others[None]
    low = torch.maximum(ones[..., :2] - ones[..., 2:] / 2, others[..., :2] - others[..., 2:] / 2)
    high = torch.minimum(ones[..., :2] + ones[..., 2:] / 2, others[..., :2] + others[..., 2:] / 2)
    shared = (high - low).clamp_min(0).prod(-1)
    return shared / (ones[..., 2:].prod(-1) + others[..., 2:].prod(-1) - shared)


def upright_boxes(quads: np.ndarray) -> Tensor:
    """The upright boxes (n, 4) around quads (n, 4, 2)."""
    low, high = torch.from_numpy(bounds(as_quads(quads))).split(2, dim=-1)
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def targets(boxes: Tensor, defaults: Tensor) -> tuple[Tensor, Tensor]:
    """Which default boxes are words, bool (N,), and their offsets (N, 4), as SSD matches them.

    A default box matches the word of its greatest overlap above `MATCH`; each word its best box.
    """
    overlap = overlaps(boxes, defaults)
    best, word = overlap.max(0)
    own = overlap.argmax(1)
    best[own], word[own] = 1.0, torch.arange(len(boxes))
    return best > MATCH, encode(boxes[word], defaults)


def loss(model: TextBoxes, images: Tensor, quads: Sequence[np.ndarray]) -> Tensor:
    """L = (L_conf + a L_loc) / N over the matched boxes, with a = 1: SSD's loss."""
    height, width = images.shape[-2:]
    defaults = model.defaults((height, width))
    wanted = [targets(upright_boxes(q), defaults) for q in quads]
    word, offsets = (torch.stack(part) for part in zip(*wanted, strict=True))
    scores, moved = model(images)
    # L_loc: smooth L1 of the offsets, over words alone.
    located = F.smooth_l1_loss(moved[word], offsets[word], reduction="sum")
    # L_conf: cross-entropy, over words and the three times as many negatives it is worst at.
    each = F.cross_entropy(scores.transpose(1, 2), word.long(), reduction="none")
    counted = word | hardest(each.detach(), ~word, NEGATIVES * word.sum(1))
    return (each[counted].sum() + located) / word.sum()


@torch.inference_mode()
def detect(
    model: TextBoxes, images: np.ndarray, score: float = 0.4, overlap: float = 0.3
) -> list[np.ndarray]:
    """Words in images uint8 (N, H, W): for each its quads (n, 4, 2), the surest first.

    score: least probability of a word.
    overlap: IoU above which non-maximum suppression drops the less sure box.
    """
    defaults = model.defaults(images.shape[1:])
    found = []
    for some in np.array_split(images, -(-len(images) // 32)):
        scores, offsets = model(to_input(some))
        for sure, moved in zip(scores.softmax(-1)[..., 1], offsets, strict=True):
            kept = sure.topk(min(MOST, len(sure))).indices
            kept = kept[sure[kept] > score]
            quads = box_quads(decode(moved[kept], defaults[kept]))
            found.append(quads[nms(quads, sure[kept].numpy(), overlap)])
    return found


def box_quads(boxes: Tensor) -> np.ndarray:
    """Quads (n, 4, 2) of upright boxes (n, 4)."""
    return as_quads(from_boxes(F.pad(boxes, (0, 1)).numpy()))


UPRIGHT = SCENES["upright"]
# SSD's own layers: square kernels, boxes for things of all shapes, one set of them.
SSD = {"kernel": (3, 3), "ratios": (1.0, 2.0, 3.0, 1 / 2, 1 / 3), "offset": False}
STUDIES = {
    name: detector_study(
        name,
        partial(TextBoxes, **shape),
        partial(SceneTask, settings=UPRIGHT, loss=loss, detect=detect),
        detect,
        UPRIGHT,
        steps=1200,
    )
    for name, shape in {"textboxes": {}, "textboxes-ssd": SSD}.items()
}
