"""What a diagnosis works on and what it says: settings, sets joined into one, and findings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ocrkit.data.store import ImageSet
from ocrkit.labels import invisible, label_of
from ocrkit.models import ModelName

Level = Literal["stop", "warn", "ok"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        level: "stop": training would fail or teach nothing; "warn": it will disappoint; "ok".
        what: the thing, in a word or two.
        said: what was found, with counts, shares and examples.
        advice: what to change; "" where nothing needs to be.
    """

    level: Level
    what: str
    said: str
    advice: str = ""


@dataclass(frozen=True)
class Settings:
    """What a model would be trained with: its stages, sizes, characters, padded images or not."""

    stages: ModelName
    image_width: int
    max_length: int
    charset: str
    unfit_limit: float
    pad: bool = False


class Joined:
    """Several sets read as one, with their texts and labels in memory.

    Raises:
        OcrkitError: a set is broken, or a label is missing or not UTF-8.
    """

    def __init__(self, sets: Sequence[ImageSet]):
        self._rows = [(images, i) for images in sets for i in range(len(images))]
        self._several = len(sets) > 1
        self.texts = [text for images in sets for text in images.texts()]
        self.labels = [label_of(text) for text in self.texts]

    def __len__(self) -> int:
        return len(self._rows)

    def image_bytes(self, index: int) -> bytes:
        images, i = self._rows[index]
        return images.image_bytes(i)

    def where(self, index: int) -> str:
        """How to find an image again: the set's name where there are several, and its number."""
        images, i = self._rows[index]
        return f"{images.path.name} image {i}" if self._several else f"image {i}"

    def examples(self, indices: Iterable[int], most: int = 3) -> str:
        """A few of these images, with their labels."""
        shown = [i for i, _ in zip(indices, range(most), strict=False)]
        return ", ".join(f"{self.where(i)} {short(self.labels[i])}" for i in shown)


def short(text: str, longest: int = 24) -> str:
    """A text in quotes, cut where it is long, invisible characters spelled out."""
    shown = repr(text if len(text) <= longest else text[: longest - 1] + "…")
    return "".join(f"\\u{ord(c):04x}" if invisible(c) else c for c in shown)


def of(count: int, total: int, things: str) -> str:
    """A count and its share in words: "3 of 40 labels (7.5 %)"."""
    share = 100 * count / max(total, 1)
    percent = "under 0.1" if 0 < share < 0.1 else f"{share:.1f}"
    return f"{count:,} of {total:,} {things} ({percent} %)"


def characters(counts: Iterable[tuple[str, int]], most: int = 8) -> str:
    """Characters and how often they occur: "뷁 (3), A (1), and 5 more"."""
    listed = list(counts)
    shown = [f"{f'U+{ord(c):04X}' if invisible(c) else c} ({n:,})" for c, n in listed[:most]]
    more = [f"and {len(listed) - most:,} more"] if len(listed) > most else []
    return ", ".join(shown + more)
