"""The network of the line reader: thin convolutions, a BiLSTM, and scores over letters.

A head over 11,172 syllables would be larger than the rest and could not read a syllable it never
saw. This one scores pairs of letters: a syllable's score is pair(lead, vowel) + pair(vowel, tail),
a chain of three letters. The sum over all syllables that a softmax needs then follows from the
vowel alone, as in a conditional random field (Lafferty et al., 2001), at 987 scores a frame.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrkit.hangul import LEADS, TAILS, VOWELS
from ocrkit.models.recognizer import orthogonal_start
from ocrkit.models.sequence import BiLSTM
from ocrkit.reader.charset import BLANK, FIRST_SYLLABLE, letters

HEIGHT = 32
STRIDE = 4  # pixels a frame: a full stop or an i is hardly wider
L, V, T = len(LEADS), len(VOWELS), len(TAILS)
# Channels of the five convolutions, hidden size of the BiLSTM.
CHANNELS, HIDDEN = (32, 64, 64, 128, 192), 128


class LetterHead(nn.Module):
    """Frames (B, frames, inputs) -> scores of blank and signs, lead-vowel pairs, vowel-tail pairs.

    A pair's weights are the sum of its letters' and of the pair's own, which start at 0: what is
    learnt of ㅎ in one syllable helps in all.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.signs = nn.Linear(inputs, FIRST_SYLLABLE)
        self.lead, self.tail = (nn.Parameter(torch.randn(n, inputs) * 0.05) for n in (L, T))
        self.vowel = nn.Parameter(torch.randn(V, inputs) * 0.05)
        self.lead_vowel = nn.Parameter(torch.zeros(L * V, inputs))
        self.vowel_tail = nn.Parameter(torch.zeros(V * T, inputs))
        self.pair_bias = nn.Parameter(torch.zeros(L * V + V * T))

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, frames, 1 + signs), (B, frames, leads, vowels) and (B, frames, vowels, tails)."""
        first = (self.lead[:, None] + self.vowel).flatten(0, 1) + self.lead_vowel
        second = self.tail.repeat(V, 1) + self.vowel_tail
        pairs = F.linear(frames, torch.cat([first, second]), self.pair_bias)
        return (
            self.signs(frames),
            pairs[..., : L * V].unflatten(-1, (L, V)),
            pairs[..., L * V :].unflatten(-1, (V, T)),
        )


class LineNetwork(nn.Module):
    """Ink (B, 1, 32, W), 1 = ink, 0 = paper, W a multiple of 4 -> scores of W / 4 frames."""

    def __init__(self, channels: tuple[int, ...] = CHANNELS, hidden: int = HIDDEN) -> None:
        super().__init__()
        a, b, c, d, e = channels
        self.features = nn.Sequential(
            *_block(1, a, 3, 2, 1),  # 16 rows
            *_block(a, b, 3, 2, 1),  # 8
            *_block(b, c, 3, 1, 1),
            *_block(c, d, 3, (2, 1), 1),  # 4
            *_block(d, e, (4, 3), 1, (0, 1)),  # 1
        )
        self.sequence = BiLSTM(e, hidden)
        self.score = LetterHead(hidden)
        orthogonal_start(self)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores as of `LetterHead`."""
        columns = self.features(images).squeeze(2).transpose(1, 2)
        return self.score(self.sequence(columns.contiguous()))


def _block(inputs: int, outputs: int, kernel, stride, padding) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def log_total(scores: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Logarithm of the sum over all classes of exp(score): (B, frames)."""
    signs, lead_vowel, vowel_tail = scores
    syllables = lead_vowel.logsumexp(2) + vowel_tail.logsumexp(3)
    return torch.cat([signs, syllables], dim=2).logsumexp(2)


def class_scores(scores: tuple[Tensor, Tensor, Tensor], ids: np.ndarray) -> Tensor:
    """Scores of a few classes, (B, frames, len(ids)); `ids` as of `charset`, signs first."""
    signs, lead_vowel, vowel_tail = scores
    some, syllables = ids[ids < FIRST_SYLLABLE], ids[ids >= FIRST_SYLLABLE]
    some = torch.from_numpy(some).to(signs.device)
    lead, vowel, tail = (torch.from_numpy(each).to(signs.device) for each in letters(syllables))
    first = lead_vowel.flatten(2).index_select(2, lead * V + vowel)
    second = vowel_tail.flatten(2).index_select(2, vowel * T + tail)
    return torch.cat([signs.index_select(2, some), first + second], dim=2)


def ctc_loss(
    scores: tuple[Tensor, Tensor, Tensor], labels: list[list[int]], frames: Tensor
) -> Tensor:
    """Mean CTC loss of a batch (Graves et al., 2006), each line's divided by its length.

    Only the classes that the labels name are looked at one by one. torch's gradient of CTC takes
    for granted that the probabilities it is given add up to 1 and adds them to the true gradient;
    here they do not, so that part is taken off again.
    """
    device = scores[0].device
    signs, first, second = (s.to(torch.promote_types(s.dtype, torch.float32)) for s in scores)
    scores = signs, first, second  # sums of small probabilities need it
    ids = np.unique(np.concatenate([[BLANK], *labels]).astype(np.int64))
    log_p = (class_scores(scores, ids) - log_total(scores)[..., None]).transpose(0, 1)
    lengths = torch.tensor([len(label) for label in labels])
    targets = torch.from_numpy(np.searchsorted(ids, np.concatenate(labels))).to(device)
    losses = F.ctc_loss(log_p, targets, frames, lengths, reduction="none", zero_infinity=True)
    weights = (1 / lengths.clamp(min=1) / len(labels)).to(device)
    inside = (torch.arange(len(log_p))[:, None] < frames).to(device) & (losses.detach() > 0)
    surplus = (log_p.exp().sum(2) * inside * weights).sum()
    return (losses * weights).sum() - (surplus - surplus.detach())


def best_classes(scores: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The likeliest class of each frame and its probability: int64 and float32 (B, frames)."""
    signs, lead_vowel, vowel_tail = scores
    first, lead = lead_vowel.max(2)
    second, tail = vowel_tail.max(3)
    syllable, vowel = (first + second).max(2)
    sign, sign_id = signs.max(2)
    lead, tail = (each.gather(2, vowel[..., None]).squeeze(2) for each in (lead, tail))
    syllable_id = FIRST_SYLLABLE + (lead * V + vowel) * T + tail
    ids = torch.where(syllable > sign, syllable_id, sign_id)
    return ids, (torch.maximum(syllable, sign) - log_total(scores)).exp()
