"""What follows from the labels alone of how a training would go: each check gives a Finding."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ocrkit.data.store import ImageSet
from ocrkit.hangul import charset as named_charset
from ocrkit.labels import charset_of, frames_needed, invisible, label_of
from ocrkit.models import ModelName
from ocrkit.models.features import frames
from ocrkit.models.prediction import WRITING

Level = Literal["stop", "warn", "ok"]
# A syllable seen in fewer images than this is learnt by its few pictures, if at all.
FEW_IMAGES = 20
# The 2019 models saw each syllable some 470 times an epoch; mini's see theirs 2,000 times.
FEW_PER_CHARACTER = 100
# Below these a model knows its images, or its words, by heart before it can read.
SMALL_SET, FEW_LABELS = 1000, 300


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    level: Level  # "stop": training would fail or teach nothing; "warn": it will disappoint; "ok"
    what: str  # the thing, in a word or two
    message: str = ""  # what was found, with counts, shares and examples; "" where all is well
    advice: str = ""  # what to change


@dataclass(eq=False)
class ConcatImageSets:
    """Several sets as one, their texts and labels in memory, and what a model would train with.

    Raises OcrkitError: a set is broken, or a label is missing or not UTF-8.
    """

    sets: Sequence[ImageSet]
    prefix: str  # of what its findings are about
    stages: ModelName
    image_width: int
    max_length: int
    charset: str
    unfit_limit: float
    pad: bool

    def __post_init__(self) -> None:
        self.rows = [(images, i) for images in self.sets for i in range(len(images))]
        self.texts = [text for images in self.sets for text in images.texts()]
        self.labels = [label_of(text) for text in self.texts]
        # In how many labels each character is.
        self.counts = Counter(c for label in self.labels for c in set(label))

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, index: int) -> str:
        """How to find an image again: the set's name where there are several, and its number."""
        images, i = self.rows[index]
        return f"{images.path.name} image {i}" if len(self.sets) > 1 else f"image {i}"

    def found(self, indices: Sequence[int], problem: str, looked_at: int = 0) -> str:
        """How many of the labels, or of the images looked at, have a problem, and a few of them."""
        few = ", ".join(f"{self.where(i)} {quoted(self.texts[i].strip())}" for i in indices[:3])
        total, things = (looked_at, "images looked at") if looked_at else (len(self), "labels")
        return f"{part_of(len(indices), total, things)} {problem} ({few})"

    def judge(
        self, what: str, bad: object, problem: str, advice: str, level: Level = "warn"
    ) -> Finding:
        """A finding of this level where something is bad, else "ok"."""
        what = self.prefix + what
        return Finding(level, what, problem, advice) if bad else Finding("ok", what)


def quoted(text: str) -> str:
    """A text in quotes, cut where it is long, invisible characters spelled out."""
    shown = repr(text if len(text) <= 24 else text[:23] + "…")
    return "".join(f"\\u{ord(c):04x}" if invisible(c) else c for c in shown)


def part_of(count: int, total: int, things: str) -> str:
    """A count and its share in words: "3 of 40 labels (7.5 %)"."""
    share = 100 * count / max(total, 1)
    percent = "under 0.1" if 0 < share < 0.1 else f"{share:.1f}"
    return f"{count:,} of {total:,} {things} ({percent} %)"


def characters(counts: Iterable[tuple[str, int]]) -> str:
    """Characters and how often they occur: "뷁 (3), A (1), and 5 more"."""
    listed = list(counts)
    shown = [f"{f'U+{ord(c):04X}' if invisible(c) else c} ({n:,})" for c, n in listed[:8]]
    return ", ".join(shown + [f"and {len(listed) - 8:,} more"] * (len(listed) > 8))


def enough_for_most(values: Iterable[float]) -> float:
    """The smallest of the values that 99 % of them do not exceed."""
    return float(np.quantile([*values], 0.99, method="inverted_cdf"))


