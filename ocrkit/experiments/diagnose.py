"""What would go wrong with a training, found in labels and a sample of images before it begins."""

import hashlib
import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from ocrkit.data.pictures import contrast_problem, decode
from ocrkit.data.store import ImageSet
from ocrkit.errors import OcrkitError
from ocrkit.experiments import label_checks as labels
from ocrkit.experiments.label_checks import ConcatImageSets, Finding
from ocrkit.models import parse_name
from ocrkit.reading import MIN_SYLLABLE_PIXELS, higher_than_wide
from ocrkit.training.losses import make_converter

SAMPLE = 2000  # images of a set that are looked at
# Lower than this, a syllable's strokes are not in the picture to begin with.
MIN_HEIGHT = 16
# Wide and narrow images of one set: from this ratio of their shapes on, they are worth padding.
MIXED = 4
_ORDER = ("stop", "warn", "ok")


class SampledSets(ConcatImageSets):
    """Sets as one, of whose images all, or `SAMPLE` at random (always the same), are looked at."""

    @cached_property
    def sample(self) -> list[int]:
        size = min(len(self), SAMPLE)
        chosen = np.random.default_rng(0).choice(len(self), size, replace=False)
        return np.sort(chosen).tolist()

    @cached_property
    def images(self) -> pd.DataFrame:
        """The sample by number: width, height (pixels), and in words what is broken or blank."""
        found = list(map(self._look, self.sample))
        return pd.DataFrame(found, self.sample, ["width", "height", "broken", "blank"])

    def _look(self, index: int) -> tuple[int, int, str, str]:
        images, i = self.rows[index]
        try:
            grey = decode(images.image_bytes(i))
        except OcrkitError as error:
            return 0, 0, str(error), ""
        return *grey.size, "", contrast_problem(grey)

    @property
    def shapes(self) -> pd.Series:
        """Width / height of those that decode."""
        whole = self.images[self.images["broken"] == ""]
        return whole["width"] / whole["height"]

    def digest(self, index: int) -> str:
        images, i = self.rows[index]
        try:
            return hashlib.sha256(images.image_bytes(i)).hexdigest()
        except OcrkitError:
            return ""


def diagnose(
    train: ImageSet | Sequence[ImageSet],
    model: str,
    *,
    image_width: int,
    max_length: int,
    charset: str,
    test: ImageSet | None = None,
    test_name: str = "test",
    pad: bool = False,
    unfit_limit: float = 0.01,
) -> list[Finding]:
    """Look at one or more training sets, taken together, for a model.

    image_width: pixels that every image is resized to.
    max_length: characters of the longest label.
    test: a set to validate or test on; looked at for itself, and for what it shares.
    test_name: what findings about that set are headed.
    pad: would the images keep their shapes and be padded, instead of stretched?
    unfit_limit: share of labels that may need more CTC frames than there are, 0 to 1.
    Returns Findings: first what stops a training, then warnings, then what is well.
    Raises OcrkitError: an unknown model, a charset that repeats itself, a width no model can have,
    or a set that cannot be read.
    """
    stages = parse_name(model)
    make_converter(stages.prediction, charset, max_length)
    if image_width < 8:
        raise OcrkitError(f"images {image_width} pixels wide are too narrow: use 8 or more")
    how = (stages, image_width, max_length, charset, unfit_limit, pad)
    data = SampledSets([train] if isinstance(train, ImageSet) else train, "", *how)
    if not len(data):
        raise OcrkitError("there is no training set to look at: give one")
    found = [check(data) for check in (*_OF_ANY_SET, *_OF_TRAINING)] + check_shapes(data)
    if test is not None:
        other = SampledSets([test], f"{test_name}: ", *how)
        found += [check(other) for check in _OF_ANY_SET]
        found += [check(other, data) for check in _OF_BOTH]
    return sorted(found, key=lambda finding: _ORDER.index(finding.level))


def refuse(findings: list[Finding]) -> None:
    """Stop where a training would fail.

    Raises OcrkitError: the first finding that says "stop", and how many more do.
    """
    stops = [finding for finding in findings if finding.level == "stop"]
    if stops:
        first, more = stops[0], len(stops) - 1
        also = f" (and {more} more: see `ocrkit diagnose`)" if more else ""
        raise OcrkitError(f"{first.what}: {first.message}; what to do: {first.advice}{also}")


def check_contrast(data: SampledSets) -> Finding:
    """Is anything to be seen in the images?"""
    blank, looked = data.images.index[data.images["blank"] != ""].tolist(), len(data.images)
    problem = data.found(blank, "are one grey all over", looked)
    advice, level = "make them again, or leave them out", "stop" if len(blank) == looked else "warn"
    return data.judge("contrast", blank, problem, advice, level)


def check_broken(data: SampledSets) -> Finding:
    """Do the images decode?"""
    looked = len(data.images)
    broken = [(i, why) for i, why in zip(data.sample, data.images["broken"], strict=True) if why]
    shown = ", ".join(f"{data.where(i)}: {why}" for i, why in broken[:3])
    problem = f"{labels.part_of(len(broken), looked, 'images looked at')} do not decode ({shown})"
    level, advice = "warn", "training leaves them out; make them again if they matter"
    if len(broken) == looked:
        level, advice = "stop", "make the set again from whole files"
    return data.judge("broken images", broken, problem, advice, level)


def width_in_syllables(text: str) -> float:
    """How many syllables wide a text is: a syllable 1; Latin, digits and spaces a half each."""
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.5 for c in text)


