"""What a step or a reading costs in arithmetic: floating-point operations and bytes moved.

Counted from the operations that torch really calls: nothing is measured, so the numbers are the
same on every machine. Against a machine's ceilings they say how fast a step could be at most (the
roofline of Williams et al., CACM 2009).
"""

from functools import cache
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from ocrkit.models import Recognizer
from ocrkit.models.prediction import GO

_ops = torch.ops.aten
# Views and bookkeeping move no bytes.
_FREE = {
    _ops.view, _ops._unsafe_view, _ops.t, _ops.transpose, _ops.permute, _ops.expand, _ops.slice,
    _ops.select, _ops.unsqueeze, _ops.squeeze, _ops.detach, _ops.unbind, _ops.split, _ops.alias,
    _ops.split_with_sizes, _ops.as_strided, _ops.chunk, _ops.empty, _ops.empty_like, _ops.new_empty,
    _ops.empty_strided, _ops.new_empty_strided, _ops._reshape_alias, _ops.lift_fresh,
}  # fmt: skip


class Cost(NamedTuple):
    """FLOP an image (a multiply and an add are two), bytes an image, and bytes a batch (weights).

    Bytes are float32's, as if nothing stayed in a cache and no operations were fused: an upper
    bound.
    """

    flops: float
    image_bytes: float
    batch_bytes: float

    def seconds(self, batch: int, flops_per_second: float, bytes_per_second: float) -> float:
        """The least time of a batch under these ceilings: the slower of arithmetic and memory."""
        moved = batch * self.image_bytes + self.batch_bytes
        return max(batch * self.flops / flops_per_second, moved / bytes_per_second)


@cache
def count(
    name: str, training: bool, classes: int = 973, image_width: int = 400, max_length: int = 50,
    width: float = 1.0,
) -> Cost:  # fmt: skip
    """Forward, attention writing all its characters; in training backward too, no optimiser.

    classes: of a CTC model; attention has one more. width: multiplier of the channels.
    """
    attention = name.endswith("-Attn")
    size = {"image_width": image_width, "max_length": max_length, "width": width}
    model = Recognizer(name, classes=classes + attention, **size).train(training)
    # Bytes grow in a straight line with the batch; two points tell its slope and its start.
    (_, small), (flops, large) = (run(model, batch) for batch in (2, 4))
    image_bytes = (large - small) / 2
    return Cost(flops / 4, image_bytes, small - 2 * image_bytes)


def run(model: Recognizer, batch: int) -> tuple[int, int]:
    """Operations and bytes of one batch of a model."""
    model.zero_grad()  # a gradient that is there already would be added to
    images = torch.zeros(batch, 1, 32, model.image_width)
    text = torch.full((batch, model.max_length + 1), GO) if model.name.endswith("Attn") else None
    # An LSTM's layer is one operation that torch's counter does not know.
    known = {
        _ops.mkldnn_rnn_layer: _lstm_flops,
        _ops.mkldnn_rnn_layer_backward: lambda *args, **kwargs: 2 * _lstm_flops(*args, **kwargs),
    }
    with (
        torch.set_grad_enabled(model.training),
        FlopCounterMode(display=False, custom_mapping=known) as flops,
        _Bytes() as moved,
    ):
        logits = model(images, text)
        if model.training:
            logits.sum().backward()
    return flops.get_total_flops(), moved.bytes


def _lstm_flops(inputs: Any, weight: Any, recurrent: Any, *_: Any, **__: Any) -> int:
    """One direction over T steps: the products with x and with h. Shapes: (T, B, in), (4h, in)."""
    steps, batch = inputs[:2]
    return 2 * steps * batch * (prod(weight) + prod(recurrent))


class _Bytes(TorchDispatchMode):
    """Adds up the sizes of every operation's inputs and outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket not in _FREE:
            tensors = (t for t in tree_leaves((args, kwargs, result)) if isinstance(t, Tensor))
            self.bytes += sum(t.numel() * t.element_size() for t in tensors)
        return result
