"""The attention decoder of FAN, MORAN, ASTER and TextSpotter, and a small reader around it.

Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate"
(ICLR 2015); on images Shi et al. (CVPR 2016), section 3.2. Unlike the head of the 24 models
(`ocrkit.models.prediction`) it lets gradients flow through its attention weights.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.models.features import conv_bn_relu
from ocrkit.models.prediction import GO
from ocrkit.models.recognizer import initialise
from ocrkit.models.sequence import BiLSTM


class AttentionOutput(NamedTuple):
    """What a decoder gives for each step.

    Attributes:
        logits: (B, steps, classes).
        alpha: (B, steps, T) attention weights; each row sums to 1.
        states: (B, steps, hidden) the LSTM's state after each step.
    """

    logits: Tensor
    alpha: Tensor
    states: Tensor


class AttentionDecoder(nn.Module):
    """Frames H (B, T, inputs) -> one character a step.

    Args:
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

    def forward(
        self, frames: Tensor, text: Tensor | None, steps: int, pickup: bool = False
    ) -> AttentionOutput:
        """Decode `steps` characters; [s] counts as one, and decoding goes on behind it.

        Args:
            frames: (B, T, inputs).
            text: (B, >= steps) int64 from [GO] on: the true character before each step (teacher
                forcing). None: the step's own last answer (greedy).
            pickup: mix neighbouring weights at random (`fractional_pickup`).
        """
        # The steps are small products: a cast around each would cost more than it saves.
        with torch.autocast(frames.device.type, enabled=False):
            frames = frames.to(self.h2h.weight.dtype)
            keys = self.i2h(frames)
            h = c = frames.new_zeros(len(frames), self.hidden)
            ids = torch.full((len(frames),), GO, device=frames.device)
            outputs = []
            for step in range(steps):
                ids = ids if text is None else text[:, step]
                # e = w . tanh(W_i H + W_h h + b); alpha = softmax over T
                e = self.score(torch.tanh(keys + self.h2h(h)[:, None])).squeeze(2)
                alpha = e.softmax(dim=1)
                if pickup:
                    alpha = fractional_pickup(alpha)
                logits, h, c = self.attention_step(frames, alpha, ids, h, c)
                ids = logits.argmax(dim=1)
                outputs.append((logits, alpha, h))
            return AttentionOutput(*(torch.stack(o, dim=1) for o in zip(*outputs, strict=True)))

    def attention_step(
        self, frames: Tensor, alpha: Tensor, ids: Tensor, h: Tensor, c: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One character from weights alpha (B, T): logits (B, classes) and the LSTM's next h, c.

        Args:
            ids: (B,) the characters before; h, c: (B, hidden).
        """
        # g = sum over T of alpha H; s = LSTM([g; previous character], s)
        context = torch.bmm(alpha[:, None], frames).squeeze(1)
        previous = F.one_hot(ids, self.classes).to(frames.dtype)
        h, c = self.rnn(torch.cat([context, previous], dim=1), (h, c))
        logits = self.generator(h)
        if self.output_context is not None:
            logits = logits + self.output_context(context)
        return logits, h, c


def fractional_pickup(alpha: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Mix two neighbouring attention weights of each row in a random ratio: (B, T) -> (B, T).

    Luo, Jin and Sun (MORAN, Pattern Recognition, 2019). A row's sum does not change.
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


class AttentionReader(nn.Module):
    """Word images (B, 1, 32, W) -> logits: convolutions, a BiLSTM and an `AttentionDecoder`.

    Args:
        classes, output_context: as for `AttentionDecoder`.
        max_length: characters of the longest label.
        channels: of the convolutions at strides 2, 4, 8 (down alone) and 16.
        hidden: size of the BiLSTM's and the decoder's states.

    Attributes:
        features: the convolutions; the first `fine_layers` give maps (B, fine_channels, 8, W / 4).
    """

    def __init__(
        self,
        classes: int,
        max_length: int,
        channels: tuple[int, int, int, int] = (16, 32, 64, 128),
        hidden: int = 96,
        output_context: bool = False,
    ) -> None:
        super().__init__()
        self.max_length = max_length
        c1, c2, c3, c4 = channels
        fine = [
            *conv_bn_relu(1, c1),
            nn.MaxPool2d(2),
            *conv_bn_relu(c1, c2),
            nn.MaxPool2d(2),
            *conv_bn_relu(c2, c3),
            *conv_bn_relu(c3, c3),
        ]
        coarse = [
            nn.MaxPool2d((2, 1)),
            *conv_bn_relu(c3, c4),
            nn.MaxPool2d((2, 1)),
            *conv_bn_relu(c4, c4),
        ]
        self.fine_layers, self.fine_channels = len(fine), c3
        self.features = nn.Sequential(*fine, *coarse)
        self.sequence = BiLSTM(c4, hidden)
        self.head = AttentionDecoder(hidden, hidden, classes, output_context)
        initialise(self)

    def frames(self, maps: Tensor) -> Tensor:
        """The features' maps (B, C, 2, W / 4) -> the decoder's frames (B, W / 4, hidden)."""
        return self.sequence(maps.mean(dim=2).transpose(1, 2))

    def decode(
        self, images: Tensor, text: Tensor | None = None, pickup: bool = False
    ) -> AttentionOutput:
        """Images (B, 1, 32, W) -> max_length + 1 steps; text and pickup as for the decoder."""
        frames = self.frames(self.features(images))
        return self.head(frames, text, self.max_length + 1, pickup)

    def forward(self, images: Tensor, text: Tensor | None = None) -> Tensor:
        """Images (B, 1, 32, W) -> logits (B, max_length + 1, classes)."""
        return self.decode(images, text).logits
