"""Prediction by letters: a CTC head that says each syllable as lead, vowel and tail.

Kim et al., "Character decomposition to resolve class imbalance problem in Hangul OCR" (2022), say
syllables by letters too. What is learnt of a letter in one syllable holds in all of them, so that
a syllable never seen in training can be read.
"""

import torch
from torch import Tensor, nn

from ocrkit.errors import OcrkitError
from ocrkit.hangul import FIRST, LAST, LEADS, TAILS, VOWELS, is_syllable

SYLLABLES = "".join(map(chr, range(FIRST, LAST + 1)))
LETTERS = (len(LEADS), len(VOWELS), len(TAILS))  # 19, 21, 28


def jamo_charset(charset: str) -> str:
    """What such a head can say: all 11,172 syllables, then the charset's other characters."""
    return SYLLABLES + "".join(c for c in charset if not is_syllable(c))


class JamoCTC(nn.Linear):
    """Frames (B, T, inputs) -> logits (B, T, classes), classes as of `jamo_charset` and a blank.

    One layer with 1 + 19 + 21 + 28 outputs, and one more for each character that is no syllable.
    From them follow the logits of all 11,173 classes, for the usual CTC loss and decoding: of a
    frame that is not blank, p(syllable) = p(lead) p(vowel) p(tail).
    Raises OcrkitError: too few classes.
    """

    def __init__(self, inputs: int, classes: int) -> None:
        self.others = classes - 1 - len(SYLLABLES)
        if self.others < 0:
            raise OcrkitError(
                f"classes = {classes}: JamoCTC says every syllable and has "
                f"{1 + len(SYLLABLES)} classes or more (`ocrkit.models.jamo.jamo_charset`)"
            )
        super().__init__(inputs, 1 + sum(LETTERS) + self.others)

    def forward(self, input: Tensor) -> Tensor:
        scores = super().forward(input)
        blank, lead, vowel, tail, others = scores.split([1, *LETTERS, self.others], dim=2)
        # Made probabilities here, the letters weigh as much as the blank from the first step on;
        # as mere sums, 11,172 classes would stand against one.
        lead, vowel, tail = (part.log_softmax(2) for part in (lead, vowel, tail))
        # In the order of Unicode: the tail runs fastest, then the vowel.
        syllables = lead[..., None, None] + vowel[:, :, None, :, None] + tail[:, :, None, None]
        return torch.cat([blank, syllables.flatten(2), others], dim=2)
