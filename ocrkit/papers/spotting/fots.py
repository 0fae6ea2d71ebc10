"""FOTS: find words and read them from the same map, cut out upright by RoIRotate.

Liu, Liang, Yan, Chen, Qiao and Yan, "FOTS: Fast Oriented Text Spotting with a Unified Network"
(CVPR 2018). Boxes are (cx, cy, w, h, angle) in pixels and radians, as in
`ocrkit.papers.shared.quads`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ocrkit.labels import CTCLabels
from ocrkit.papers.shared.quads import to_boxes
from ocrkit.papers.shared.sampling import cell_centres, sample
from ocrkit.papers.shared.scene_sets import vocabulary
from ocrkit.papers.spotting.spotter import FEATURE_STRIDE, Spotter, spotter_study
from ocrkit.synth.scenes import SceneWord
from ocrkit.training.losses import ctc_loss

CROP = (16, 72)  # rows and columns of a crop: four square syllables, and a little


def roi_rotate(
    features: Tensor, boxes: Sequence[Tensor], stride: int, height: int, width: int
) -> Tensor:
    """Crops (N, C, height, width) of turned boxes; 0 to the right of where a box ends.

    features: (B, C, H, W), a cell every `stride` pixels.
    boxes: for each of the B images (n, 5), in pixels of the image.
    width: of all crops; of a box that is longer the end is cut off.
    """
    points = [rotated_points(box, height, width) for box in boxes]
    crops = sample(features, points, stride)
    long = torch.cat([height * box[:, 2] / box[:, 3] for box in boxes])
    x, _ = cell_centres(height, width, long)
    return crops * (x < long[:, None])[:, None, None, :]


def rotated_points(boxes: Tensor, height: int, width: int) -> Tensor:
    """Where in the image each pixel of the crops lies, (n, height, width, 2).

    The paper's M, a shift, a turn and a scale s = height / h, turned round. Both directions are
    scaled alike, so letters keep their shape.
    """
    cx, cy, w, h, angle = boxes[:, None, None].unbind(-1)
    x, y = cell_centres(height, width, boxes)
    # From the box's centre, along the text and across it.
    along, across = x * h / height - w / 2, y * h / height - h / 2
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cx + along * cos + across * sin, cy - along * sin + across * cos], dim=-1)


class FOTS(Spotter):
    """A spotter that reads with CTC what `roi_rotate` cuts out, over the characters `charset`."""

    def __init__(self, charset: str) -> None:
        super().__init__(CTCLabels(charset))
        self.out = nn.Linear(64, self.labels.classes)

    def logits(self, features: Tensor, quads: Sequence[Tensor]) -> Tensor:
        """CTC logits (N, T, classes) of the words in quads (n, 4, 2) of each image."""
        boxes = [torch.from_numpy(to_boxes(q.numpy())).to(q.dtype) for q in quads]
        crops = roi_rotate(features, boxes, FEATURE_STRIDE, *CROP)
        return self.out(self.encoder(crops))

    def reading_loss(
        self, features: Tensor, words: Sequence[Sequence[SceneWord]], quads: Sequence[Tensor]
    ) -> Tensor:
        """-ln p(label | crop), mean over the words; each divided by its length."""
        ids, lengths = self.labels.encode([word.text for some in words for word in some])
        return ctc_loss(self.logits(features, quads), ids, lengths)


STUDIES = {"fots": spotter_study("fots", lambda: FOTS(vocabulary().charset))}
