"""GRCNN: recurrent convolution with a gate, and without it.

Wang and Hu, "Gated Recurrent Convolution Neural Network for OCR" (NIPS 2017). The gated layer is
`ocrkit.models.gated.GRCL`; here is the plain one it grew from (Liang and Hu, "Recurrent
Convolutional Neural Network for Object Recognition", CVPR 2015), which Lee and Osindero read text
with (CVPR 2016), and what is needed to look into both.
"""

from copy import deepcopy
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.errors import OcrkitError
from ocrkit.models import Recognizer
from ocrkit.models.gated import GRCL, ITERATIONS, GatedStep
from ocrkit.papers.recognition.crnn import RECIPE, exam, read_one, reader, word_reading
from ocrkit.papers.shared.study import Study

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


def gated_reader(seed: int) -> Recognizer:
    """GRCNN with CTC at a quarter of its width."""
    return reader(NAME, seed)


def plain_reader(seed: int) -> Recognizer:
    """The same reader, weight for weight, with the gates taken out."""
    model = reader(NAME, seed)
    for place, layer in enumerate(model.features):
        if isinstance(layer, GRCL):
            model.features[place] = without_gate(layer)
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


def after(layer: nn.Module, iterations: int) -> nn.Module:
    """The layer stopped after so many iterations (0: x0), a copy."""
    short = deepcopy(layer)
    short.steps = short.steps[:iterations]
    return short


def sight(layer: nn.Module, u: Tensor, seed: int = 0) -> Tensor:
    """How strongly the place in the middle feels each place of u, (H, W); sums to 1.

    The mean square of dx(middle) / du over channels and images: an effective receptive field (Luo
    et al., NIPS 2016). Each image asks about one random mixture of the middle's channels, whose
    mean square is that of all of them.

    Args:
        layer: GRCL or RCL, in eval mode.
        u: (B, channels, H, W).
    """
    u = u.detach().requires_grad_()
    x = layer(u)
    middle = x[:, :, x.shape[2] // 2, x.shape[3] // 2]
    mixture = torch.randn(middle.shape, generator=torch.Generator().manual_seed(seed))
    (slope,) = torch.autograd.grad((middle * mixture).sum(), u)
    felt = slope.double().square().sum(dim=(0, 1))
    return felt / felt.sum().clamp_min(1e-30)  # nothing at all is felt where every ReLU is shut


def radius(felt: Tensor) -> float:
    """Root mean square distance from the middle of `sight` (H, W), in places of the map."""
    rows, columns = (torch.arange(size) - size // 2 for size in felt.shape)
    square = rows[:, None].square() + columns[None].square()
    return float((felt * square).sum().sqrt())


def gates(layer: GRCL, u: Tensor) -> list[Tensor]:
    """The gate G of each iteration, (B, C, H, W) in 0..1, for u (B, before, H, W); eval mode."""
    heard: list[Tensor] = []

    def hear(step: GatedStep, inputs: tuple[Tensor, ...]) -> None:
        # G = sigmoid(BN(Wg_f u) + BN(Wg_r x))
        heard.append(torch.sigmoid(step.bn_gate_input(inputs[0]) + step.bn_gate_state(inputs[1])))

    hooks = [step.register_forward_pre_hook(hear) for step in layer.steps]
    try:
        with torch.no_grad():
            layer(u)
    finally:
        for hook in hooks:
            hook.remove()
    return heard


def kinds_of_places(image: np.ndarray, quads: np.ndarray, stride: int = 2) -> dict[str, np.ndarray]:
    """Where ink is, and where none is: within a syllable, at the border of two, outside of all.

    Args:
        image: an upright line on white paper, (H, W) uint8.
        quads: its characters in order, (n, 4, 2).
        stride: pixels a place.

    Returns:
        four masks (H / stride, W / stride); each place is in one of them.
    """
    rows, columns = (size // stride for size in image.shape)
    ink = image.reshape(rows, stride, columns, stride).min(axis=(1, 3)) < 150
    x, y = (np.arange(size) * stride + stride / 2 for size in (columns, rows))
    left, top = quads.min(1).T[..., None]
    right, bottom = quads.max(1).T[..., None]
    across, down = (left <= x) & (x <= right), (top <= y) & (y <= bottom)
    inside = (across[:, None] & down[:, :, None]).any(0)
    seams = (right[:-1] + left[1:]) / 2
    border = inside & ~ink & (np.abs(x - seams) <= 2).any(0)
    return {
        "ink": ink,
        "within": inside & ~ink & ~border,
        "border": border,
        "outside": ~inside & ~ink,
    }


def blindfold(model: Recognizer) -> Recognizer:
    """A copy whose gates are one half everywhere; `recount` it, for its norms no longer fit."""
    model = deepcopy(model)
    for step in (module for module in model.modules() if isinstance(module, GatedStep)):
        for norm in (step.bn_gate_input, step.bn_gate_state):
            nn.init.zeros_(norm.weight)
            nn.init.zeros_(norm.bias)
    return model


def recount(model: Recognizer, images: Tensor, batch_size: int = 100) -> Recognizer:
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
STUDIES = {
    name: Study(
        name,
        replace(RECIPE, name="bent words", steps=3_000),
        make,
        partial(word_reading, scene=SCENE),
        partial(exam, scene=SCENE),
        read_one,
    )
    for name, make in {"grcnn": gated_reader, "grcnn-ungated": plain_reader}.items()
}
