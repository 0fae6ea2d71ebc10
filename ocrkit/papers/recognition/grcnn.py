"""GRCNN: recurrent convolution with a gate, and without it.

Wang and Hu, "Gated Recurrent Convolution Neural Network for OCR" (NIPS 2017). The gated layer is
`ocrkit.models.gated.GRCL`; here is the plain one (Liang and Hu, "Recurrent Convolutional Neural
Network for Object Recognition", CVPR 2015).
"""

from dataclasses import replace

from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.models import Recognizer
from ocrkit.models.gated import GRCL, ITERATIONS
from ocrkit.papers.recognition.word_readers import CTC_RECIPE, ctc_study, grid_reader

NAME = "None-RCNN-None-CTC"  # no BiLSTM: what a frame knows of its surroundings, the layers brought


class PlainStep(nn.Module):
    """One iteration's own norms; the convolutions belong to the layer and are shared."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn_input = nn.BatchNorm2d(channels)
        self.bn_state = nn.BatchNorm2d(channels)

    def forward(self, wide_input: Tensor, wide_state: Tensor) -> Tensor:
        """W_f u, W_r x, each (B, C, H, W) -> the next state x (B, C, H, W)."""
        # x = ReLU(BN(W_f u) + BN(W_r x))
        return F.relu(self.bn_input(wide_input) + self.bn_state(wide_state))


class RCL(nn.Module):
    """A recurrent convolution layer: (B, before, H, W) -> (B, after, H, W).

    Liang and Hu (CVPR 2015), with batch norm in place of their local response norm, as in GRCL.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.wide_input = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.wide_state = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn_first = nn.BatchNorm2d(after)
        self.steps = nn.ModuleList(PlainStep(after) for _ in range(ITERATIONS))

    def forward(self, u: Tensor) -> Tensor:
        """u (B, before, H, W) -> x after five iterations (B, after, H, W)."""
        wide_input = self.wide_input(u)
        x = F.relu(self.bn_first(wide_input))
        for step in self.steps:
            x = step(wide_input, self.wide_state(x))
        return x


def without_gate(layer: GRCL) -> RCL:
    """The layer without its gate; the weights both have are the same."""
    after, before = layer.wide_input.weight.shape[:2]
    plain = RCL(before, after)
    state = layer.state_dict()
    plain.load_state_dict({name: state[name] for name in plain.state_dict()})
    return plain


def gated_reader() -> Recognizer:
    """GRCNN with CTC at a quarter of its width."""
    return grid_reader(NAME)


def plain_reader() -> Recognizer:
    """The same reader, weight for weight, with the gates taken out."""
    model = grid_reader(NAME)
    for index, layer in enumerate(model.features):
        if isinstance(layer, GRCL):
            model.features[index] = without_gate(layer)
    return model


# Bent and turned words: upright ones are too easy; both readers read nearly all of them.
SCENE = "curved"
_RECIPE = replace(CTC_RECIPE, name="bent words", steps=3_000)
STUDIES = {
    "grcnn": ctc_study("grcnn", gated_reader, _RECIPE, SCENE),
    "grcnn-ungated": ctc_study("grcnn-ungated", plain_reader, _RECIPE, SCENE),
}