def narrowest(feature: str, needed: int) -> int:
    """The narrowest image (pixels, a multiple of 4) that gives an extractor so many frames."""
    # Every extractor gives one more frame for four more pixels.
    return max(8, 4 * (needed - frames(feature, 0)))


def check_frames(data: ConcatImageSets) -> Finding:
    """Can CTC say the labels in the frames that this width gives? Attention needs none."""
    stages, width = data.stages, data.image_width
    here, needs = frames(stages.feature, width), [frames_needed(label) for label in data.labels]
    unfit, most = [i for i, need in enumerate(needs) if need > here], max(needs)
    if stages.prediction in WRITING:
        unfit = []
    so = "could never be read right" if data.prefix else "would teach nothing, without any error"
    problem = f"cannot be said in the {here} CTC frames of width {width}: they need up to {most}, "
    enough = f"{narrowest(stages.feature, most)} (all fit)"
    if (nearly := narrowest(stages.feature, int(enough_for_most(needs)))) > width:
        enough = f"{nearly} (99 % fit), {enough}"
    advice = f"--image-width {enough}, shorter pieces of text, or a model that ends in Attn"
    level = "stop" if len(unfit) / len(data) > data.unfit_limit else "warn"
    return data.judge("frames", unfit, data.found(unfit, f"{problem}and {so}"), advice, level)


def check_length(data: ConcatImageSets) -> Finding:
    """Are the labels within the maximum length?"""
    lengths, limit = [len(label) for label in data.labels], data.max_length
    longest, attention = max(lengths), data.stages.prediction in WRITING
    long = [i for i, length in enumerate(lengths) if length > limit]
    so = ": attention cannot be trained on them" if attention else ""
    advice = f"--max-length {longest}"
    if (usual := int(enough_for_most(lengths))) < longest:
        advice += f" ({usual} is enough for 99 %: are the longest labels right?)"
    problem = data.found(long, f"are over max_length = {limit}{so}")
    return data.judge("length", long, problem, advice, "stop" if attention else "warn")


def check_charset(data: ConcatImageSets) -> Finding:
    """Does the charset hold every character of the labels?"""
    known = set(data.charset)
    missing = Counter(c for label in data.labels for c in label if c not in known)
    if not missing:
        odd = [(c, data.counts[c]) for c in data.charset if invisible(c)]
        problem = f"the charset holds {len(odd)} invisible characters: {characters(odd)}"
        advice = "take them out of the labels: nobody can read them"
        return data.judge("charset", odd, problem, advice)
    bad = [i for i, label in enumerate(data.labels) if not known.issuperset(label)]
    problem = f"hold {len(missing):,} characters that the charset of {len(known):,} lacks: "
    problem += characters(missing.most_common())
    own = charset_of(data.labels)
    advice = f"--charset data (the {len(own):,} characters of the labels)"
    if set(named_charset("ksx1001")).issuperset(own):
        advice = f"--charset ksx1001 (2,350 syllables) or {advice}"
    if any(map(invisible, missing)):
        advice += "; take invisible characters (U+...) out of the labels first"
    return data.judge("charset", bad, data.found(bad, problem), advice, "stop")


def check_spaces(data: ConcatImageSets) -> Finding:
    """Do texts hold spaces? No charset here does."""
    spaced = [i for i, text in enumerate(data.texts) if len(text.split()) > 1]
    problem = data.found(spaced, "hold spaces: they are stripped, so the model writes none")
    advice = "nothing to change; cut images into words if you need the spaces"
    return data.judge("spaces", spaced, problem, advice)


def check_empty(data: ConcatImageSets) -> Finding:
    """Are there labels that say nothing? Nothing can be scored against one."""
    empty = [i for i, label in enumerate(data.labels) if all(map(invisible, label))]
    advice = "write their labels, or pack the set without them"
    level = "stop" if data.prefix or len(empty) == len(data) else "warn"
    return data.judge("empty labels", empty, data.found(empty, "are empty"), advice, level)


