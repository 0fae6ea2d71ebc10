"""CTC by hand: forward-backward, the loss and its gradient, and three ways to read the frames.

Graves, Fernandez, Gomez and Schmidhuber, "Connectionist Temporal Classification" (ICML 2006).
Throughout, T frames, K classes, class 0 the blank, and log y (T, K) the logarithms of the frames'
probabilities. Everything is for one image, so that the equations can be seen; what trains is
torch's `ctc_loss`, which gives the same numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ocrkit.errors import OcrkitError

BLANK = 0


def collapse(path: Sequence[int]) -> list[int]:
    """The paper's many-to-one rule B: equal neighbours become one, then blanks go."""
    return [k for k, _ in groupby(path) if k != BLANK]


def extend(label: Sequence[int]) -> Tensor:
    """The label l (U ids) with a blank between, before and behind its ids: l' (2U + 1,)."""
    states = torch.full((2 * len(label) + 1,), BLANK)
    states[1::2] = torch.tensor(label, dtype=torch.int64)
    return states


def forward_scores(log_y: Tensor, states: Tensor) -> Tensor:
    """log alpha (T, S): all ways to be in state s of l' at frame t, from the start.

    alpha_t(s) holds the frames 1 to t, t included.
    """
    skip = _may_skip(states)
    alpha = torch.full((len(log_y), len(states)), -torch.inf, dtype=log_y.dtype)
    # alpha_1(1) = y_1(blank), alpha_1(2) = y_1(l_1): a path starts with a blank or a character
    alpha[0, :2] = log_y[0, states[:2]]
    for t in range(1, len(log_y)):
        last = alpha[t - 1]
        # alpha_t(s) = [alpha_t-1(s) + alpha_t-1(s - 1) + alpha_t-1(s - 2) if allowed] y_t(l'_s)
        leap = _shifted(last, 2).masked_fill(~skip, -torch.inf)
        ways = torch.stack([last, _shifted(last, 1), leap])
        alpha[t] = ways.logsumexp(0) + log_y[t, states]
    return alpha


def backward_scores(log_y: Tensor, states: Tensor) -> Tensor:
    """log beta (T, S): all ways from state s at frame t to the end.

    beta_t(s) holds the frames t + 1 to T: without frame t, as in Graves's book (2012).
    The paper's own holds it, and then has to divide by it.
    """
    skip = _may_skip(states)
    beta = torch.full((len(log_y), len(states)), -torch.inf, dtype=log_y.dtype)
    beta[-1, -2:] = 0.0  # a path ends with the last character or the blank behind it
    for t in range(len(log_y) - 2, -1, -1):
        # beta_t(s) = sum over s' = s, s + 1 and, if allowed, s + 2 of y_t+1(l'_s') beta_t+1(s')
        after = beta[t + 1] + log_y[t + 1, states]
        leap = _shifted(after.masked_fill(~skip, -torch.inf), -2)
        beta[t] = torch.stack([after, _shifted(after, -1), leap]).logsumexp(0)
    return beta


def _may_skip(states: Tensor) -> Tensor:
    """Which states may follow the last but one: characters unlike the one before, (S,) bool."""
    before = torch.cat([states[:2] * 0, states[:-2]])[: len(states)]
    # The first character has none before it: its neighbour two to the left does not exist.
    return (states != BLANK) & (states != before)


def _shifted(row: Tensor, by: int) -> Tensor:
    """The row moved right by `by` places (left, if negative), -inf where nothing came from."""
    moved = row.roll(by)
    moved[slice(0, by) if by > 0 else slice(by, None)] = -torch.inf
    return moved


@dataclass(frozen=True, eq=False)
class Alignment:
    """What CTC makes of one image and its label.

    Attributes:
        loss: -ln p(l | x).
        alpha, beta: their logarithms, (T, S).
        paths: chance that the path goes through state s at frame t, given the label, (T, S).
        occupancy: the same for each class, (T, K); rows sum to 1.
        gradient: of the loss with respect to the logits, (T, K).
    """

    loss: float
    alpha: Tensor
    beta: Tensor
    paths: Tensor
    occupancy: Tensor
    gradient: Tensor


