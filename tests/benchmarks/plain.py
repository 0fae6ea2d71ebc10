"""The formulas as they are written, slow and plain: what a cut is measured and tested against."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ocrkit.models.gated import GRCL
from ocrkit.models.prediction import GO, Attention
from ocrkit.models.transformation import TPS


def decode(head: Attention, frames: Tensor, text: Tensor | None, steps: int) -> Tensor:
    """Attention with one-hot characters, an LSTMCell and every product in every step.

    frames (B, T, inputs); text (B, >= steps) or None for greedy; logits (B, steps, classes).
    """
    frames = frames.to(head.h2h.weight.dtype)
    h = c = frames.new_zeros(len(frames), head.hidden)
    ids = torch.full((len(frames),), GO, device=frames.device)
    logits = []
    for step in range(steps):
        ids = text[:, step] if text is not None else ids
        # e = w . tanh(W_i H + W_h h + b); alpha = softmax over T; context = alpha H
        e = head.score(torch.tanh(head.i2h(frames) + head.h2h(h)[:, None]))
        context = (torch.softmax(e, dim=1) * frames).sum(dim=1)
        character = F.one_hot(ids, head.generator.out_features).to(frames.dtype)
        h, c = head.rnn(torch.cat([context, character], dim=1), (h, c))
        logits.append(head.generator(h))
        ids = logits[-1].argmax(dim=1)
    return torch.stack(logits, dim=1)


def gated(layer: GRCL, u: Tensor) -> Tensor:
    """A gated recurrent convolution: every convolution in every iteration, nothing in place."""
    x = F.relu(layer.bn_first(layer.wide_input(u)))
    for step in layer.steps:
        gate = torch.sigmoid(
            step.bn_gate_input(layer.gate_input(u)) + step.bn_gate_state(layer.gate_state(x))
        )
        x = F.relu(
            step.bn_input(layer.wide_input(u))
            + step.bn_gated(step.bn_state(layer.wide_state(x)) * gate)
        )
    return x


def sampling_points(tps: TPS, fiducials: Tensor) -> Tensor:
    """P' = P_hat inverse(Delta) C', image by image: C' (B, 20, 2) -> (B, H, W, 2)."""
    points = [tps.p_hat @ (tps.inv_delta @ one) for one in fiducials]
    return torch.stack(points).unflatten(1, (tps.height, tps.width))
