"""Sequence modelling: let every frame know its neighbours, left and right.

The paper's BiLSTM, and what has come since, in its place and with about as many weights: by
self-attention every frame asks all others, or those beside it.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HEAD = 32  # channels of a head, as in SVTR
WINDOW = 7  # frames of a local look; in the presets a syllable takes about four


class BiLSTM(nn.Module):
    """An LSTM each way, then a projection: (B, T, inputs) -> (B, T, hidden).

    Graves et al., "Speech Recognition with Deep Recurrent Neural Networks" (ICASSP 2013).
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(inputs, hidden, bidirectional=True, batch_first=True)
        self.linear = nn.Linear(2 * hidden, hidden)

    def forward(self, frames: Tensor) -> Tensor:
        both_ways, _ = self.rnn(frames)
        return self.linear(both_ways)


def bilstm(inputs: int, hidden: int) -> nn.Sequential:
    """The two blocks of the framework: (B, T, inputs) -> (B, T, hidden)."""
    return nn.Sequential(BiLSTM(inputs, hidden), BiLSTM(hidden, hidden))


def positions(frames: int, channels: int) -> Tensor:
    """Where each frame stands, as sines and cosines of falling pitch: (frames, channels).

    Vaswani et al., "Attention Is All You Need" (NIPS 2017), section 3.5. Nothing is learnt, so a
    model of any image width has the same weights.
    """
    half = math.ceil(channels / 2)
    pitch = torch.exp(torch.arange(half) * (-math.log(10_000) / half))
    angle = torch.arange(frames)[:, None] * pitch
    return torch.cat([angle.sin(), angle.cos()], dim=1)[:, :channels]


def attend(
    query: Tensor, key: Tensor, value: Tensor, heads: int, seen: Tensor | None = None
) -> Tensor:
    """softmax(q k^T / sqrt(d)) v in heads: (B, Q, inner) and twice (B, N, inner) -> (B, Q, inner).

    seen: (Q, N) or (B, 1, Q, N) bool, who may look at whom; None: all at all.
    """
    # (B, N, inner) -> (B, heads, N, channels of a head)
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    return mixed.transpose(1, 2).flatten(2)


class MixingBlock(nn.Module):
    """x + attention(x), then x + feed-forward(x), each on normed input: (B, T, channels) -> same.

    Norms come first (Xiong et al., "On Layer Normalization in the Transformer Architecture", ICML
    2020): such blocks learn without a long warm-up.

    ratio: width of the feed-forward layer in channels.
    window: frames that a frame looks at, itself in the middle; None is all (global mixing).
    """

    def __init__(self, channels: int, ratio: int, window: int | None = None) -> None:
        super().__init__()
        self.heads, self.window = max(1, round(channels / HEAD)), window
        inner = channels // self.heads * self.heads
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        # Three layers and not one: Muon makes each matrix orthogonal by itself.
        self.query, self.key, self.value = (nn.Linear(channels, inner) for _ in range(3))
        self.out = nn.Linear(inner, channels)
        self.wide = nn.Linear(channels, ratio * channels)
        self.narrow = nn.Linear(ratio * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        mask = None
        if self.window is not None:
            t = torch.arange(x.shape[1], device=x.device)
            mask = (t[:, None] - t).abs() <= self.window // 2
        normed = self.norm1(x)
        query, key, value = self.query(normed), self.key(normed), self.value(normed)
        x = x + self.out(attend(query, key, value, self.heads, mask))
        return x + self.narrow(F.gelu(self.wide(self.norm2(x))))


class Mixing(nn.Module):
    """A projection, positions and blocks: (B, T, inputs) -> (B, T, hidden)."""

    def __init__(self, inputs: int, hidden: int, ratio: int, windows: list[int | None]) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, hidden)
        self.blocks = nn.Sequential(*(MixingBlock(hidden, ratio, window) for window in windows))
        self.norm = nn.LayerNorm(hidden)

    def forward(self, frames: Tensor) -> Tensor:
        x = self.project(frames)
        return self.norm(self.blocks(x + positions(x.shape[1], x.shape[2]).to(x)))


def transformer(inputs: int, hidden: int) -> Mixing:
    """A small encoder (Vaswani et al., 2017): three blocks in which every frame sees all.

    The feed-forward layers are five times as wide and not four: so it has as many weights as the
    BiLSTM (183,104 and 182,400 at a quarter of the width).
    """
    return Mixing(inputs, hidden, 5, [None] * 3)


def svtr(inputs: int, hidden: int) -> Mixing:
    """Strokes first, then the line: two blocks of local and two of global mixing.

    Du et al., "SVTR: Scene Text Recognition with a Single Visual Model" (IJCAI 2022), section 3.3.
    There the blocks are the whole reader and work on patches of the image; here they come after an
    extractor and work on its frames. 175,296 weights at a quarter of the width.
    """
    return Mixing(inputs, hidden, 3, [WINDOW, WINDOW, None, None])


# By name: (inputs, hidden) -> a module from (B, T, inputs) to (B, T, hidden).
SEQUENCES: dict[str, Callable[[int, int], nn.Module]] = {
    "BiLSTM": bilstm,
    "Transformer": transformer,
    "SVTR": svtr,
}
