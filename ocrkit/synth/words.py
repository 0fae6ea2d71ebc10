"""Word lists: read them, count their syllables, split them so that no part shares a word."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

from ocrkit.errors import OcrkitError
from ocrkit.resources import resource
from ocrkit.text_files import read_whole_lines

_NOT_SYLLABLE = re.compile(r"[^가-힣]+")
_SPACE = re.compile(r"\s+")
_BETWEEN_WORDS = re.compile(r"[\s/,;·]+")
_WORD_COLUMNS = ("단어", "표제어", "어휘", "낱말", "word", "words")


@dataclass(frozen=True)
class WordList:
    """What a file of words holds."""

    words: list[str]  # in their order, each once
    # entry -> the word that is left of it, where it holds other characters too
    shortened: dict[str, str]
    wordless: list[str]  # entries of which nothing is left


def read_words(source: str | Path | None = None) -> list[str]:
    """The words of `read_word_list`."""
    return read_word_list(source).words


def read_word_list(source: str | Path | None = None, hangul_only: bool = True) -> WordList:
    """Words of a file in their order, each once; None is the project's own everyday list.

    A plain text file gives every word in it; lines starting with # are comments. A tab-separated
    table whose header names a word column (단어), such as the learner vocabulary of the National
    Institute of Korean Language, gives that column.
    hangul_only: of each entry only the Hangul syllables stay, so 가01 is 가 and (으)로 is 으로.
    Otherwise white space alone divides words, and every character of them stays.
    Raises OcrkitError: the file cannot be read, or holds no word.
    """
    path = resource("words", "everyday.txt") if source is None else Path(source)
    lines = [unicodedata.normalize("NFC", line) for line in read_whole_lines(path)]
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    between = _BETWEEN_WORDS if hangul_only else _SPACE
    parts = (part for entry in _word_column(lines) or lines for part in between.split(entry))
    entries = dict.fromkeys(part for part in parts if part)
    kept = {part: _NOT_SYLLABLE.sub("", part) if hangul_only else part for part in entries}
    words = dict.fromkeys(word for word in kept.values() if word)
    if not words:
        what = "Hangul words: give a text file of Korean words" if hangul_only else "words"
        raise OcrkitError(f"{path} holds no {what}")
    shortened = {part: word for part, word in kept.items() if word and word != part}
    return WordList(list(words), shortened, [part for part, word in kept.items() if not word])


def _word_column(lines: Sequence[str]) -> list[str]:
    """The word column of a tab-separated table; empty if the lines are no table."""
    header, *rows = [line.split("\t") for line in lines] or [[]]
    names = [name.split("(")[0].strip(' "').lower() for name in header]
    column = next((i for i, name in enumerate(names) if name in _WORD_COLUMNS), None)
    if column is None or len(header) < 2:
        return []
    return [row[column] for row in rows if len(row) > column]


def common_syllables(words: Iterable[str], n: int) -> str:
    """The n most frequent syllables of the words, most frequent first, ties by code point.

    Fewer than n come back if the words hold fewer.
    """
    return common_characters((_NOT_SYLLABLE.sub("", word) for word in words), n)


def common_characters(words: Iterable[str], n: int | None = None) -> str:
    """The n (None: all) most frequent characters of the words, ordered as `common_syllables`."""
    counts = Counter(ch for word in words for ch in word)
    return "".join(sorted(counts, key=lambda ch: (-counts[ch], ch))[:n])


def words_over(words: Iterable[str], charset: str) -> list[str]:
    """The words written with nothing but characters of the charset, in their order."""
    allowed = frozenset(charset)
    return [word for word in words if allowed.issuperset(word)]


def split_words(
    words: Iterable[str], shares: Mapping[str, float], seed: int
) -> dict[str, list[str]]:
    """Split the words into named parts of the given shares; each word is in exactly one part.

    Words are ranked by a hash of seed and word, so the split does not depend on their order.
    Raises OcrkitError for shares that are negative or all 0, and for words too few to give every
    part with a share at least one.
    """
    distinct = list(dict.fromkeys(words))
    total = sum(shares.values())
    if total <= 0 or min(shares.values()) < 0:
        raise OcrkitError(f"shares must be positive numbers, got {dict(shares)}")
    ranked = sorted(distinct, key=lambda word: hashlib.sha256(f"{seed}:{word}".encode()).digest())

    ends = [round(len(ranked) * reached / total) for reached in accumulate(shares.values())]
    parts = {}
    for (name, share), (start, end) in zip(shares.items(), pairwise([0, *ends]), strict=True):
        if share > 0 and start == end:
            raise OcrkitError(f"{len(ranked)} words leave none for '{name}': add some")
        chosen = set(ranked[start:end])
        parts[name] = [word for word in distinct if word in chosen]
    return parts
