"""Findings before a training that follow from the labels alone."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ocrkit.data.store import ImageSet
from ocrkit.hangul import charset as named_charset
from ocrkit.labels import charset_of, frames_needed, invisible, label_of
from ocrkit.models import ModelName
from ocrkit.models.features import frames

Level = Literal["stop", "warn", "ok"]
# A syllable seen in fewer images than this is learnt by its few pictures, if at all.
FEW_IMAGES = 20
# The 2019 models saw each syllable some 470 times an epoch; mini's see theirs 2,000 times.
FEW_PER_CHARACTER = 100
# Below these a model knows its images, or its words, by heart before it can read.
SMALL_SET, FEW_LABELS = 1000, 300


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        level: "stop": training would fail or teach nothing; "warn": it will disappoint; "ok".
        what: the thing, in a word or two.
        message: what was found, with counts, shares and examples.
        advice: what to change; "" where nothing needs to be.
    """

    level: Level
    what: str
    message: str
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


class ConcatImageSets:
    """Several sets as one, with their texts and labels in memory; `prefix` begins its findings.

    Raises:
        OcrkitError: a set is broken, or a label is missing or not UTF-8.
    """

    def __init__(self, sets: Sequence[ImageSet], prefix: str = ""):
        self.prefix, self._several = prefix, len(sets) > 1
        self._rows = [(images, i) for images in sets for i in range(len(images))]
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

    def count(self, indices: Sequence[int], things: str = "labels") -> str:
        """How many, and their share, of all labels."""
        return part_of(len(indices), len(self), things)

    def examples(self, indices: Iterable[int], most: int = 3) -> str:
        """A few of these images, with their labels."""
        shown = [i for i, _ in zip(indices, range(most), strict=False)]
        return ", ".join(f"{self.where(i)} {quoted(self.labels[i])}" for i in shown)


def quoted(text: str, longest: int = 24) -> str:
    """A text in quotes, cut where it is long, invisible characters spelled out."""
    shown = repr(text if len(text) <= longest else text[: longest - 1] + "…")
    return "".join(f"\\u{ord(c):04x}" if invisible(c) else c for c in shown)


def part_of(count: int, total: int, things: str) -> str:
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


def share_of(values: Sequence[float], share: float = 0.99) -> float:
    """The smallest of the values that is not exceeded by this share of them."""
    return float(np.quantile(np.asarray(values), share, method="inverted_cdf"))


def narrowest(feature: str, needed: int) -> int:
    """The narrowest image (pixels, a multiple of 4) that gives an extractor so many frames."""
    width = 8
    while frames(feature, width) < needed:
        width += 4
    return width


def check_frames(data: ConcatImageSets, settings: Settings) -> Finding:
    """Can CTC say the labels in the frames that this width gives?"""
    stages, width, what = settings.stages, settings.image_width, f"{data.prefix}frames"
    if stages.prediction != "CTC":
        return Finding("ok", what, "attention takes a step a character and needs no frames")
    here, needs = frames(stages.feature, width), [frames_needed(label) for label in data.labels]
    unfit = [i for i, need in enumerate(needs) if need > here]
    if not unfit:
        text = f"every label fits the {here} CTC frames of width {width} (most needed {max(needs)})"
        return Finding("ok", what, text)
    so = "could never be read right" if data.prefix else "would teach nothing, without any error"
    text = (
        f"{data.count(unfit)} cannot be said in the {here} CTC frames of width {width}: they need "
        f"up to {max(needs)}, and {so} ({data.examples(unfit)})"
    )
    enough = f"--image-width {narrowest(stages.feature, max(needs))} (all fit)"
    if (nearly := narrowest(stages.feature, int(share_of(needs)))) > width:
        enough = f"--image-width {nearly} (99 % fit),{enough.removeprefix('--image-width')}"
    level = "stop" if len(unfit) / len(data) > settings.unfit_limit else "warn"
    advice = f"{enough}, shorter pieces of text, or a model that ends in Attn"
    return Finding(level, what, text, advice)


def check_length(data: ConcatImageSets, settings: Settings) -> Finding:
    """Are the labels within the maximum length?"""
    what, lengths = f"{data.prefix}length", [len(label) for label in data.labels]
    limit, longest, attention = settings.max_length, max(lengths), settings.stages[3] == "Attn"
    long = [i for i, length in enumerate(lengths) if length > limit]
    if not long:
        return Finding("ok", what, f"the longest label has {longest} of {limit} characters")
    consequence = ": attention cannot be trained on them" if attention else ""
    text = f"{data.count(long)} are over max_length = {limit}{consequence} ({data.examples(long)})"
    advice = f"--max-length {longest}"
    if (usual := int(share_of(lengths))) < longest:
        advice += f" ({usual} is enough for 99 %: are the longest labels right?)"
    return Finding("stop" if attention else "warn", what, text, advice)


