"""Prediction by attention: write one character after another, looking where it matters.

Shi et al., "Robust Scene Text Recognition with Automatic Rectification" (CVPR 2016), section 3.2.
(Prediction by CTC is one linear layer; `recognizer.py` makes it.)
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.errors import OcrkitError
from ocrkit.models.attention_steps import Weights, attention_step, forced_states

GO, EOS = 0, 1  # ids of [GO] and [s], as in ocrkit.labels.AttentionLabels


class Attention(nn.Module):
    """Attention decoder: frames (B, T, inputs) -> logits (B, steps, classes)."""

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.inputs, self.hidden = inputs, hidden
        self.i2h = nn.Linear(inputs, hidden, bias=False)
        self.h2h = nn.Linear(hidden, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        # Holds the weights in the reference's layout: input = [context; one-hot character].
        self.rnn = nn.LSTMCell(inputs + classes, hidden)
        self.generator = nn.Linear(hidden, classes)

    def forward(self, frames: Tensor, text: Tensor | None, steps: int) -> Tensor:
        """Logits (B, steps, classes) for `steps` characters ([s] counts as one).

        `text` (B, >= steps) int64 starts with [GO]: each step is given the true character before it
        (teacher forcing). None: each step is given its own last output (greedy), and the loop ends
        when every row has said [s]; logits of steps never taken are 0.
        """
        if text is None:
            return self.decode_greedy(frames, steps)[0]
        return self.decode_teacher_forced(frames, text, steps)[0]

    def decode_teacher_forced(
        self, frames: Tensor, text: Tensor, steps: int
    ) -> tuple[Tensor, Tensor]:
        """Teacher forcing: logits (B, steps, classes), and where each step looked, (B, steps, T).

        Raises:
            OcrkitError: `text` (B, ids) holds fewer than `steps` ids a row.
        """
        if text.shape[1] < steps:
            raise OcrkitError(f"text has {text.shape[1]} ids a row: teacher forcing needs {steps}")
        # The loop is many small products: a cast around each would cost more than it saves.
        with torch.autocast(frames.device.type, enabled=False):
            frames, keys, weights, table = self._shared(frames)
            characters = F.embedding(text[:, :steps], table) + self._bias
            states, alpha = forced_states(frames, keys, characters, weights)
        return self.generator(states), alpha

    def decode_greedy(self, frames: Tensor, steps: int) -> tuple[Tensor, list[Tensor]]:
        """Greedy decoding: logits (B, steps, classes), and alpha (B, T) of each step taken."""
        with torch.autocast(frames.device.type, enabled=False):
            frames, keys, weights, table = self._shared(frames)
            ids = torch.full((frames.shape[0],), GO, dtype=torch.long, device=frames.device)
            said_eos = torch.zeros_like(ids, dtype=torch.bool)
            h = c = frames.new_zeros(frames.shape[0], self.hidden)
            logits: list[Tensor] = []
            maps: list[Tensor] = []
            for _ in range(steps):
                characters = F.embedding(ids, table) + self._bias
                taken = attention_step(frames, keys, characters, h, c, weights)
                h, c = taken.h, taken.c
                maps.append(taken.alpha)
                logits.append(self.generator(h))
                ids = logits[-1].argmax(dim=1)
                said_eos |= ids == EOS
                # An ONNX file holds the steps one after another and cannot stop between them.
                if not torch.onnx.is_in_onnx_export() and said_eos.all():
                    break
        # Steps never taken: 0.
        return F.pad(torch.stack(logits, dim=1), (0, 0, 0, steps - len(logits))), maps

    def _shared(self, frames: Tensor) -> tuple[Tensor, Tensor, Weights, Tensor]:
        """What every step shares.

        Frames H (B, T, inputs); keys 2 W_i H (B, T, hidden); the weights; and a table with a row
        for each character, its part of the LSTM's four gates (classes, 4 * hidden).
        """
        frames = frames.to(self.h2h.weight.dtype)
        # A one-hot input picks one column of the weight: a table look-up, not a product.
        context, table = self.rnn.weight_ih.split(
            [self.inputs, self.rnn.input_size - self.inputs], 1
        )
        weights = Weights(
            # [W_hh; 2 W_h] together: one product a step for both uses of h.
            torch.cat([self.rnn.weight_hh, 2 * self.h2h.weight]),
            context,
            2 * self.h2h.bias,
            2 * self.score.weight[0],
        )
        return frames, 2 * self.i2h(frames), weights, table.T

    @property
    def _bias(self) -> Tensor:
        return self.rnn.bias_ih + self.rnn.bias_hh


@torch.inference_mode()
def attention_maps(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Read greedily and tell where the head looked: logits, and alpha (B, steps, T).

    model: a recogniser that ends in Attn; put into eval mode here. images: (B, 1, H, W).
    Each row of alpha sums to 1; `steps` are those taken until every image had its [s].
    Raises OcrkitError for a model without attention.
    """
    head = getattr(model, "head", None)
    if not isinstance(head, Attention):
        raise OcrkitError(f"{getattr(model, 'name', 'this model')} has no attention to look at")
    frames: list[Tensor] = []
    hook = head.register_forward_pre_hook(lambda head, inputs: frames.append(inputs[0]))
    try:
        steps = model.eval()(images).shape[1]
    finally:
        hook.remove()
    logits, maps = head.decode_greedy(frames[0], steps)
    return logits, torch.stack(maps, dim=1)
