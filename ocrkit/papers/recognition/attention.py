"""An attention decoder that tells where it looked, with gradients, and a small reader around it."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.data.cache import Pixels
from ocrkit.models.features import conv_bn_relu
from ocrkit.models.prediction import GO, Attention
from ocrkit.models.recognizer import initialise
from ocrkit.models.sequence import BiLSTM
from ocrkit.papers.shared.scene_sets import WordSet


class Looks(NamedTuple):
    """What the decoder said, where it looked, and what it knew, step by step.

    Attributes:
        logits: (B, steps, classes).
        alpha: (B, steps, T) attention weights; each row sums to 1.
        states: (B, steps, hidden) the decoder's state after each step.
    """

    logits: Tensor
    alpha: Tensor
    states: Tensor


class Decoder(Attention):
    """The library's attention head, with a second way through it that keeps the weights.

    `look` gives the same logits as `forward`.

    Args:
        glance: let the logits see the context itself, beside the LSTM's state:
            y_t = Generate(s_t, g_t), as Chorowski et al. (NeurIPS 2015) and most of the papers
            write it. The library's head, of 2019, leaves the context out. What a glyph looks like
            then has to pass the LSTM's gates, and is learnt several times later.
    """

    def __init__(self, inputs: int, hidden: int, classes: int, glance: bool = False) -> None:
        super().__init__(inputs, hidden, classes)
        self.glance = nn.Linear(inputs, classes, bias=False) if glance else None

    def forward(self, frames: Tensor, text: Tensor | None, steps: int) -> Tensor:
        """As the library's head."""
        if self.glance is None:
            return super().forward(frames, text, steps)
        return self.look(frames, text, steps).logits

    def guess(self, frames: Tensor, steps: int) -> tuple[Tensor, list[Tensor]]:
        """As the library's head, but that all steps are taken."""
        if self.glance is None:
            return super().guess(frames, steps)
        looks = self.look(frames, None, steps)
        return looks.logits, list(looks.alpha.unbind(1))

    def look(self, frames: Tensor, text: Tensor | None, steps: int, pickup: bool = False) -> Looks:
        """Frames (B, T, inputs) -> `Looks`, all of it differentiable.

        Args:
            text: (B, >= steps) int64 from [GO] on, the true characters (teacher forcing); None:
                each step is told its own last guess.
            pickup: mix neighbouring weights at random (`fractional_pickup`).
        """
        # The steps are small products: a cast around each would cost more than it saves.
        with torch.autocast(frames.device.type, enabled=False):
            frames = frames.to(self.h2h.weight.dtype)
            keys = self.i2h(frames)
            h = c = frames.new_zeros(len(frames), self.hidden)
            ids = torch.full((len(frames),), GO, device=frames.device)
            kept = []
            for step in range(steps):
                ids = ids if text is None else text[:, step]
                # e = w . tanh(W_i H + W_h h + b); alpha = softmax over T
                e = self.score(torch.tanh(keys + self.h2h(h)[:, None])).squeeze(2)
                alpha = e.softmax(dim=1)
                if pickup:
                    alpha = fractional_pickup(alpha)
                # context = sum over T of alpha H; h = LSTM([context; previous character], h)
                context = torch.bmm(alpha[:, None], frames).squeeze(1)
                before = F.one_hot(ids, self.generator.out_features).to(frames.dtype)
                h, c = self.rnn(torch.cat([context, before], dim=1), (h, c))
                logits = self.generator(h)
                if self.glance is not None:
                    logits = logits + self.glance(context)
                ids = logits.argmax(dim=1)
                kept.append((logits, alpha, h))
            return Looks(*(torch.stack(rows, dim=1) for rows in zip(*kept, strict=True)))


def fractional_pickup(alpha: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Mix two neighbouring attention weights of each row in a random ratio: (B, T) -> (B, T).

    Luo, Jin and Sun (MORAN, Pattern Recognition, 2019). The decoder must then read from
    blurred looks, and becomes less sure that one column tells all. A row's sum does not change.
    """
    rows, frames = alpha.shape
    device = alpha.device
    k = torch.randint(frames - 1, (rows, 1), generator=generator, device=device)
    beta = torch.rand(rows, 1, generator=generator, device=device, dtype=alpha.dtype)
    left, right = alpha.gather(1, k), alpha.gather(1, k + 1)
    # alpha'_k     = beta alpha_k + (1 - beta) alpha_(k+1)
    # alpha'_(k+1) = (1 - beta) alpha_k + beta alpha_(k+1)
    change = (1 - beta) * (right - left)
    return alpha.scatter_add(1, k, change).scatter_add(1, k + 1, -change)


class Reader(nn.Module):
    """A small reader: convolutions, a BiLSTM and a `Decoder`; start weights drawn.

    The papers' are deeper (ResNet, or a residual net); the norm after every convolution is theirs,
    and spares half of the steps that VGG without them needs.

    Args:
        classes: characters + 2, as `ocrkit.labels.AttentionLabels` counts.
        max_length: characters of the longest label.
        channels: of the convolutions at strides 2, 4, 8 (down alone) and 16.
        hidden: size of the BiLSTM's and the decoder's states.
        glance: as for `Decoder`.
    """

    def __init__(
        self,
        classes: int,
        max_length: int,
        channels: tuple[int, int, int, int] = (16, 32, 64, 128),
        hidden: int = 96,
        glance: bool = False,
    ) -> None:
        super().__init__()
        self.max_length = max_length
        c1, c2, c3, c4 = channels
        self.features = nn.Sequential(
            *conv_bn_relu(1, c1),
            nn.MaxPool2d(2),
            *conv_bn_relu(c1, c2),
            nn.MaxPool2d(2),
            *conv_bn_relu(c2, c3),
            *conv_bn_relu(c3, c3),
            nn.MaxPool2d((2, 1)),
            *conv_bn_relu(c3, c4),
            nn.MaxPool2d((2, 1)),
            *conv_bn_relu(c4, c4),
        )
        self.sequence = BiLSTM(c4, hidden)
        self.head = Decoder(hidden, hidden, classes, glance)
        initialise(self)

    def frames(self, maps: Tensor) -> Tensor:
        """The features' maps (B, C, 2, W / 4) -> the decoder's frames (B, W / 4, hidden)."""
        return self.sequence(maps.mean(dim=2).transpose(1, 2))

    def forward(self, images: Tensor, text: Tensor | None = None) -> Tensor:
        """Images (B, 1, 32, W) -> logits (B, max_length + 1, classes), as `Recognizer.forward`."""
        return self.head(self.frames(self.features(images)), text, self.max_length + 1)


def as_pixels(words: WordSet) -> Pixels:
    """Word images as the library's training and reading take them."""
    return Pixels(words.images, list(words.texts), [])