def check_unseen_characters(data: ConcatImageSets) -> Finding:
    """Is each character of the charset in a label?"""
    known = set(data.charset)
    never = len(known - set(data.counts))
    problem = f"{part_of(never, len(known), 'characters of the charset')} are in no training label"
    problem += ": the model cannot learn them"
    advice = "add images that show them, or take a smaller charset (--charset data)"
    return data.judge("unseen characters", never, problem, advice)


def check_images_a_character(data: ConcatImageSets) -> Finding:
    """Is each character seen often enough to be learnt?"""
    seen = {c: data.counts[c] for c in data.charset if c in data.counts}
    rare = sorted((n, c) for c, n in seen.items() if n < FEW_IMAGES)
    mean = sum(seen.values()) / max(len(seen), 1)
    problem = f"a character is seen in {mean:,.0f} images on average"
    problem += f" (wanted: {FEW_PER_CHARACTER} or more)"
    if rare:
        few = f"{part_of(len(rare), len(seen), 'characters')} are seen in fewer than {FEW_IMAGES}"
        problem = f"{few} images: {characters((c, n) for n, c in rare)}; {problem}"
    advice = "add images of them, or train on generated images beside yours (--train twice)"
    bad = rare or mean < FEW_PER_CHARACTER
    return data.judge("images a character", bad, problem, advice)


def check_size(data: ConcatImageSets) -> Finding:
    """Is the set so small that it will be learnt by heart?"""
    distinct = len(set(data.labels))
    problem = f"{len(data):,} images with {distinct:,} different labels: "
    if len(data) < SMALL_SET:
        problem += f"under {SMALL_SET:,} images are learnt by heart, not read"
    else:
        problem += f"with under {FEW_LABELS} labels a model learns these words, not their syllables"
    advice = "add generated images as a second set (--train twice), and keep a --valid set apart"
    small = len(data) < SMALL_SET or distinct < FEW_LABELS
    return data.judge("size", small, problem, advice)


# Each row is drawn nearly alike in common Korean fonts. Latin letters and digits that are only
# similar (l, I, 1) are not here: they are told apart by their neighbours.
_ALIKE = (
    *("·ㆍ・･•‧∙⋅", '"“”„‟″〃', "'‘’‚‛′`´", "-‐‑‒–—―−ーㅡ─", "~〜∼˜"),
    *("|│ㅣ∣", "○〇◯", ":∶ː", "/∕⁄", "×✕✖"),
    *("AΑА", "BΒВ", "EΕЕ", "HΗН", "IΙ", "KΚК", "MΜМ", "NΝ", "OΟО", "PΡР", "CС", "TΤТ", "XΧХ"),
    *("ZΖ", "YΥ", "aа", "cс", "eе", "oοо", "pр", "xх"),
)
_FIRST = {character: row[0] for row in _ALIKE for character in row}
# ㄱ is a letter, an initial, a final and a half-width letter.
_JAMO = re.compile(r"(?:HALFWIDTH )?HANGUL (?:LETTER|CHOSEONG|JUNGSEONG|JONGSEONG) (.+)")


def likeness(character: str) -> str:
    """What stands for all characters that look like this one."""
    if unicodedata.decomposition(character).startswith(("<wide>", "<narrow>")):
        character = unicodedata.normalize("NFKC", character)
    if character in _FIRST:
        return _FIRST[character]
    jamo = _JAMO.fullmatch(unicodedata.name(character, ""))
    return jamo[1] if jamo else character


def check_look_alikes(data: ConcatImageSets) -> Finding:
    """Is something written in two ways that no image can tell apart?"""
    groups = defaultdict(list)
    for c in sorted(data.counts):
        groups[likeness(c)].append(f"{c} U+{ord(c):04X} ({data.counts[c]:,})")
    alike = [", ".join(group) for group in groups.values() if len(group) > 1]
    more = f"; and {len(alike) - 6} more" if len(alike) > 6 else ""
    problem = f"characters that look the same count as different ones: {'; '.join(alike[:6])}{more}"
    return data.judge("look-alikes", alike, problem, "write each in one way in all labels")
