"""What would go wrong with a training, found in labels and a sample of images before it begins."""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ocrkit.data.pictures import contrast_problem, decode
from ocrkit.data.store import ImageSet
from ocrkit.errors import OcrkitError
from ocrkit.experiments import label_checks
from ocrkit.experiments.label_checks import ConcatImageSets, Finding, Settings, part_of, share_of
from ocrkit.experiments.look_alikes import check_look_alikes
from ocrkit.models import parse_name
from ocrkit.reading import MIN_SYLLABLE_PIXELS, higher_than_wide
from ocrkit.training.losses import make_converter

SAMPLE = 2000  # images of a set that are looked at
# Lower than this, a syllable's strokes are not in the picture to begin with.
MIN_HEIGHT = 16
# Wide and narrow images of one set: from this ratio of their shapes on, they are worth padding.
MIXED = 4
_ORDER = ("stop", "warn", "ok")


@dataclass(frozen=True)
class SampledImage:
    """An image of the sample: its number in the set, its pixels, and what is wrong with it."""

    index: int
    width: int = 0
    height: int = 0
    broken: str = ""
    blank: str = ""

    @property
    def width_at_32(self) -> float:
        """How wide it would be at a height of 32 pixels."""
        return 32 * self.width / self.height


def diagnose(
    train: ImageSet | Sequence[ImageSet],
    model: str,
    *,
    image_width: int,
    max_length: int,
    charset: str,
    test: ImageSet | None = None,
    pad: bool = False,
    unfit_limit: float = 0.01,
) -> list[Finding]:
    """Look at one or more training sets, taken together, for a model.

    Args:
        model: such as "TPS-VGG-BiLSTM-Attn".
        image_width: pixels that every image is resized to.
        max_length: characters of the longest label.
        charset: the characters that the model would know.
        test: a set to validate or test on; looked at for itself, and for what it shares.
        pad: would the images keep their shapes and be padded, instead of stretched?
        unfit_limit: share of labels that may need more CTC frames than there are, 0 to 1.

    Returns:
        Findings: first what stops a training, then warnings, then what is well.

    Raises:
        OcrkitError: an unknown model, a charset that repeats itself, a width no model can have, or
            a set that cannot be read.
    """
    stages = parse_name(model)
    make_converter(stages.prediction, charset, max_length)
    if image_width < 8:
        raise OcrkitError(f"images {image_width} pixels wide are too narrow: use 8 or more")
    settings = Settings(stages, image_width, max_length, charset, unfit_limit, pad)
    data = ConcatImageSets([train] if isinstance(train, ImageSet) else train)
    if not len(data):
        raise OcrkitError("there is no training set to look at: give one")
    images = sampled_images(data)
    whole = [image for image in images if not image.broken]
    found = [
        *_checks_of_any_set(data, images, settings),
        check_squeezed(data, whole, settings),
        *check_shapes(data, whole, settings),
        label_checks.check_spaces(data),
        *label_checks.check_characters(data, settings),
        check_look_alikes(data),
        label_checks.check_size(data),
    ]
    if test is not None:
        other = ConcatImageSets([test], "test: ")
        found += _checks_of_any_set(other, sampled_images(other), settings)
        found += [label_checks.check_unseen(data, other), *check_overlap(data, other)]
    return sorted(found, key=lambda finding: _ORDER.index(finding.level))


def refuse(findings: list[Finding]) -> None:
    """Stop where a training would fail.

    Raises:
        OcrkitError: the first finding that says "stop", and how many more do.
    """
    stops = [finding for finding in findings if finding.level == "stop"]
    if stops:
        first, more = stops[0], len(stops) - 1
        also = f" (and {more} more: see `ocrkit diagnose`)" if more else ""
        raise OcrkitError(f"{first.what}: {first.message}; what to do: {first.advice}{also}")


