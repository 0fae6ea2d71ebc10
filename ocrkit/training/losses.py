"""The two losses: CTC over frames, cross-entropy over attention's steps."""

import torch
import torch.nn.functional as F

from ocrkit.errors import OcrkitError
from ocrkit.labels import AttentionLabels, CTCLabels, fits, frames_needed, label_of
from ocrkit.models.jamo import jamo_charset
from ocrkit.models.prediction import WRITING

Converter = CTCLabels | AttentionLabels


def make_converter(prediction: str, charset: str, max_length: int) -> Converter:
    """The label converter of a prediction stage: "CTC", "Attn", "JamoCTC" or "PARSeq"."""
    if prediction in WRITING:
        return AttentionLabels(charset, max_length)
    return CTCLabels(jamo_charset(charset) if prediction == "JamoCTC" else charset)


def ctc_loss(logits: torch.Tensor, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """CTC loss, each label's divided by its length, mean over the batch (Graves et al., 2006).

    logits: (B, T, classes); taken to float32, for sums of small probabilities need it.
    ids: (B, longest); lengths: (B,). A label that does not fit T frames has loss 0 and no
        gradient (`zero_infinity`): see `check_labels`.
    """
    log_probabilities = logits.float().log_softmax(2).transpose(0, 1)
    frames = torch.full((len(logits),), logits.shape[1], dtype=torch.int64)
    return F.ctc_loss(log_probabilities, ids, frames, lengths, zero_infinity=True)


def attention_loss(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of each step's logits (B, steps, classes) with the next id, padding left out.

    logits: or (B, orders * steps, classes), each order's steps after the other's.
    ids: (B, steps + 1), starting with `[GO]`, which also pads (id 0).
    """
    targets = ids[:, 1:].repeat(1, logits.shape[1] // (ids.shape[1] - 1))
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=0)


def loss_of(logits: torch.Tensor, converter: Converter, texts: list[str]) -> torch.Tensor:
    """The loss of logits that the model made without the texts (for validation)."""
    ids, lengths = converter.encode(texts)
    if isinstance(converter, CTCLabels):
        return ctc_loss(logits, ids.to(logits.device), lengths)
    return attention_loss(logits, ids.to(logits.device))


def training_loss(
    model: torch.nn.Module,
    converter: Converter,
    images: torch.Tensor,
    texts: list[str],
    auxiliary_weight: float = 0.0,
    attention_weight: float = 1.0,
) -> torch.Tensor:
    """One batch's loss; attention is given the true previous characters (teacher forcing).

    auxiliary_weight: of the CTC loss on the frames, where the model has an `auxiliary` head.
        The frames learn to hold characters before the next stage learns to use them (with
        attention: Kim et al., "Joint CTC-attention based end-to-end speech recognition", ICASSP
        2017; below other layers: Lee and Watanabe, "Intermediate loss regularization for
        CTC-based speech recognition", ICASSP 2021).
    attention_weight: of attention's own loss; see `weight_of_part`. A CTC loss needs none.
    """
    ids, lengths = converter.encode(texts)
    ids = ids.to(images.device)
    ctc = isinstance(converter, CTCLabels)
    found = model(images) if ctc else model(images, ids[:, :-1])
    logits, frames, alpha = found if isinstance(found, tuple) else (found, None, None)
    loss = ctc_loss(logits, ids, lengths) if ctc else attention_weight * attention_loss(logits, ids)
    if frames is None:
        return loss
    if ctc:
        return loss + auxiliary_weight * ctc_loss(frames, ids, lengths)
    # Attention's characters begin at id 2, CTC's at 1; [GO] and [s] are left out.
    auxiliary = ctc_loss(frames, (ids[:, 1:] - 1).clamp(min=0), lengths - 1)
    if alpha is not None:
        auxiliary = auxiliary + guided_attention_loss(alpha, lengths)
    return loss + auxiliary_weight * auxiliary


def guided_attention_loss(alpha: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """How far attention strays from reading evenly from left to right: 0 on the diagonal, below 1.

    Step n of N should look at about n/N of the way along the T frames; what lies d (of the line)
    away counts 1 - exp(-d^2 / (2 0.1^2)). Tachibana et al., "Efficiently trainable text-to-speech
    system based on deep convolutional networks with guided attention" (ICASSP 2018), section 4.1.

    alpha: attention of each step over the frames, (B, steps, T); rows sum to 1.
    lengths: steps of each label with its end, (B,), each at least 1; later steps do not count.
    """
    steps, frames = alpha.shape[1:]
    lengths = lengths.to(alpha.device)[:, None]
    step = torch.arange(steps, device=alpha.device)
    # [s], the last step, may look anywhere: there is no ink that means the end.
    counts = step < lengths - 1
    along = (step + 0.5) / (lengths - 1).clamp(min=1)
    frame = (torch.arange(frames, device=alpha.device) + 0.5) / frames
    stray = 1 - torch.exp(-((along[:, :, None] - frame) ** 2) / (2 * 0.1**2))
    each = (alpha * stray).sum(2) * counts
    return (each.sum(1) / (lengths[:, 0] - 1).clamp(min=1)).mean()


def weight_of_part(converter: Converter, mine: list[str], whole: list[str]) -> float:
    """The factor of a process's own loss that makes the mean over processes the whole batch's.

    CTC's loss is a mean over labels, of which every process has as many: 1. Attention's is a mean
    over characters and ends: whoever has longer labels must count for more.
    mine, whole: texts of this process and of all, of which every process has as many.
    """
    if isinstance(converter, CTCLabels):
        return 1.0
    steps = [sum(len(label_of(text)) + 1 for text in texts) for texts in (mine, whole)]
    return (steps[0] / len(mine)) / (steps[1] / len(whole))


def can_say(converter: Converter, text: str, frames: int) -> bool:
    """Can a model say this text at all: in so many CTC frames, or within attention's length?"""
    label = label_of(text)
    if isinstance(converter, CTCLabels):
        return fits(label, frames)
    return len(label) <= converter.max_length


def check_labels(
    converter: Converter, texts: list[str], frames: int, limit: float
) -> tuple[float, str]:
    """The share of labels that a model cannot say, and a sentence about it.

    For CTC a label must fit the frames; for attention it must not exceed the maximum length.
    Raises OcrkitError: the share is over `limit` (0 to 1).
    """
    labels = [label_of(text) for text in texts]
    share = sum(not can_say(converter, text, frames) for text in texts) / max(len(texts), 1)
    if isinstance(converter, CTCLabels):
        longest = max(map(frames_needed, labels), default=0)
        reason = f"need up to {longest} CTC frames, and the model has {frames}"
        advice = f"use wider images or shorter labels, or raise --unfit-limit ({limit})"
    else:
        longest = max(map(len, labels), default=0)
        reason = f"have up to {longest} characters, and max_length is {converter.max_length}"
        advice = "raise max_length"
        limit = 0.0  # an overlong label cannot even be encoded
    message = f"{100 * share:.1f} % of the labels do not fit: they {reason}"
    if share > limit:
        raise OcrkitError(f"{message}; {advice}")
    return share, message
