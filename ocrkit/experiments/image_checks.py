"""What a sample of the images tells: broken, blank, squeezed, small, in two sets at once."""

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ocrkit.data.pictures import contrast_problem, decode
from ocrkit.errors import OcrkitError
from ocrkit.experiments.findings import Finding, Joined, Settings, of
from ocrkit.experiments.label_checks import share_of
from ocrkit.reading import MIN_SYLLABLE_PIXELS

SAMPLE = 2000
# Lower than this, a syllable's strokes are not in the picture to begin with.
MIN_HEIGHT = 16
# Wide and narrow images of one set: from this ratio of their shapes on, they are worth padding.
MIXED = 4


@dataclass(frozen=True)
class Look:
    """One sampled image: its place in the set, its size in pixels, and what is wrong with it."""

    index: int
    width: int = 0
    height: int = 0
    broken: str = ""
    blank: str = ""


def sample(data: Joined, most: int = SAMPLE) -> list[int]:
    """Which images to look at: all of them, or so many at random (always the same)."""
    if len(data) <= most:
        return list(range(len(data)))
    chosen = np.random.default_rng(0).choice(len(data), most, replace=False)
    return np.sort(chosen).tolist()


def look(data: Joined, indices: Iterable[int]) -> list[Look]:
    """The sizes of these images."""
    return [_look(data, index) for index in indices]


def _look(data: Joined, index: int) -> Look:
    try:
        grey = decode(data.image_bytes(index))
    except OcrkitError as error:
        return Look(index, broken=str(error))
    return Look(index, *grey.size, blank=contrast_problem(grey))


def check_contrast(data: Joined, looks: list[Look], whose: str = "") -> Finding:
    """Is anything to be seen in the images?"""
    what = f"{whose}contrast"
    blank = [one for one in looks if one.blank]
    if not blank:
        return Finding("ok", what, f"none of {len(looks):,} looked at is blank")
    said = f"{of(len(blank), len(looks), 'images looked at')} are one grey all over "
    said += f"({data.examples(one.index for one in blank)}): nothing can be seen in them"
    level = "stop" if len(blank) == len(looks) else "warn"
    return Finding(level, what, said, "make them again, or leave them out")


def check_broken(data: Joined, looks: list[Look], whose: str = "") -> Finding:
    """Do the images decode?"""
    what = f"{whose}broken images"
    broken = [one for one in looks if one.broken]
    if not broken:
        return Finding("ok", what, f"none of {len(looks):,} looked at")
    shown = ", ".join(f"{data.where(one.index)}: {one.broken}" for one in broken[:3])
    said = f"{of(len(broken), len(looks), 'images looked at')} do not decode ({shown})"
    if len(broken) == len(looks):
        return Finding("stop", what, said, "make the set again from whole files")
    advice = "training leaves them out; make them again if they matter"
    return Finding("warn", what, said, advice)


def units(text: str) -> float:
    """How many syllables wide a text is: a syllable 1; Latin, digits and spaces a half each."""
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.5 for c in text)


