"""The small attention reader of FAN, MORAN and ASTER: the head of the 24 on few convolutions."""

import torch
from torch import Tensor, nn

from ocrkit.models.features import conv_bn_relu
from ocrkit.models.prediction import Attention, AttentionOutput
from ocrkit.models.recognizer import initialise
from ocrkit.models.sequence import BiLSTM


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
    """Word images (B, 1, 32, W) -> logits: convolutions, a BiLSTM and an `Attention` head.

    classes, output_context: as for `Attention`.
    max_length: characters of the longest label.
    The first `fine_layers` layers of `features` give maps (B, fine_channels, 8, W / 4).
    """

    def __init__(self, classes: int, max_length: int, output_context: bool = False) -> None:
        super().__init__()
        self.max_length = max_length
        fine = [
            *conv_bn_relu(1, 16),
            nn.MaxPool2d(2),
            *conv_bn_relu(16, 32),
            nn.MaxPool2d(2),
            *conv_bn_relu(32, 64),
            *conv_bn_relu(64, 64),
        ]
        coarse = [
            nn.MaxPool2d((2, 1)),
            *conv_bn_relu(64, 128),
            nn.MaxPool2d((2, 1)),
            *conv_bn_relu(128, 128),
        ]
        self.fine_layers, self.fine_channels = len(fine), 64
        self.features = nn.Sequential(*fine, *coarse)
        self.sequence = BiLSTM(128, 96)
        self.head = Attention(96, 96, classes, output_context)
        initialise(self)

    def frames(self, maps: Tensor) -> Tensor:
        """The features' maps (B, C, 2, W / 4) -> the decoder's frames (B, W / 4, hidden)."""
        return self.sequence(maps.mean(dim=2).transpose(1, 2))

    def decode(
        self, images: Tensor, text: Tensor | None = None, pickup: bool = False
    ) -> AttentionOutput:
        """Images (B, 1, 32, W) -> max_length + 1 steps.

        text: as for the head. pickup: mix neighbouring weights at random (`fractional_pickup`).
        """
        frames = self.frames(self.features(images))
        change = {"change": fractional_pickup} if pickup else {}
        return self.head.decode(frames, text, self.max_length + 1, stop=False, **change)

    def forward(self, images: Tensor, text: Tensor | None = None) -> Tensor:
        """Images (B, 1, 32, W) -> logits (B, max_length + 1, classes)."""
        return self.decode(images, text).logits
