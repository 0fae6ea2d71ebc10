"""FOTS: find words and read them from the same map, cut out upright by RoIRotate.

Liu, Liang, Yan, Chen, Qiao and Yan, "FOTS: Fast Oriented Text Spotting with a Unified Network"
(CVPR 2018). The map is worked out once; finding is six numbers a cell (`east.py`), and reading
starts from features, not from pixels.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from ocrkit.labels import CTCLabels
from ocrkit.papers.detection.east import EastHead, EastMaps
from ocrkit.papers.shared.quads import to_boxes
from ocrkit.papers.shared.scene_sets import vocabulary
from ocrkit.papers.shared.study import Study
from ocrkit.papers.spotting.roi_rotate import roi_rotate
from ocrkit.papers.spotting.spotter import (
    FEATURE_STRIDE,
    RECIPE,
    CropEncoder,
    SpottingTask,
    shared_map,
    spot_one,
    test_scores,
)
from ocrkit.synth.scenes import SceneWord
from ocrkit.training.losses import ctc_loss

CROP = (16, 72)  # rows and columns of a crop: four square syllables, and a little


class FOTS(nn.Module):
    """Images (B, 1, H, W) to the shared map (B, shared, H/2, W/2) and the detector's answers.

    Args:
        charset: what may be read.
        channels: of the shared map's stages.
        shared: channels of the shared map.
    """

    def __init__(
        self,
        charset: str,
        channels: Sequence[int] = (8, 24, 48, 64, 96),
        shared: int = 32,
    ) -> None:
        super().__init__()
        self.labels = CTCLabels(charset)
        self.shared = shared_map(channels, shared)
        self.detector = EastHead(shared, 48)
        self.encoder = CropEncoder(shared, 64)
        self.out = nn.Linear(64, self.labels.classes)

    def forward(self, images: Tensor) -> tuple[Tensor, EastMaps]:
        features = self.shared(images)
        return features, self.detector(features)

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

    def read(self, features: Tensor, quads: Sequence[Tensor]) -> list[str]:
        """What stands in the quads of all images, one after the other."""
        return self.labels.decode(self.logits(features, quads).argmax(2))


def make(seed: int) -> FOTS:
    """The study's model; its start weights depend on the seed."""
    torch.manual_seed(seed)
    return FOTS(vocabulary().charset)


STUDIES = {
    "fots": Study(
        "fots",
        replace(RECIPE, name="fots"),
        make,
        partial(SpottingTask, batch_size=RECIPE.batch_size),
        test=test_scores,
        one=spot_one,
    )
}
