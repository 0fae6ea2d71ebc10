"""Text to train a line reader on: Korean by rules, numbers, signs and syllables without sense.

Sentences are put together from a word list, particles (조사) that fit the word's last letter, and
endings (어미). They need not mean anything: a reader that learns what usually follows guesses
instead of looking, so a part of the lines are syllables drawn at random.
"""

import random
from collections.abc import Callable
from pathlib import Path

from ocrkit.files import read_json
from ocrkit.hangul import FIRST, LAST, TAILS, charset, is_syllable, nfc
from ocrkit.reader.charset import SIGNS
from ocrkit.resources import resource
from ocrkit.synth.words import read_words

# Debian's package hunspell-ko; used where it is installed, for its 100,000 words.
HUNSPELL = Path("/usr/share/hunspell/ko.dic")


def _parts() -> dict[str, list[str]]:
    """Particles, endings, units, signs and the like, as written in data/words/line_parts.json."""
    return {k: v.split() for k, v in read_json(resource("words", "line_parts.json")).items()}


class Texts:
    """An endless source of lines.

    seed: what is drawn. words: nouns and predicates; by default the kit's words and, where it is
    installed, the dictionary of hunspell-ko.
    """

    def __init__(self, seed: int, words: list[str] | None = None) -> None:
        self.random = random.Random(seed)
        self.nouns = words or read_words()
        self.given = _parts()
        # Predicates in their dictionary form (가다), and with their ending already (갔다, 간).
        self.predicates = ["있다", "없다", "같다", "보다", "오다"]
        self.forms = list(self.given["common"])
        if words is None and HUNSPELL.is_file():
            self._read_dictionary()
        self._standard = charset("ksx1001")
        self._parts: list[tuple[Callable[[], str], float]] = [
            (self._noun, 38), (self._doing, 13), (self._predicate, 13),
            (lambda: self._one("common"), 14), (self._number, 9), (self._latin, 4),
            (self._sequence, 2), (self._wrapped, 4), (lambda: self._syllables(4), 3),
        ]  # fmt: skip

    def _read_dictionary(self) -> None:
        nouns = []
        for line in nfc(HUNSPELL.read_text(encoding="utf-8")).splitlines()[1:]:
            word, _, flags = line.partition("/")
            if not all(map(is_syllable, word)) or not word:
                continue
            if flags in ("10", "25"):
                nouns.append(word)
            elif word.endswith("다"):
                self.predicates.append(word)
            else:
                self.forms.append(word)
        self.nouns = self.nouns * 2 + nouns

    def line(self, length: int) -> str:
        """A line of at most about `length` characters, as if cut from running text.

        A short line that should end with a word but holds no space so far, up to 2 in 100, ends a
        dozen characters later instead: the committed reader was trained, and is tested, on such.
        """
        kind = self.random.random()
        if kind < 0.1:
            return self._syllables(length)
        if kind < 0.13:
            return self._signs(length)
        if kind < 0.17:
            return self._filled(length, self._number)
        if kind < 0.2:
            return self._filled(length, self._latin)
        text = self._filled(length + 12, self._part)
        if kind < 0.45:  # a line broken within a word, as justified print does
            start = self.random.randrange(0, 10)
            text = text[start : start + length]
        else:
            text = text[:length] if kind < 0.7 else text[: text.rfind(" ", 1, length + 1)]
        if self.random.random() < 0.12:
            text = self._bullet() + text
        if self.random.random() < 0.03:
            text = text.replace(" ", "")
        return " ".join(text.split())

    def _filled(self, length: int, part: Callable[[], str]) -> str:
        text = part()
        while len(text) < length:
            text += ("" if self.random.random() < 0.04 else " ") + part()
        return text[: max(length, 1)].strip()

    def _part(self) -> str:
        parts, weights = zip(*self._parts, strict=True)
        text = self.random.choices(parts, weights)[0]()
        if self.random.random() < 0.16:
            text += self._one("stops")
        return text

    def _noun(self) -> str:
        noun = self.random.choice(self.nouns)
        if self.random.random() < 0.2:
            noun += self.random.choice(self.nouns)
        if self.random.random() < 0.25:
            return noun
        return noun + self._particle(after=noun)

    def _particle(self, after: str) -> str:
        """가 after a vowel, 이 after a consonant, and so on; after other signs either."""
        open_, _, closed = self._one("particles").partition("/")
        return closed if closed and (ord(after[-1]) - FIRST) % len(TAILS) else open_

    def _one(self, kind: str) -> str:
        return self.random.choice(self.given[kind])

    def _doing(self) -> str:
        return self.random.choice(self.nouns) + self._one("doing")

    def _predicate(self) -> str:
        if self.random.random() < 0.5:
            return self.random.choice(self.forms)
        return self.random.choice(self.predicates)[:-1] + self._one("endings")

    def _digits(self, least: int, most: int) -> str:
        return "".join(self.random.choices("0123456789", k=self.random.randint(least, most)))

    def _number(self) -> str:
        digits, pick = self._digits, self.random.choice
        kind = self.random.randrange(10)
        if kind < 3:
            return digits(1, 4) + self._one("units")
        if kind == 3:
            amount = self.random.randrange(10 ** self.random.randint(3, 9))
            return f"{amount:,}{pick(['', '원', '명'])}"
        if kind == 4:
            return f"{digits(1, 2)}.{digits(1, 3)}{pick(['', '%', '배', '점'])}"
        if kind == 5:
            return pick(["-", "-", ".", " ", ")"]).join([digits(2, 4), digits(3, 4), digits(4, 4)])
        if kind == 6:
            date = digits(4, 4), digits(1, 2), digits(1, 2)
            return pick(["{}년 {}월 {}일", "{}. {}. {}.", "{}-{}-{}"]).format(*date)
        if kind == 7:
            return f"{digits(1, 2)}:{digits(2, 2)}"
        if kind == 8:
            return digits(1, 2) + pick(["~", "-", "/", "+", "×", "=", "÷", "<", ">"]) + digits(1, 3)
        return digits(1, 10)

    def _latin(self) -> str:
        letters = "abcdefghijklmnopqrstuvwxyz"
        word = self._one("latin")
        kind = self.random.random()
        if kind < 0.35:
            word = "".join(self.random.choices(letters, k=self.random.randint(1, 8)))
            word = self.random.choice([word, word.upper(), word.title()])
        if kind > 0.9:
            domain = "".join(self.random.choices(letters, k=6))
            word = self.random.choice(
                [f"www.{domain}.com", f"{domain}@{word}.kr", f"{word}.{domain}/{word}"]
            )
        if self.random.random() < 0.15:
            word += self._digits(1, 4)
        return word + (self._particle(word) if self.random.random() < 0.2 else "")

    def _wrapped(self) -> str:
        left, right = self._one("wraps")
        inside = self.random.choice([self._noun, self._number, self._latin, self._predicate])
        text = " ".join(inside() for _ in range(self.random.randint(1, 3)))
        after = self._particle(text) if self.random.random() < 0.4 else ""
        return left + text + right + after

    def _sequence(self) -> str:
        row = self._one("sequences")
        start = int(len(row) * self.random.random() ** 2)  # lists begin at ①, and few reach ⑮
        between = self.random.choice([" ", ", ", "", "-", "·", "→"])
        return between.join(row[start : start + self.random.randint(1, 4)])

    def _bullet(self) -> str:
        if self.random.random() < 0.35:
            return self._one("bullets") + " "
        row = self._one("sequences")
        mark = self.random.choice([*row[:5], str(self.random.randint(1, 60))])
        ends = [" ", " "] if mark > "\u2000" else [". ", ") ", "."]
        return mark + self.random.choice(ends)

    def _syllables(self, length: int) -> str:
        """Syllables without sense: two in three of KS X 1001, the others of all 11,172."""
        count = self.random.randint(1, max(length, 1))
        text = ""
        while len(text) < count:
            if self.random.random() < 0.33:
                text += chr(self.random.randint(FIRST, LAST))
            else:
                text += self.random.choice(self._standard)
            text += " " if self.random.random() < 0.12 else ""
        return text[:length].strip()

    def _signs(self, length: int) -> str:
        count = self.random.randint(1, max(length // 2, 1))
        return " ".join("".join(self.random.choices(SIGNS, k=count)).split())