def check_charset(data: ConcatImageSets, settings: Settings) -> Finding:
    """Does the charset hold every character of the labels?"""
    known, what = set(settings.charset), f"{data.prefix}charset"
    missing = Counter(c for label in data.labels for c in label if c not in known)
    odd = [c for c in settings.charset if invisible(c)]
    if not missing and odd:
        counts = ((c, sum(c in label for label in data.labels)) for c in odd)
        text = f"the charset holds {len(odd)} invisible characters: {characters(counts)}"
        return Finding("warn", what, text, "take them out of the labels: nobody can read them")
    if not missing:
        return Finding("ok", what, f"all characters are among the charset's {len(known):,}")
    bad = [i for i, label in enumerate(data.labels) if not known.issuperset(label)]
    text = (
        f"{data.count(bad)} hold {len(missing):,} characters that the charset of {len(known):,} "
        f"lacks: {characters(missing.most_common())} ({data.examples(bad)})"
    )
    advice = f"--charset data (the {len(charset_of(data.labels)):,} characters of the labels)"
    if set(named_charset("ksx1001")).issuperset(charset_of(data.labels)):
        advice = f"--charset ksx1001 (2,350 syllables) or {advice}"
    if any(map(invisible, missing)):
        advice += "; take invisible characters (U+...) out of the labels first"
    return Finding("stop", what, text, advice)


def check_spaces(data: ConcatImageSets) -> Finding:
    """Do texts hold spaces? No charset here does."""
    spaced = [i for i, text in enumerate(data.texts) if len(text.split()) > 1]
    if not spaced:
        return Finding("ok", "spaces", "no label holds spaces")
    first = f"{data.where(spaced[0])} {quoted(data.texts[spaced[0]].strip())}"
    text = f"{data.count(spaced)} hold spaces: they are stripped, so the model writes none"
    advice = "nothing to change; cut images into words if you need the spaces"
    return Finding("warn", "spaces", f"{text} ({first})", advice)


def check_empty(data: ConcatImageSets) -> Finding:
    """Are there labels that say nothing?"""
    what = f"{data.prefix}empty labels"
    empty = [i for i, label in enumerate(data.labels) if all(map(invisible, label))]
    if not empty:
        return Finding("ok", what, "every image has a label")
    text = f"{data.count(empty)} are empty ({data.examples(empty)})"
    # Nothing can be scored against an empty label.
    level = "stop" if data.prefix or len(empty) == len(data) else "warn"
    return Finding(level, what, text, "write their labels, or pack the set without them")


def check_characters(data: ConcatImageSets, settings: Settings) -> list[Finding]:
    """Is each character of the charset seen, and often enough to be learnt?"""
    seen, known = Counter(c for label in data.labels for c in set(label)), set(settings.charset)
    shown = {c: n for c, n in seen.items() if c in known}
    text = f"all {len(known):,} characters of the charset are in the training labels"
    found = [Finding("ok", "unseen characters", text)]
    if never := len(known) - len(shown):
        text = (
            f"{part_of(never, len(known), 'characters of the charset')} are in no training label: "
        )
        text += "the model cannot learn them"
        advice = "add images that show them, or take a smaller charset (--charset data)"
        found = [Finding("warn", "unseen characters", text, advice)]
    rare = sorted((n, c) for c, n in shown.items() if n < FEW_IMAGES)
    mean = sum(shown.values()) / max(len(shown), 1)
    usual = f"a character is seen in {mean:,.0f} images on average"
    if not rare and mean >= FEW_PER_CHARACTER:
        return [*found, Finding("ok", "images a character", usual)]
    text = f"{usual} (wanted: {FEW_PER_CHARACTER} or more)"
    if rare:
        text = (
            f"{part_of(len(rare), len(shown), 'characters')} are seen in fewer than {FEW_IMAGES} "
        )
        text += f"images: {characters((c, n) for n, c in rare)}; {usual}"
    advice = "add images of them, or train on generated images beside yours (--train twice)"
    return [*found, Finding("warn", "images a character", text, advice)]


def check_size(data: ConcatImageSets) -> Finding:
    """Is the set so small that it will be learnt by heart?"""
    distinct = len(set(data.labels))
    text = f"{len(data):,} images with {distinct:,} different labels"
    if len(data) >= SMALL_SET and distinct >= FEW_LABELS:
        return Finding("ok", "size", text)
    why = f"with under {FEW_LABELS} labels a model learns these words, not their syllables"
    if len(data) < SMALL_SET:
        why = f"under {SMALL_SET:,} images are learnt by heart, not read"
    advice = "add generated images as a second set (--train twice), and keep a --valid set apart"
    return Finding("warn", "size", f"{text}: {why}", advice)


def check_unseen(train: ConcatImageSets, test: ConcatImageSets) -> Finding:
    """Does the test set hold characters that training never shows?"""
    seen, what = set().union(*train.labels), "test: unseen characters"
    missing = Counter(c for label in test.labels for c in label if c not in seen)
    if not missing:
        return Finding("ok", what, "training shows every character of the test set")
    bad = [i for i, label in enumerate(test.labels) if not seen.issuperset(label)]
    text = f"{test.count(bad, 'test labels')} hold characters that no training label shows: "
    text += characters(missing.most_common())
    advice = "they cannot be read right: add training images that show them"
    return Finding("warn", what, text, advice)