def _checks_of_any_set(
    data: ConcatImageSets, images: list[SampledImage], settings: Settings
) -> list[Finding]:
    return [
        label_checks.check_frames(data, settings),
        label_checks.check_charset(data, settings),
        label_checks.check_length(data, settings),
        label_checks.check_empty(data),
        check_broken(data, images),
        check_contrast(data, images),
    ]


def sample(data: ConcatImageSets) -> list[int]:
    """Which images to look at: all of them, or `SAMPLE` at random (always the same)."""
    if len(data) <= SAMPLE:
        return list(range(len(data)))
    return np.sort(np.random.default_rng(0).choice(len(data), SAMPLE, replace=False)).tolist()


def sampled_images(data: ConcatImageSets) -> list[SampledImage]:
    """The sample, decoded."""
    found = []
    for index in sample(data):
        try:
            grey = decode(data.image_bytes(index))
        except OcrkitError as error:
            found.append(SampledImage(index, broken=str(error)))
            continue
        found.append(SampledImage(index, *grey.size, blank=contrast_problem(grey)))
    return found


def looked_at(found: Sequence, images: Sequence) -> str:
    """How many were found among the images of a sample, in words."""
    return part_of(len(found), len(images), "images looked at")


def check_contrast(data: ConcatImageSets, images: list[SampledImage]) -> Finding:
    """Is anything to be seen in the images?"""
    what, blank = f"{data.prefix}contrast", [image.index for image in images if image.blank]
    if not blank:
        return Finding("ok", what, f"none of {len(images):,} looked at is blank")
    text = f"{looked_at(blank, images)} are one grey all over "
    text += f"({data.examples(blank)}): nothing can be seen in them"
    level = "stop" if len(blank) == len(images) else "warn"
    return Finding(level, what, text, "make them again, or leave them out")


def check_broken(data: ConcatImageSets, images: list[SampledImage]) -> Finding:
    """Do the images decode?"""
    what, broken = f"{data.prefix}broken images", [image for image in images if image.broken]
    if not broken:
        return Finding("ok", what, f"none of {len(images):,} looked at")
    shown = ", ".join(f"{data.where(image.index)}: {image.broken}" for image in broken[:3])
    text = f"{looked_at(broken, images)} do not decode ({shown})"
    if len(broken) == len(images):
        return Finding("stop", what, text, "make the set again from whole files")
    return Finding("warn", what, text, "training leaves them out; make them again if they matter")


def width_in_syllables(text: str) -> float:
    """How many syllables wide a text is: a syllable 1; Latin, digits and spaces a half each."""
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.5 for c in text)


