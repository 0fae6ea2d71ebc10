"""Prediction by attention: write one character after another, looking where it matters.

Shi et al., "Robust Scene Text Recognition with Automatic Rectification" (CVPR 2016), section 3.2.
(Prediction by CTC is one linear layer; `recognizer.py` makes it.)
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.errors import OcrkitError

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

        `text` (B, >= steps) int64 starts with [GO]: each step is told the true character before it
        (teacher forcing). None: each step is told its own last guess (greedy), and the loop ends
        when every row has said [s]; logits of steps never taken are 0.
        """
        if text is not None and text.shape[1] < steps:
            raise OcrkitError(f"text has {text.shape[1]} ids a row: teacher forcing needs {steps}")
        # The loop is many small products: a cast around each would cost more than it saves.
        with torch.autocast(frames.device.type, enabled=False):
            run = self._Run(self, frames.to(self.h2h.weight.dtype))
            if text is None:
                return run.guess(steps)
            states = run.follow(text[:, :steps])
        return self.generator(states)

    class _Run:
        """One pass over one batch: what every step shares, and the state it hands on."""

        def __init__(self, head: "Attention", frames: Tensor) -> None:
            self.head, self.frames = head, frames
            self.keys = head.i2h(frames)  # W_i H: the same in every step
            weight = head.rnn.weight_ih
            # A one-hot input picks one column of the weight: a table look-up, not a product.
            self.table = weight[:, head.inputs :].T
            self.bias = head.rnn.bias_ih + head.rnn.bias_hh
            # [W_hh; W_h] and [b; b_h] together: one product per step for both uses of h.
            self.state_weight = torch.cat([head.rnn.weight_hh, head.h2h.weight]).T
            self.context_weight = weight[:, : head.inputs].T
            self.h = self.c = frames.new_zeros(len(frames), head.hidden)

        def characters(self, ids: Tensor) -> Tensor:
            """Ids (...) -> their part of the LSTM's four gates (..., 4 * hidden)."""
            return F.embedding(ids, self.table) + self.bias

        def step(self, characters: Tensor) -> Tensor:
            """The gates' part of the previous character (B, 4 * hidden) -> h (B, hidden)."""
            head = self.head
            from_state, query = (self.h @ self.state_weight).split(
                [4 * head.hidden, head.hidden], dim=1
            )
            # e = w . tanh(W_i H + W_h h + b); alpha = softmax over T; context = alpha H
            query = (query + head.h2h.bias).unsqueeze(1)
            e = head.score(torch.tanh(self.keys + query)).transpose(1, 2)
            context = torch.bmm(torch.softmax(e, dim=2), self.frames).squeeze(1)
            gates = torch.addmm(characters + from_state, context, self.context_weight)
            i, f, g, o = gates.chunk(4, dim=1)
            self.c = torch.sigmoid(f) * self.c + torch.sigmoid(i) * torch.tanh(g)
            self.h = torch.sigmoid(o) * torch.tanh(self.c)
            return self.h

        def follow(self, text: Tensor) -> Tensor:
            """Teacher forcing: ids (B, steps) -> states h (B, steps, hidden)."""
            characters = self.characters(text)
            return torch.stack([self.step(row) for row in characters.unbind(1)], dim=1)

        def guess(self, steps: int) -> Tensor:
            """Greedy decoding: logits (B, steps, classes)."""
            batch, classes = len(self.frames), self.head.generator.out_features
            ids = torch.full((batch,), GO, device=self.frames.device)
            said_eos = torch.zeros_like(ids, dtype=torch.bool)
            logits = self.frames.new_zeros(batch, steps, classes)
            for step in range(steps):
                logits[:, step] = self.head.generator(self.step(self.characters(ids)))
                ids = logits[:, step].argmax(dim=1)
                said_eos |= ids == EOS
                if said_eos.all():
                    break
            return logits


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
    scores: list[Tensor] = []
    hook = head.score.register_forward_hook(lambda layer, inputs, e: scores.append(e.squeeze(2)))
    try:
        logits = model.eval()(images)
    finally:
        hook.remove()
    return logits, torch.stack(scores, dim=1).softmax(dim=2)
