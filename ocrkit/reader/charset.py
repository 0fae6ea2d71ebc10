"""What the line reader can write: every Hangul syllable, ASCII, and the signs of Korean print.

Ids: 0 is CTC's blank, then the signs in the order of `SIGNS`, then the 11,172 syllables in order
of their code points, so that a syllable's letters follow from its id by division.
"""

from collections.abc import Iterable

import numpy as np

from ocrkit.hangul import FIRST, LAST, TAILS, VOWELS, is_syllable, nfc

_ASCII = "".join(map(chr, range(0x20, 0x7F)))
_PRINT = (
    "‘’“”『』「」《》〈〉【】〔〕·…‥※→←↑↓↔⇒○●◎□■◇◆△▲▽▼☆★♥♡☎☞✓♪§¶†"
    "×÷±≤≥≠≒∞∴√℃°′″‰％￦₩€£¥㎡㎥㎞㎝㎜㎏㎖㈜№℡—–〜～ㆍ￭•α β γ δ μ π Ω Δ Σ²³½¼"
)
_NUMBERS = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮❶❷❸❹❺㉠㉡㉢㉣㉤㉮㉯㉰㉱ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ"
_JAMO = "".join(map(chr, range(0x3131, 0x3164)))

SIGNS = "".join(dict.fromkeys(_ASCII + _PRINT + _NUMBERS + _JAMO))
BLANK = 0
FIRST_SYLLABLE = 1 + len(SIGNS)
CLASSES = FIRST_SYLLABLE + LAST - FIRST + 1

_SIGN_IDS = {sign: i + 1 for i, sign in enumerate(SIGNS)}


def encode(text: str) -> list[int]:
    """Ids of a text's characters in composed form; those outside the charset are left out."""
    ids = []
    for ch in nfc(text):
        if is_syllable(ch):
            ids.append(FIRST_SYLLABLE + ord(ch) - FIRST)
        elif ch in _SIGN_IDS:
            ids.append(_SIGN_IDS[ch])
    return ids


def decode(ids: Iterable[int]) -> str:
    """The text of ids; blanks are left out."""
    return "".join(
        SIGNS[i - 1] if i < FIRST_SYLLABLE else chr(FIRST + i - FIRST_SYLLABLE)
        for i in ids
        if i != BLANK
    )


def letters(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lead, vowel and tail numbers (0-18, 0-20, 0-27) of ids of syllables, any shape."""
    block, tail = np.divmod(np.asarray(ids) - FIRST_SYLLABLE, len(TAILS))
    lead, vowel = np.divmod(block, len(VOWELS))
    return lead, vowel, tail
