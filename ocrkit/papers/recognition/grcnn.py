"""GRCNN: recurrent convolution with a gate, and without it.

Wang and Hu, "Gated Recurrent Convolution Neural Network for OCR" (NIPS 2017). The gated layer is
`ocrkit.models.gated.GRCL`; here is the plain one (Liang and Hu, "Recurrent Convolutional Neural
Network for Object Recognition", CVPR 2015).
"""

from copy import deepcopy
from dataclasses import replace
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.models import Recognizer
from ocrkit.models.gated import GRCL, GatedStep
from ocrkit.papers.recognition.word_readers import CTC_RECIPE, ctc_study, grid_reader

NAME = "None-RCNN-None-CTC"  # no BiLSTM: what a frame knows of its surroundings, the layers brought


class PlainStep(nn.Module):
    """One iteration's own norms; the convolutions belong to the layer and are shared."""

    def __init__(self, gated: GatedStep) -> None:
        super().__init__()
        self.bn_input, self.bn_state = gated.bn_input, gated.bn_state

    def forward(self, wide_input: Tensor, wide_state: Tensor) -> Tensor:
        """W_f u, W_r x, each (B, C, H, W) -> the next state x (B, C, H, W)."""
        # x = ReLU(BN(W_f u) + BN(W_r x))
        return F.relu(self.bn_input(wide_input) + self.bn_state(wide_state))


class RCL(nn.Module):
    """A gated layer without its gate: (B, before, H, W) -> (B, after, H, W).

    Liang and Hu (CVPR 2015), with batch norm in place of their local response norm, as in GRCL.
    gated: whose other layers it takes over.
    """

    def __init__(self, gated: GRCL) -> None:
        super().__init__()
        self.wide_input, self.wide_state = gated.wide_input, gated.wide_state
        self.bn_first = gated.bn_first
        self.steps = nn.ModuleList(map(PlainStep, gated.steps))  # pyright: ignore

    def forward(self, u: Tensor) -> Tensor:
        wide_input = self.wide_input(u)
        x = F.relu(self.bn_first(wide_input))
        for step in self.steps:
            x = step(wide_input, self.wide_state(x))
        return x


def without_gate(layer: GRCL) -> RCL:
    """A copy of the layer without its gate."""
    return RCL(deepcopy(layer))


def plain_reader() -> Recognizer:
    """The gated reader, weight for weight, with the gates taken out."""
    model = grid_reader(NAME)
    for index, layer in enumerate(model.features):
        if isinstance(layer, GRCL):
            model.features[index] = without_gate(layer)
    return model


# Bent and turned words: upright ones are too easy; both readers read nearly all of them.
SCENE = "curved"
_RECIPE = replace(CTC_RECIPE, name="bent words", steps=3_000)
STUDIES = {
    "grcnn": ctc_study("grcnn", partial(grid_reader, NAME), _RECIPE, SCENE),
    "grcnn-ungated": ctc_study("grcnn-ungated", plain_reader, _RECIPE, SCENE),
}