def check_squeezed(data: Joined, looks: list[Look], settings: Settings) -> Finding:
    """Does a syllable keep enough pixels of width once the image is resized?

    A line that is n syllables wide, or n times as wide as high, gives a syllable at most 1/n of
    the width: of the image's own, where it is padded.
    """
    width, whole = settings.image_width, [one for one in looks if not one.broken]
    if not whole:
        return Finding("ok", "squeezed", "no image to look at")
    shares = [
        max(units(data.texts[one.index].strip()), one.width / one.height, 1.0) for one in whole
    ]
    widths = [min(width, _natural(one)) if settings.pad else width for one in whole]
    pixels = [own / share for own, share in zip(widths, shares, strict=True)]
    thin = sorted((p, one.index) for p, one in zip(pixels, whole, strict=True))
    thin = [index for p, index in thin if p < MIN_SYLLABLE_PIXELS]
    median = float(np.median(pixels))
    if len(thin) <= 0.01 * len(whole):
        said = f"a syllable is about {median:.0f} pixels wide at width {width}"
        return Finding("ok", "squeezed", said)
    wanted = -(-int(np.ceil(MIN_SYLLABLE_PIXELS * share_of(shares))) // 4) * 4
    said = (
        f"{of(len(thin), len(whole), 'images looked at')} are squeezed until a syllable is under "
        f"{MIN_SYLLABLE_PIXELS} pixels wide (median {median:.1f} at width {width}; "
        f"{data.examples(thin)})"
    )
    return Finding("warn", "squeezed", said, f"--image-width {wanted}, or shorter pieces of text")


def _natural(one: Look) -> float:
    """How wide an image would be at a height of 32 pixels."""
    return 32 * one.width / one.height


def check_shapes(data: Joined, looks: list[Look], settings: Settings) -> list[Finding]:
    """Are they lines of text, large enough to read, and not stretched several times over?"""
    whole, found = [one for one in looks if not one.broken], []
    if not whole:
        return []
    high = [
        one.index
        for one in whole
        if one.height > 1.5 * one.width and len(data.labels[one.index]) > 1
    ]
    if high:
        said = f"{of(len(high), len(whole), 'images looked at')} are higher than wide "
        said += f"({data.examples(high)}): upright text, or pages?"
        advice = "cut pages into lines, turn the images, or leave them out: lines are read sideways"
        found.append(Finding("warn", "higher than wide", said, advice))
    small = [one.index for one in whole if one.height < MIN_HEIGHT]
    if len(small) > 0.01 * len(whole):
        said = f"{of(len(small), len(whole), 'images looked at')} are under {MIN_HEIGHT} pixels "
        said += f"high ({data.examples(small)}): their strokes are lost already"
        advice = "cut them from larger pictures; resizing brings nothing back"
        found.append(Finding("warn", "small", said, advice))
    natural = [_natural(one) for one in whole]
    if settings.image_width > 3 * (median := float(np.median(natural))):
        usual = max(-(-int(np.ceil(share_of(natural))) // 4) * 4, 8)
        said = f"at 32 pixels of height the images are about {median:.0f} pixels wide, and would "
        way = "padded" if settings.pad else "stretched"
        said += f"be {way} to {settings.image_width}: slow, and unlike what was drawn"
        advice = f"--image-width {usual} (99 % are not squeezed)"
        if usual < settings.image_width:
            found.append(Finding("warn", "stretched", said, advice))
    narrow, wide = np.quantile(natural, (0.05, 0.95))
    if wide > MIXED * narrow and not settings.pad:
        said = f"at 32 pixels of height one image in twenty is under {narrow:.0f} pixels wide and "
        said += f"one in twenty over {wide:.0f}: at one width, a syllable of the first is drawn "
        said += f"{wide / narrow:.0f} times as wide as one of the second"
        found.append(Finding("warn", "mixed shapes", said, "--pad keeps the shapes"))
    return found or [Finding("ok", "shapes", f"{len(whole):,} images looked at are lines of text")]


def check_overlap(train: Joined, test: Joined) -> list[Finding]:
    """Which labels and which very images of the test set are in the training set too?"""
    known = set(train.labels)
    seen = [i for i, label in enumerate(test.labels) if label in known]
    said = f"{of(len(seen), len(test), 'test labels')} are training labels too"
    if not seen:
        found = [Finding("ok", "test: same labels", "training knows none of the test labels")]
    else:
        advice = "the score tells how known words are read: keep some words for the test alone"
        said += f" ({test.examples(seen)})"
        found = [Finding("warn", "test: same labels", said, advice)]

    # The same picture mostly has the same label: those first, then others up to a limit.
    looked = sample(test)
    labels = {test.labels[i] for i in looked}
    alike = [i for i, label in enumerate(train.labels) if label in labels][: 10 * SAMPLE]
    pictures = {_digest(train, i) for i in {*alike, *sample(train)}} - {""}
    same = [i for i in looked if _digest(test, i) in pictures]
    said = f"{of(len(same), len(looked), 'test images looked at')} are training images too"
    if not same:
        found.append(Finding("ok", "test: same images", said))
    else:
        # A test set that is training's own measures memory.
        level = "stop" if 2 * len(same) > len(looked) else "warn"
        advice = "take them out of one of the sets: the score would measure memory"
        said += f" ({test.examples(same)})"
        found.append(Finding(level, "test: same images", said, advice))
    return found


def _digest(data: Joined, index: int) -> str:
    try:
        return hashlib.sha256(data.image_bytes(index)).hexdigest()
    except OcrkitError:
        return ""
