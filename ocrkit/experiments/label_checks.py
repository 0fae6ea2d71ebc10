"""What labels alone tell of a training that has not begun."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ocrkit.experiments.findings import Finding, Joined, Settings, characters, of, short
from ocrkit.hangul import charset as named_charset
from ocrkit.labels import charset_of, frames_needed, invisible
from ocrkit.models.features import frames

# A syllable seen in fewer images than this is learnt by its few pictures, if at all.
FEW_IMAGES = 20
# The 2019 models saw each syllable some 470 times an epoch; mini's see theirs 2,000 times.
FEW_PER_CHARACTER = 100
# Below these a model knows its images, or its words, by heart before it can read.
SMALL_SET, FEW_LABELS = 1000, 300


def narrowest(feature: str, needed: int) -> int:
    """The narrowest image (pixels, a multiple of 4) that gives an extractor so many frames."""
    width = 8
    while frames(feature, width) < needed:
        width += 4
    return width


def share_of(values: Sequence[float], share: float = 0.99) -> float:
    """The smallest of the values that is not exceeded by this share of them."""
    return float(np.quantile(np.asarray(values), share, method="inverted_cdf"))


def check_frames(data: Joined, settings: Settings, whose: str = "") -> Finding:
    """Can CTC say the labels in the frames that this width gives?"""
    stages, width, what = settings.stages, settings.image_width, f"{whose}frames"
    if stages.prediction != "CTC":
        return Finding("ok", what, "attention takes a step a character and needs no frames")
    here = frames(stages.feature, width)
    needs = [frames_needed(label) for label in data.labels]
    unfit = [i for i, need in enumerate(needs) if need > here]
    if not unfit:
        said = f"every label fits the {here} CTC frames of width {width} (most needed {max(needs)})"
        return Finding("ok", what, said)
    most, wanted = narrowest(stages.feature, max(needs)), share_of(needs)
    nearly = narrowest(stages.feature, int(wanted))
    so = "could never be read right" if whose else "would teach nothing, without any error"
    said = (
        f"{of(len(unfit), len(data), 'labels')} cannot be said in the {here} CTC frames of width "
        f"{width}: they need up to {max(needs)}, and {so} ({data.examples(unfit)})"
    )
    enough = (
        f"--image-width {nearly} (99 % fit), {most} (all fit)"
        if nearly > width
        else (f"--image-width {most} (all fit)")
    )
    over = len(unfit) / len(data) > settings.unfit_limit
    advice = f"{enough}, shorter pieces of text, or a model that ends in Attn"
    return Finding("stop" if over else "warn", what, said, advice)


def check_length(data: Joined, settings: Settings, whose: str = "") -> Finding:
    """Are the labels within the maximum length?"""
    limit, lengths = settings.max_length, [len(label) for label in data.labels]
    long = [i for i, length in enumerate(lengths) if length > limit]
    what = f"{whose}length"
    if not long:
        return Finding("ok", what, f"the longest label has {max(lengths)} of {limit} characters")
    attention = settings.stages.prediction == "Attn"
    said = (
        f"{of(len(long), len(data), 'labels')} are over max_length = {limit}"
        f"{': attention cannot be trained on them' if attention else ''} ({data.examples(long)})"
    )
    advice = f"--max-length {max(lengths)}"
    if (usual := int(share_of(lengths))) < max(lengths):
        advice += f" ({usual} is enough for 99 %: are the longest labels right?)"
    return Finding("stop" if attention else "warn", what, said, advice)


def check_charset(data: Joined, settings: Settings, whose: str = "") -> Finding:
    """Does the charset hold every character of the labels?"""
    known, what = set(settings.charset), f"{whose}charset"
    missing = Counter(c for label in data.labels for c in label if c not in known)
    if not missing:
        odd = [c for c in settings.charset if invisible(c)]
        if odd:
            said = f"the charset holds {len(odd)} invisible characters: "
            said += characters((c, sum(c in label for label in data.labels)) for c in odd)
            return Finding("warn", what, said, "take them out of the labels: nobody can read them")
        return Finding("ok", what, f"all characters are among the charset's {len(known):,}")
    bad = [i for i, label in enumerate(data.labels) if not known.issuperset(label)]
    said = (
        f"{of(len(bad), len(data), 'labels')} hold {len(missing):,} characters that the charset of "
        f"{len(known):,} lacks: {characters(missing.most_common())} ({data.examples(bad)})"
    )
    advice = f"--charset data (the {len(charset_of(data.labels)):,} characters of the labels)"
    if set(named_charset("ksx1001")).issuperset(charset_of(data.labels)):
        advice = f"--charset ksx1001 (2,350 syllables) or {advice}"
    if any(map(invisible, missing)):
        advice += "; take invisible characters (U+...) out of the labels first"
    return Finding("stop", what, said, advice)


def check_spaces(data: Joined) -> Finding:
    """Do texts hold spaces? No charset here does."""
    spaced = [i for i, text in enumerate(data.texts) if len(text.split()) > 1]
    if not spaced:
        return Finding("ok", "spaces", "no label holds spaces")
    said = (
        f"{of(len(spaced), len(data), 'labels')} hold spaces: they are stripped, so the model "
        f"writes none ({data.where(spaced[0])} {short(data.texts[spaced[0]].strip())})"
    )
    advice = "nothing to change; cut images into words if you need the spaces"
    return Finding("warn", "spaces", said, advice)


def check_empty(data: Joined, whose: str = "") -> Finding:
    """Are there labels that say nothing?"""
    what = f"{whose}empty labels"
    empty = [i for i, label in enumerate(data.labels) if all(map(invisible, label))]
    if not empty:
        return Finding("ok", what, "every image has a label")
    said = f"{of(len(empty), len(data), 'labels')} are empty ({data.examples(empty)})"
    # Nothing can be scored against an empty label.
    level = "stop" if whose or len(empty) == len(data) else "warn"
    return Finding(level, what, said, "write their labels, or pack the set without them")


def check_characters(data: Joined, settings: Settings) -> list[Finding]:
    """Is each character of the charset seen, and often enough to be learnt?"""
    seen = Counter(c for label in data.labels for c in set(label))
    known = set(settings.charset)
    shown = {c: n for c, n in seen.items() if c in known}
    if never := len(known) - len(shown):
        said = f"{of(never, len(known), 'characters of the charset')} are in no training label: "
        said += "the model cannot learn them"
        advice = "add images that show them, or take a smaller charset (--charset data)"
        found = [Finding("warn", "unseen characters", said, advice)]
    else:
        said = f"all {len(known):,} characters of the charset are in the training labels"
        found = [Finding("ok", "unseen characters", said)]
    rare = sorted((n, c) for c, n in shown.items() if n < FEW_IMAGES)
    mean = sum(shown.values()) / max(len(shown), 1)
    usual = f"a character is seen in {mean:,.0f} images on average"
    if not rare and mean >= FEW_PER_CHARACTER:
        return [*found, Finding("ok", "images a character", usual)]
    said = f"{usual} (wanted: {FEW_PER_CHARACTER} or more)"
    if rare:
        said = f"{of(len(rare), len(shown), 'characters')} are seen in fewer than {FEW_IMAGES} "
        said += f"images: {characters((c, n) for n, c in rare)}; {usual}"
    advice = "add images of them, or train on generated images beside yours (--train twice)"
    return [*found, Finding("warn", "images a character", said, advice)]


def check_size(data: Joined) -> Finding:
    """Is the set so small that it will be learnt by heart?"""
    distinct = len(set(data.labels))
    said = f"{len(data):,} images with {distinct:,} different labels"
    if len(data) >= SMALL_SET and distinct >= FEW_LABELS:
        return Finding("ok", "size", said)
    if len(data) < SMALL_SET:
        said += f": under {SMALL_SET:,} images are learnt by heart, not read"
    else:
        said += f": with under {FEW_LABELS} labels a model learns these words, not their syllables"
    advice = "add generated images as a second set (--train twice), and keep a --valid set apart"
    return Finding("warn", "size", said, advice)


def check_unseen(train: Joined, test: Joined) -> Finding:
    """Does the test set hold characters that training never shows?"""
    seen = set().union(*train.labels)
    missing = Counter(c for label in test.labels for c in label if c not in seen)
    if not missing:
        said = "training shows every character of the test set"
        return Finding("ok", "test: unseen characters", said)
    bad = sum(not seen.issuperset(label) for label in test.labels)
    said = f"{of(bad, len(test), 'test labels')} hold characters that no training label shows: "
    said += characters(missing.most_common())
    advice = "they cannot be read right: add training images that show them"
    return Finding("warn", "test: unseen characters", said, advice)
