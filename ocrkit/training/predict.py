"""Reading: pixels in, texts out."""

from dataclasses import dataclass

import numpy as np
import torch

from ocrkit.data.cache import to_input
from ocrkit.errors import OcrkitError
from ocrkit.labels import CTCLabels
from ocrkit.models.prediction import greedy_score
from ocrkit.training.losses import Converter, can_say, loss_of


@dataclass(frozen=True)
class Readings:
    """texts: one a picture; confidence: 0 to 1 each; loss: see `read_all`."""

    texts: list[str]
    confidence: list[float]
    loss: float


def _log_probability(logits: torch.Tensor, converter: Converter) -> torch.Tensor:
    """Of the chosen classes, (B, T, classes) to (B,): CTC's in all frames, else up to `[s]`."""
    if isinstance(converter, CTCLabels):
        return logits.float().log_softmax(2).amax(2).sum(1)
    return greedy_score(logits.float())[0]


@torch.inference_mode()
def read_all(
    model: torch.nn.Module,
    converter: Converter,
    pixels: np.ndarray,
    truth: list[str] | None = None,
    batch_size: int = 100,
) -> Readings:
    """Read every image, greedily.

    model: a recogniser; put into eval mode here.
    pixels: (N, H, W) uint8.
    truth: their N texts, where a loss is wanted: the mean over the labels that the model can
        say at all. NaN where there are none.
    Raises OcrkitError: the model's numbers became NaN or infinite, which would read as an empty
    text.
    """
    model.eval()
    device = next(model.parameters()).device
    texts: list[str] = []
    confidence: list[float] = []
    losses, sayable = [], 0
    for start in range(0, len(pixels), batch_size):
        images = to_input(np.array(pixels[start : start + batch_size])).to(device)
        logits = model(images)
        if not torch.isfinite(logits).all():
            raise OcrkitError("the model says NaN or infinite numbers: use precision fp32")
        texts += converter.decode(logits.argmax(2).cpu())
        confidence += _log_probability(logits, converter).exp().tolist()
        if truth is not None:
            part = truth[start : start + batch_size]
            # CTC's loss of a label that cannot be said is infinite, and comes back as 0.
            losses.append(len(part) * loss_of(logits, converter, part).item())
            sayable += sum(can_say(converter, text, logits.shape[1]) for text in part)
    loss = sum(losses) / sayable if sayable else float("nan")
    return Readings(texts, confidence, loss)
