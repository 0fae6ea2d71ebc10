"""Text to class ids and back, for the two ways of predicting: CTC and attention.

Ids are those of the reference framework, so that its checkpoints read here:
CTC has `[blank]` = 0 and characters from 1; attention has `[GO]` = 0, `[s]` (the end, EOS) = 1 and
characters from 2. A label is what a model must say: the text without its spaces.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch.nn.utils.rnn import pad_sequence

from ocrkit.errors import OcrkitError
from ocrkit.hangul import nfc

# Unicode's property Default_Ignorable_Code_Point, so far as str.isprintable lets it through.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def label_of(text: str) -> str:
    """The label of a text: without white space, which no charset here holds, and composed (NFC)."""
    return nfc("".join(text.split()))  # in this order: a gap may keep two parts of a syllable apart


def outside(label: str, charset: str) -> str:
    """The characters of a label that the charset lacks, each once, in order of appearance."""
    return "".join(dict.fromkeys(c for c in label if c not in charset))


def invisible(character: str) -> bool:
    """Does a character draw nothing, so that no image can show it?

    Controls and unassigned code points, and those that Unicode calls default-ignorable: zero-width
    spaces, soft hyphens, variation selectors, Hangul fillers (which count as letters).
    """
    return not character.isprintable() or bool(_IGNORABLE.match(character))


def charset_of(texts: Iterable[str]) -> str:
    """Every character that the labels of these texts hold, each once, in code-point order.

    Raises OcrkitError: there is none.
    """
    charset = "".join(sorted({c for text in texts for c in label_of(text)}))
    if not charset:
        raise OcrkitError("the labels hold no characters to make a charset of")
    return charset


def frames_needed(label: str) -> int:
    """How many frames CTC needs at least to say a label: its length + its repeated neighbours.

    Between two equal characters a blank must stand, or they collapse into one
    (Graves et al., 2006, section 3.1).
    """
    return len(label) + sum(a == b for a, b in pairwise(label))


def fits(label: str, frames: int) -> bool:
    """Can CTC say this label at all in so many frames?"""
    return frames_needed(label) <= frames


def unfit_share(labels: Sequence[str], frames: int) -> float:
    """The share (0 to 1) of labels that CTC cannot say in so many frames."""
    return sum(not fits(label, frames) for label in labels) / max(len(labels), 1)


class _Labels:
    """What both converters share: the charset's ids, and words for a character it lacks."""

    first_id: int

    def __init__(self, charset: str):
        if not charset or len(set(charset)) != len(charset):
            raise OcrkitError("a charset needs at least one character, and each only once")
        self.charset = charset
        self._id = {c: i + self.first_id for i, c in enumerate(charset)}

    @property
    def classes(self) -> int:
        """Number of classes a model must have: the characters and the special ids."""
        return len(self.charset) + self.first_id

    def _ids(self, text: str) -> list[int]:
        label = label_of(text)
        try:
            return [self._id[c] for c in label]
        except KeyError:
            missing = outside(label, self.charset)
            raise OcrkitError(
                f"the label {label!r} has {missing!r}, which the charset of "
                f"{len(self.charset)} characters lacks: use a larger charset or leave it out"
            ) from None

    def _text(self, ids: Iterable[int]) -> str:
        return "".join(self.charset[i - self.first_id] for i in ids if i >= self.first_id)


class CTCLabels(_Labels):
    """Labels for CTC: `[blank]` = 0, characters from 1."""

    first_id = 1

    def encode(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and lengths of a batch.

        Returns ids: (B, longest) int64, padded with blanks; lengths: (B,) int64.
        Raises OcrkitError: a character outside the charset.
        """
        rows = [torch.tensor(self._ids(text), dtype=torch.int64) for text in texts]
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        one = torch.zeros(1, dtype=torch.int64)  # a column at least
        return pad_sequence([*rows, one], batch_first=True)[:-1], lengths

    def decode(self, ids: torch.Tensor) -> list[str]:
        """Best-path text of (B, T) frame ids: repeats collapse, then blanks go."""
        rows = ids.tolist()
        return [
            self._text(b for a, b in zip([0, *row], row, strict=False) if a != b) for row in rows
        ]


class AttentionLabels(_Labels):
    """Labels for attention: `[GO]` = 0, `[s]` = 1, characters from 2.

    charset: the characters.
    max_length: the longest label, in characters; a model then takes max_length + 1 steps.
    """

    GO, EOS = 0, 1
    first_id = 2

    def __init__(self, charset: str, max_length: int):
        super().__init__(charset)
        if max_length < 1:
            raise OcrkitError("max_length must be at least 1 character")
        self.max_length = max_length

    def encode(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and lengths of a batch.

        Returns ids: (B, max_length + 2) int64: `[GO]`, characters, `[s]`, padded with `[GO]`;
        lengths: (B,) int64, the characters and `[s]`.
        Raises OcrkitError: a label over max_length (the reference crashes here, with an index error
        that names neither), or a character outside the charset.
        """
        ids = torch.full((len(texts), self.max_length + 2), self.GO, dtype=torch.int64)
        lengths = torch.zeros(len(texts), dtype=torch.int64)
        for i, text in enumerate(texts):
            row = self._ids(text)
            if len(row) > self.max_length:
                raise OcrkitError(
                    f"the label {label_of(text)!r} has {len(row)} characters, over max_length = "
                    f"{self.max_length}: raise max_length or leave it out"
                )
            ids[i, 1 : len(row) + 2] = torch.tensor([*row, self.EOS], dtype=torch.int64)
            lengths[i] = len(row) + 1
        return ids, lengths

    def decode(self, ids: torch.Tensor) -> list[str]:
        """Text of (B, steps) ids, up to the first `[s]`, found by its id.

        A row without `[s]` is kept whole (the reference drops its last character).
        """
        texts = []
        for row in ids.tolist():
            end = row.index(self.EOS) if self.EOS in row else len(row)
            texts.append(self._text(row[:end]))
        return texts