def align(logits: Tensor, label: Sequence[int]) -> Alignment:
    """Forward, backward, loss and gradient for one image: the part on training the network.

    Args:
        logits: (T, K), before the softmax.
        label: ids from 1.

    Raises:
        OcrkitError: an id that is no character, or a label that T frames cannot say.
    """
    frames, classes = logits.shape
    if not all(BLANK < k < classes for k in label):
        raise OcrkitError(f"a label's ids lie in 1..{classes - 1} (0 is the blank): {list(label)}")
    log_y, states = logits.log_softmax(1), extend(label)
    alpha, beta = forward_scores(log_y, states), backward_scores(log_y, states)
    # p(l | x) = alpha_T(S) + alpha_T(S - 1)
    log_p = alpha[-1, -2:].logsumexp(0)
    if log_p == -torch.inf:
        raise OcrkitError(
            f"no path of {frames} frames says a label of {len(label)} characters: use wider images"
        )
    # p(s at t | l, x) = alpha_t(s) beta_t(s) / p(l | x)
    paths = (alpha + beta - log_p).exp()
    # a class stands in several states of l': add them up
    occupancy = torch.zeros_like(logits).index_add_(1, states, paths)
    # dL / du = y - occupancy
    return Alignment(-log_p.item(), alpha, beta, paths, occupancy, log_y.exp() - occupancy)


def best_path(log_y: Tensor) -> list[int]:
    """The label of the likeliest path: the greatest class of each frame, collapsed.

    It need not be the likeliest label, for a label's chance is that of all its paths.
    """
    return collapse(log_y.argmax(1).tolist())


def prefix_beam(log_y: Tensor, width: int = 10) -> list[tuple[list[int], float]]:
    """The likeliest labels and ln p(label | x), best first: a beam over prefixes.

    The paper's prefix search orders prefixes best first; a beam goes frame by frame
    and keeps `width` of them (Graves and Jaitly, ICML 2014), here without a language model.
    Each keeps two sums, for "ends with a blank" and "ends with its last character" are continued
    in different ways. With `width` large enough for all prefixes the sums are exact.

    Args:
        width: prefixes kept after each frame, and classes tried at each.

    Raises:
        OcrkitError: no width.
    """
    if width < 1:
        raise OcrkitError(f"a beam of width {width} holds nothing: use 1 or more")
    rows = log_y.double().numpy()
    none = -np.inf
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, none)}
    for row in rows:
        grown: dict[tuple[int, ...], tuple[float, float]] = {}

        def add(prefix: tuple[int, ...], blank: float = none, character: float = none) -> None:
            b, c = grown.get(prefix, (none, none))  # noqa: B023 (called in this turn alone)
            grown[prefix] = np.logaddexp(b, blank), np.logaddexp(c, character)  # noqa: B023

        tried = np.argsort(-row)[:width]
        for prefix, (blank, character) in beam.items():
            either = np.logaddexp(blank, character)
            add(prefix, blank=either + row[BLANK])
            if prefix:  # said again without a blank between: the prefix stays what it is
                add(prefix, character=character + row[prefix[-1]])
            for k in tried[tried != BLANK].tolist():
                # after its own like only a path that ended with a blank makes a new character
                before = blank if prefix[-1:] == (k,) else either
                add((*prefix, k), character=before + row[k])
        possible = [item for item in grown.items() if np.logaddexp(*item[1]) > none]
        ranked = sorted(possible, key=lambda item: -np.logaddexp(*item[1]))
        beam = dict(ranked[:width])
    return [(list(prefix), float(np.logaddexp(*ends))) for prefix, ends in beam.items()]


def likeliest(log_y: Tensor, labels: Sequence[Sequence[int]]) -> tuple[int, Tensor]:
    """CRNN's reading with a lexicon (lexicon-based transcription): argmax of p(word | x).

    Args:
        labels: the words' ids; at least one.

    Returns:
        the index of the likeliest, and ln p of each, (N,); -inf where T frames cannot say it.
    """
    count, frames = len(labels), len(log_y)
    losses = F.ctc_loss(
        log_y[:, None].expand(-1, count, -1),
        torch.tensor([k for label in labels for k in label]),
        torch.full((count,), frames),
        torch.tensor([len(label) for label in labels]),
        reduction="none",
    )
    return int(losses.argmin()), -losses
