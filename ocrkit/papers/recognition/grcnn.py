"""GRCNN: recurrent convolution with a gate, and without it.

Wang and Hu, "Gated Recurrent Convolution Neural Network for OCR" (NIPS 2017). The gated layer is
`ocrkit.models.gated.GRCL`; here is the plain one (Liang and Hu, "Recurrent Convolutional Neural
Network for Object Recognition", CVPR 2015), and what is needed to look into both.
"""

from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.errors import OcrkitError
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


def recurrent_layers(model: Recognizer, images: Tensor) -> list[tuple[nn.Module, Tensor]]:
    """The recurrent layers of a reader in order, each with the u that the images bring it.

    Args:
        images: (B, 1, H, W) in [-1, 1].

    Raises:
        OcrkitError: the reader has none.
    """
    layers, u = [], images
    with torch.no_grad():
        for layer in model.features:
            if isinstance(layer, GRCL | RCL):
                layers.append((layer, u))
            u = layer(u)
    if not layers:
        raise OcrkitError(f"{model.name} has no recurrent convolution: choose a reader with RCNN")
    return layers


def stop_after(layer: GRCL | RCL, iterations: int) -> nn.Module:
    """A copy of a recurrent layer that ends after so many iterations (0: x0)."""
    short = deepcopy(layer)
    short.steps = short.steps[:iterations]
    return short


def effective_receptive_field(layer: nn.Module, u: Tensor, seed: int = 0) -> Tensor:
    """How strongly the middle of a layer's output depends on each place of u, (H, W); sums to 1.

    The mean square of dx(middle) / du over channels and images (Luo et al., NIPS 2016), estimated
    with one random mixture of the channels for each image.

    Args:
        layer: GRCL or RCL, in eval mode.
        u: (B, channels, H, W).
    """
    u = u.detach().requires_grad_()
    x = layer(u)
    middle = x[:, :, x.shape[2] // 2, x.shape[3] // 2]
    mixture = torch.randn(middle.shape, generator=torch.Generator().manual_seed(seed))
    (gradient,) = torch.autograd.grad((middle * mixture).sum(), u)
    field = gradient.double().square().sum(dim=(0, 1))
    return field / field.sum().clamp_min(1e-30)  # all 0 where every ReLU is shut


def field_radius(field: Tensor) -> float:
    """Root mean square distance from the middle of a field (H, W), in places of the map."""
    rows, columns = (torch.arange(size) - size // 2 for size in field.shape)
    square = rows[:, None].square() + columns[None].square()
    return float((field * square).sum().sqrt())


def recalibrate_batchnorm(model: Recognizer, images: Tensor, batch_size: int = 100) -> Recognizer:
    """A copy whose norms hold the means and variances of these images, (B, 1, H, W)."""
    model = deepcopy(model)
    for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    with torch.no_grad():
        for part in images.split(batch_size):
            model.train()(part)
    return model.eval()


# Bent and turned words: of upright ones both readers leave too few unread to be told apart.
SCENE = "curved"
_RECIPE = replace(CTC_RECIPE, name="bent words", steps=3_000)
STUDIES = {
    "grcnn": ctc_study("grcnn", gated_reader, _RECIPE, SCENE),
    "grcnn-ungated": ctc_study("grcnn-ungated", plain_reader, _RECIPE, SCENE),
}