def check_squeezed(data: SampledSets) -> Finding:
    """Does a syllable keep enough pixels of width once the image is resized?

    A line that is n syllables wide, or n times as wide as high, gives a syllable at most 1/n of
    the width: of the image's own, where it is padded.
    """
    width, shapes = data.image_width, data.shapes
    if shapes.empty:
        return Finding("ok", "squeezed")
    said = np.array([width_in_syllables(data.texts[i].strip()) for i in shapes.index])
    syllables = shapes.clip(lower=1.0).clip(lower=said)
    widths = (32 * shapes).clip(upper=width) if data.pad else width
    pixels = (widths / syllables).sort_values(kind="stable")
    thin = pixels.index[pixels < MIN_SYLLABLE_PIXELS].tolist()
    wanted = multiple_of_4(MIN_SYLLABLE_PIXELS * labels.enough_for_most(syllables))
    problem = f"are squeezed until a syllable is under {MIN_SYLLABLE_PIXELS} pixels wide, "
    problem += f"median {pixels.median():.1f} at width {width}"
    advice = f"--image-width {wanted}, or shorter pieces of text"
    bad = len(thin) > 0.01 * len(shapes)
    return data.judge("squeezed", bad, data.found(thin, problem, len(shapes)), advice)


def multiple_of_4(width: float) -> int:
    """The next width in whole pixels that is a multiple of 4."""
    return -(-math.ceil(width) // 4) * 4


def check_shapes(data: SampledSets) -> list[Finding]:
    """Are they lines of text, large enough to read, and not stretched several times over?"""
    width, widths = data.image_width, 32 * data.shapes
    if widths.empty:
        return []
    whole = data.images.loc[widths.index, ["width", "height"]]
    high = [
        i for i, w, h in whole.itertuples() if higher_than_wide(w, h) and len(data.labels[i]) > 1
    ]
    small = whole.index[whole["height"] < MIN_HEIGHT].tolist()
    usual = max(multiple_of_4(labels.enough_for_most(widths)), 8)
    narrow, median, wide = widths.quantile([0.05, 0.5, 0.95])
    upright = data.found(high, "are higher than wide", len(whole))
    low = data.found(small, f"are under {MIN_HEIGHT} pixels high", len(whole))
    stretched = f"at 32 pixels of height the images are about {median:.0f} pixels wide, and would "
    stretched += f"be {'padded' if data.pad else 'stretched'} to {width}: slow, and unlike any line"
    mixed = f"at 32 pixels of height one image in twenty is under {narrow:.0f} pixels wide and "
    mixed += f"one in twenty over {wide:.0f}: at one width, a syllable of the first is drawn "
    mixed += f"{wide / narrow:.0f} times as wide as one of the second"
    cut = "cut pages into lines, turn the images, or leave them out: lines are read sideways"
    larger = "cut them from larger pictures; resizing brings nothing back"
    fitting = f"--image-width {usual} (99 % are not squeezed)"
    much_wider = width > 3 * median and usual < width
    judged = (
        ("higher than wide", high, upright, cut),
        ("small", len(small) > 0.01 * len(whole), low, larger),
        ("stretched", much_wider, stretched, fitting),
        ("mixed shapes", wide > MIXED * narrow and not data.pad, mixed, "--pad keeps the shapes"),
    )
    return [data.judge(*about) for about in judged]


def check_unseen_in_training(test: SampledSets, train: SampledSets) -> Finding:
    """Does the test set hold characters that training never shows?"""
    missing = Counter(c for label in test.labels for c in label if c not in train.counts)
    bad = [i for i, label in enumerate(test.labels) if not missing.keys().isdisjoint(label)]
    listed = labels.characters(missing.most_common())
    problem = f"hold characters that no training label shows, {listed}"
    advice = "they cannot be read right: add training images that show them"
    return test.judge("unseen characters", bad, test.found(bad, problem), advice)


def check_same_labels(test: SampledSets, train: SampledSets) -> Finding:
    """Which labels of the test set are in the training set too?"""
    known = set(train.labels)
    seen = [i for i, label in enumerate(test.labels) if label in known]
    advice = "the score tells how known words are read: keep some words for the test alone"
    return test.judge("same labels", seen, test.found(seen, "are training labels too"), advice)


def check_same_images(test: SampledSets, train: SampledSets) -> Finding:
    """Which very images of the test set are in the training set too?"""
    # The same picture mostly has the same label: those first, then others up to a limit.
    texts = {test.labels[i] for i in test.sample}
    alike = [i for i, label in enumerate(train.labels) if label in texts][: 10 * SAMPLE]
    pictures = {train.digest(i) for i in {*alike, *train.sample}} - {""}
    same, looked = [i for i in test.sample if test.digest(i) in pictures], len(test.sample)
    # A test set that is training's own measures memory.
    level = "stop" if 2 * len(same) > looked else "warn"
    advice = "take them out of one of the sets: the score would measure memory"
    problem = test.found(same, "are training images too", looked)
    return test.judge("same images", same, problem, advice, level)


_OF_ANY_SET = (
    *(labels.check_frames, labels.check_charset, labels.check_length, labels.check_empty),
    *(check_broken, check_contrast),
)
_OF_TRAINING = (
    *(check_squeezed, labels.check_spaces, labels.check_unseen_characters),
    *(labels.check_images_a_character, labels.check_look_alikes, labels.check_size),
)
_OF_BOTH = (check_unseen_in_training, check_same_labels, check_same_images)
