"""Hangul for machines: syllables, jamo and named charsets.

A Hangul syllable is a block of two or three letters (jamo, 자모): a lead consonant (초성), a vowel
(중성) and perhaps a tail consonant (종성). Unicode lays the 19 x 21 x 28 = 11,172 blocks out as one
table, so that a syllable's letters follow from its code point by division (The Unicode Standard,
section 3.12).
"""

import unicodedata

from ocrkit.errors import OcrkitError
from ocrkit.resources import resource

LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
TAILS = ["", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"]
FIRST, LAST = 0xAC00, 0xD7A3  # 가, 힣


def nfc(text: str) -> str:
    """Text in Unicode's composed form, in which a syllable is one character.

    File names and text from macOS arrive decomposed (NFD): they look the same, and match nothing.
    """
    return unicodedata.normalize("NFC", text)


def is_syllable(character: str) -> bool:
    """Is this one composed Hangul syllable (가 to 힣)?"""
    return len(character) == 1 and FIRST <= ord(character) <= LAST


def decompose(syllable: str) -> tuple[str, str, str]:
    """The lead, vowel and tail of one syllable; the tail is "" where there is none.

    Raises OcrkitError: not one composed Hangul syllable.
    """
    if not is_syllable(syllable):
        raise OcrkitError(f"{syllable!r} is not one Hangul syllable: pass a character 가 to 힣")
    block, tail = divmod(ord(syllable) - FIRST, len(TAILS))
    lead, vowel = divmod(block, len(VOWELS))
    return LEADS[lead], VOWELS[vowel], TAILS[tail]


def compose(lead: str, vowel: str, tail: str = "") -> str:
    """One syllable from its letters: the inverse of `decompose`.

    Raises OcrkitError: a letter that cannot stand in that place.
    """
    if not lead or not vowel or lead not in LEADS or vowel not in VOWELS or tail not in TAILS:
        raise OcrkitError(f"no syllable has the letters {lead!r}, {vowel!r}, {tail!r}")
    block = LEADS.index(lead) * len(VOWELS) + VOWELS.index(vowel)
    return chr(FIRST + block * len(TAILS) + TAILS.index(tail))


def to_jamo(text: str) -> str:
    """Text with every syllable spelled out in letters; other characters stay as they are."""
    return "".join("".join(decompose(c)) if is_syllable(c) else c for c in nfc(text))


def charset(name: str) -> str:
    """A named charset, in code-point order.

    name: "972" (what the paper's models were trained on) or "ksx1001" (the 2,350 syllables of the
        Korean standard KS X 1001).
    Raises OcrkitError: an unknown name.
    """
    if name == "972":
        return resource("published", "charset_972.txt").read_text(encoding="utf-8").strip()
    if name == "ksx1001":
        syllables = map(chr, range(FIRST, LAST + 1))
        # Python's codec spells the others out, letter by letter.
        return "".join(c for c in syllables if len(c.encode("euc_kr")) == 2)
    raise OcrkitError(f"no charset is called {name!r}: choose 972 or ksx1001")
