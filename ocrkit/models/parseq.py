"""Prediction in any order: a decoder that learns to write a text from left to right and otherwise.

Bautista and Atienza, "Scene Text Recognition with Permuted Autoregressive Sequence Models" (ECCV
2022). Trained on many orders, one layer can write character after character, and can then look at
each again in the light of all others. There the frames are of a vision transformer; here of any
extractor.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.models.prediction import EOS, GO
from ocrkit.models.sequence import HEAD, attend, positions

ORDERS = 6  # of a training step, as in the paper (K, section 4.3)


class Attend(nn.Module):
    """Attention of some vectors to others."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(1, round(channels / HEAD))
        inner = channels // self.heads * self.heads
        # Three layers and not one: Muon makes each matrix orthogonal by itself.
        self.query, self.key, self.value = (nn.Linear(channels, inner) for _ in range(3))
        self.out = nn.Linear(inner, channels)

    def offer(self, others: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values, each (B, N, inner), of those that may be looked at, (B, N, channels)."""
        return self.key(others), self.value(others)

    def forward(
        self, askers: Tensor, offered: tuple[Tensor, Tensor], seen: Tensor | None = None
    ) -> Tensor:
        """(B, Q, channels) -> same; `seen` (B, Q, N) bool says who may look at whom, None: all."""
        mask = None if seen is None else seen.unsqueeze(1)
        return self.out(attend(self.query(askers), *offered, self.heads, mask))


class PARSeq(nn.Module):
    """Frames (B, T, inputs) -> logits; one decoder layer, whose queries are the places of a text.

    inputs, hidden: channels of the frames, and of the decoder.
    classes: characters + 2, as `ocrkit.labels.AttentionLabels` counts.
    steps: places of the longest text with its [s].
    """

    def __init__(self, inputs: int, hidden: int, classes: int, steps: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.project = nn.Linear(inputs, hidden)
        self.characters = nn.Embedding(classes, hidden)
        self.places = nn.Parameter(torch.randn(steps, hidden) / math.sqrt(hidden))
        normed = ("frames", "text", "read", "look", "wide", "generator")  # or what takes it
        self.norms = nn.ModuleDict({name: nn.LayerNorm(hidden) for name in normed})
        self.read, self.look = Attend(hidden), Attend(hidden)
        self.wide, self.narrow = nn.Linear(hidden, 4 * hidden), nn.Linear(4 * hidden, hidden)
        self.generator = nn.Linear(hidden, classes)

    def forward(self, frames: Tensor, text: Tensor | None, steps: int) -> Tensor:
        """Logits (B, steps, classes); step i is about character i, counted from 0.

        text: (B, >= steps) int64 from [GO] on. In training the logits are those of all orders, one
            after another: (B, orders * steps, classes). Else those from left to right.
        None: write greedily, then look at each again. Steps after [s] mean nothing.
        """
        offered, places = self._offer_frames(frames), self.places[:steps]
        if text is not None:
            text = text[:, :steps]
            ranks = draw_ranks(steps - 1) if self.training else torch.arange(steps - 1)[None]
            seen = seen_in_order(text, ranks.to(text.device))
            return self._answer(offered, places.repeat(len(ranks), 1), text, seen)
        text = _written(self._write(offered, frames.shape[0], steps))
        return self._answer(offered, places, text, all_but_itself(text))

    def _offer_frames(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        memory = self.project(frames)
        memory = memory + positions(memory.shape[1], memory.shape[2]).to(memory)
        return self.look.offer(self.norms["frames"](memory))

    def _answer(
        self, offered: tuple[Tensor, Tensor], places: Tensor, text: Tensor, seen: Tensor
    ) -> Tensor:
        """Logits (B, Q, classes) of some places.

        offered: of the frames, which all places see.
        places: (Q, hidden).
        text: (B, N), of which each place sees what `seen` (B, Q, N) says.
        """
        norms, x = self.norms, places.expand(text.shape[0], -1, -1)
        # A character knows its place; [GO] has none.
        known = self.characters(text) + F.pad(self.places[: text.shape[1] - 1], (0, 0, 1, 0))
        x = x + self.read(norms["read"](x), self.read.offer(norms["text"](known)), seen)
        x = x + self.look(norms["look"](x), offered)
        x = x + self.narrow(F.gelu(self.wide(norms["wide"](x))))
        return self.generator(norms["generator"](x))

    def _write(self, offered: tuple[Tensor, Tensor], batch: int, steps: int) -> Tensor:
        """Greedily from left to right; each place sees those before it. Ends when all said [s]."""
        ids = torch.full((batch, 1), GO, dtype=torch.long, device=offered[0].device)
        said_eos = torch.zeros_like(ids, dtype=torch.bool)
        outputs: list[Tensor] = []
        for step in range(steps):
            seen = torch.ones_like(ids, dtype=torch.bool).unsqueeze(1)
            outputs.append(self._answer(offered, self.places[step : step + 1], ids, seen))
            latest = outputs[-1].argmax(dim=2)
            ids, said_eos = torch.cat([ids, latest], dim=1), said_eos | (latest == EOS)
            # An ONNX file holds the steps one after another and cannot stop between them.
            if not torch.onnx.is_in_onnx_export() and said_eos.all():
                break
        return F.pad(torch.cat(outputs, dim=1), (0, 0, 0, steps - len(outputs)))


def draw_ranks(length: int) -> Tensor:
    """When each of `length` characters is written, in each of some orders: (orders, length).

    From left to right, from right to left, then others at random, each with its mirror image; never
    more than there are (section 3.2).
    """
    orders = min(ORDERS, max(2, math.factorial(min(length, ORDERS))))
    ranks = [torch.arange(length), *(torch.randperm(length) for _ in range(orders // 2 - 1))]
    return torch.stack([torch.stack([rank, length - 1 - rank]) for rank in ranks]).flatten(0, 1)


def seen_in_order(text: Tensor, ranks: Tensor) -> Tensor:
    """Which characters of a text each place may see: (B, orders * N, N) bool.

    text: (B, N), [GO], characters (ids above [s]), then [s] and padding, which nobody sees.
    ranks: (orders, N - 1), as of `draw_ranks`.

    Each place sees [GO] and the characters that are written before its own. [s] is written last and
    sees them all. In the second order it is written first and sees none, so it is also learnt from
    the image alone. (The paper leaves [s] out of the loss of the third order and later ones. Here
    they teach it as the first does.)
    """
    orders, length = ranks.shape
    is_character = text[:, 1:] > EOS
    when = ranks[:, None].expand(orders, len(text), length)
    end = when.new_full((orders, len(text), 1), length)
    end[1:2] = -1
    # Place i is about character i, which stands at i + 1, after [GO]; the last can only be [s].
    asked = torch.cat([torch.where(is_character, when, end), end], dim=2)
    before = (when[:, :, None] < asked[..., None]) & is_character[None, :, None]
    return F.pad(before, (1, 0), value=True).transpose(0, 1).flatten(1, 2)


def all_but_itself(text: Tensor) -> Tensor:
    """Which characters each place may see when a text is looked at again: (B, N, N) bool.

    All that stand before the first [s], but not the character that the place is about (the cloze
    mask of section 3.3).
    """
    at = torch.arange(text.shape[1], device=text.device)
    return ((at == 0) | (text > EOS)).unsqueeze(1) & (at != at[:, None] + 1)


def _written(logits: Tensor) -> Tensor:
    """[GO], then what was written (B, N); 0 from the first [s] on."""
    ids = F.pad(logits.argmax(dim=2)[:, :-1], (1, 0), value=GO)
    ended = (ids == EOS).long().cumsum(dim=1) > 0
    return ids.masked_fill(ended, GO)
