"""Prediction by attention: write one character after another, looking where it matters.

Shi et al., "Robust Scene Text Recognition with Automatic Rectification" (CVPR 2016), section 3.2.
(Prediction by CTC is one linear layer; `recognizer.py` makes it.)
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.errors import OcrkitError

GO, EOS = 0, 1  # ids of [GO] and [s], as in ocrkit.labels.AttentionLabels
WRITING = ("Attn", "PARSeq")  # heads that write step by step, with these; the others are CTC's


class AttentionOutput(NamedTuple):
    """What a decoder gives for each step."""

    logits: Tensor  # (B, steps, classes); 0 for steps never taken
    alpha: Tensor  # (B, steps taken, T) attention weights; each row sums to 1
    states: Tensor  # (B, steps taken, hidden) the LSTM's state after each step


class Attention(nn.Module):
    """Attention decoder: frames H (B, T, inputs) -> logits (B, steps, classes).

    Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly Learning to Align and
    Translate" (ICLR 2015).

    inputs, hidden: channels of the frames, and of the LSTM's state.
    classes: characters + 2, as `ocrkit.labels.AttentionLabels` counts.
    output_context: logits from the state and the context, y_t = Generate(s_t, g_t), as
        Chorowski et al. (NeurIPS 2015) write it; else from the state alone, which learns later.
    """

    def __init__(
        self, inputs: int, hidden: int, classes: int, output_context: bool = False
    ) -> None:
        super().__init__()
        self.inputs, self.hidden, self.classes = inputs, hidden, classes
        self.i2h = nn.Linear(inputs, hidden, bias=False)
        self.h2h = nn.Linear(hidden, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.rnn = nn.LSTMCell(inputs + classes, hidden)
        self.generator = nn.Linear(hidden, classes)
        self.output_context = nn.Linear(inputs, classes, bias=False) if output_context else None

    def forward(self, frames: Tensor, text: Tensor | None, steps: int) -> Tensor:
        """Logits (B, steps, classes), as `decode` gives them."""
        return self.decode(frames, text, steps).logits

    def decode(
        self,
        frames: Tensor,
        text: Tensor | None,
        steps: int,
        stop: bool = True,
        change: Callable[[Tensor], Tensor] = lambda alpha: alpha,
    ) -> AttentionOutput:
        """Write `steps` characters ([s] counts as one).

        frames: (B, T, inputs).
        text: (B, >= steps) int64 from [GO] on: each step is given the true character before it
            (teacher forcing). None: each step is given its own last output (greedy).
        stop: a greedy loop ends when every row has said [s].
        change: what becomes of each step's weights (B, T).
        Raises OcrkitError: `text` holds fewer than `steps` ids a row.
        """
        if text is not None and text.shape[1] < steps:
            raise OcrkitError(f"text has {text.shape[1]} ids a row: teacher forcing needs {steps}")
        outputs: list[Tensor] = []
        maps: list[Tensor] = []
        states: list[Tensor] = []
        # The loop is many small products: a cast around each would cost more than it saves.
        with torch.autocast(frames.device.type, enabled=False):
            frames = frames.to(self.h2h.weight.dtype)
            keys = self.i2h(frames)  # every step shares them
            batch = frames.shape[0]  # len() would fix it in an ONNX file
            h = c = frames.new_zeros(batch, self.hidden)
            ids = torch.full((batch,), GO, dtype=torch.long, device=frames.device)
            said_eos = torch.zeros_like(ids, dtype=torch.bool)
            for step in range(steps):
                ids = ids if text is None else text[:, step]
                # e = w . tanh(W_i H + W_h h + b); alpha = softmax(e) over T
                e = self.score(torch.tanh(keys + self.h2h(h).unsqueeze(1))).squeeze(2)
                alpha = change(torch.softmax(e, dim=1))
                # g = alpha H; (h, c) = LSTM([g; the character before], (h, c))
                context = torch.bmm(alpha.unsqueeze(1), frames).squeeze(1)
                character = F.one_hot(ids, self.classes).to(frames.dtype)
                h, c = self.rnn(torch.cat([context, character], dim=1), (h, c))
                maps.append(alpha)
                states.append(h)
                if text is not None:
                    continue
                outputs.append(self._generate(h, context))
                ids = outputs[-1].argmax(dim=1)
                said_eos |= ids == EOS
                # An ONNX file holds the steps one after another and cannot stop between them.
                if stop and not torch.onnx.is_in_onnx_export() and said_eos.all():
                    break
        looked, said = torch.stack(maps, dim=1), torch.stack(states, dim=1)
        if text is None:
            logits = F.pad(torch.stack(outputs, dim=1), (0, 0, 0, steps - len(outputs)))
        else:  # all at once: the weights' gradients are one product
            logits = self._generate(said, torch.bmm(looked, frames))
        return AttentionOutput(logits, looked, said)

    def _generate(self, states: Tensor, contexts: Tensor) -> Tensor:
        logits = self.generator(states)
        return logits if self.output_context is None else logits + self.output_context(contexts)


def greedy_score(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Log probability of a greedy reading, and its length: (B, steps, classes) -> (B,) and (B,)."""
    # score = sum over t of log p(y_t), up to and including [s]
    best, ids = logits.log_softmax(dim=2).max(dim=2)
    ends = (ids == EOS).cumsum(dim=1)
    after = ends - (ids == EOS).long() > 0
    return best.masked_fill(after, 0.0).sum(dim=1), (ends == 0).sum(dim=1)


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
    return head.decode(frames[0], None, steps)[:2]