def check_squeezed(data: ConcatImageSets, whole: list[SampledImage], settings: Settings) -> Finding:
    """Does a syllable keep enough pixels of width once the image is resized?

    A line that is n syllables wide, or n times as wide as high, gives a syllable at most 1/n of
    the width: of the image's own, where it is padded.
    """
    width = settings.image_width
    if not whole:
        return Finding("ok", "squeezed", "no image to look at")
    texts = [data.texts[image.index].strip() for image in whole]
    syllables = [
        max(width_in_syllables(text), image.width / image.height, 1.0)
        for text, image in zip(texts, whole, strict=True)
    ]
    widths = [min(width, image.width_at_32) if settings.pad else width for image in whole]
    pixels = np.divide(widths, syllables)
    thin = [whole[i].index for i in np.argsort(pixels, kind="stable")]
    thin = thin[: int(np.sum(pixels < MIN_SYLLABLE_PIXELS))]
    if len(thin) <= 0.01 * len(whole):
        text = f"a syllable is about {np.median(pixels):.0f} pixels wide at width {width}"
        return Finding("ok", "squeezed", text)
    wanted = -(-int(np.ceil(MIN_SYLLABLE_PIXELS * share_of(syllables))) // 4) * 4
    text = (
        f"{looked_at(thin, whole)} are squeezed until a syllable is under "
        f"{MIN_SYLLABLE_PIXELS} pixels wide (median {np.median(pixels):.1f} at width {width}; "
        f"{data.examples(thin)})"
    )
    return Finding("warn", "squeezed", text, f"--image-width {wanted}, or shorter pieces of text")


def check_shapes(
    data: ConcatImageSets, whole: list[SampledImage], settings: Settings
) -> list[Finding]:
    """Are they lines of text, large enough to read, and not stretched several times over?"""
    if not whole:
        return []
    found: list[Finding] = []

    def warn(what: str, text: str, advice: str) -> None:
        found.append(Finding("warn", what, text, advice))

    tall = [image.index for image in whole if higher_than_wide(image.width, image.height)]
    if high := [index for index in tall if len(data.labels[index]) > 1]:
        text = f"{looked_at(high, whole)} are higher than wide "
        text += f"({data.examples(high)}): upright text, or pages?"
        advice = "cut pages into lines, turn the images, or leave them out: lines are read sideways"
        warn("higher than wide", text, advice)
    small = [image.index for image in whole if image.height < MIN_HEIGHT]
    if len(small) > 0.01 * len(whole):
        text = f"{looked_at(small, whole)} are under {MIN_HEIGHT} pixels "
        text += f"high ({data.examples(small)}): their strokes are lost already"
        warn("small", text, "cut them from larger pictures; resizing brings nothing back")
    widths, width = [image.width_at_32 for image in whole], settings.image_width
    usual = max(-(-int(np.ceil(share_of(widths))) // 4) * 4, 8)
    if width > 3 * (median := float(np.median(widths))) and usual < width:
        way = "padded" if settings.pad else "stretched"
        text = f"at 32 pixels of height the images are about {median:.0f} pixels wide, and would "
        text += f"be {way} to {width}: slow, and unlike what was drawn"
        warn("stretched", text, f"--image-width {usual} (99 % are not squeezed)")
    narrow, wide = np.quantile(widths, (0.05, 0.95))
    if wide > MIXED * narrow and not settings.pad:
        text = f"at 32 pixels of height one image in twenty is under {narrow:.0f} pixels wide and "
        text += f"one in twenty over {wide:.0f}: at one width, a syllable of the first is drawn "
        text += f"{wide / narrow:.0f} times as wide as one of the second"
        warn("mixed shapes", text, "--pad keeps the shapes")
    return found or [Finding("ok", "shapes", f"{len(whole):,} images looked at are lines of text")]


def check_overlap(train: ConcatImageSets, test: ConcatImageSets) -> list[Finding]:
    """Which labels and which very images of the test set are in the training set too?"""
    known, what = set(train.labels), "test: same labels"
    seen = [i for i, label in enumerate(test.labels) if label in known]
    found = [Finding("ok", what, "training knows none of the test labels")]
    if seen:
        text = f"{test.count(seen, 'test labels')} are training labels too ({test.examples(seen)})"
        advice = "the score tells how known words are read: keep some words for the test alone"
        found = [Finding("warn", what, text, advice)]

    # The same picture mostly has the same label: those first, then others up to a limit.
    looked = sample(test)
    labels = {test.labels[i] for i in looked}
    alike = [i for i, label in enumerate(train.labels) if label in labels][: 10 * SAMPLE]
    pictures = {_digest(train, i) for i in {*alike, *sample(train)}} - {""}
    same, what = [i for i in looked if _digest(test, i) in pictures], "test: same images"
    text = f"{part_of(len(same), len(looked), 'test images looked at')} are training images too"
    if not same:
        return [*found, Finding("ok", what, text)]
    # A test set that is training's own measures memory.
    level = "stop" if 2 * len(same) > len(looked) else "warn"
    advice = "take them out of one of the sets: the score would measure memory"
    return [*found, Finding(level, what, f"{text} ({test.examples(same)})", advice)]


def _digest(data: ConcatImageSets, index: int) -> str:
    try:
        return hashlib.sha256(data.image_bytes(index)).hexdigest()
    except OcrkitError:
        return ""
