"""What would go wrong with a training, said before it begins.

People who train Korean on the reference framework have sat at accuracy 0 for days over labels that
need more frames than there are, characters that were dropped, a maximum length, squeezed images.
All of it can be known from the labels and a sample of the images.
"""

from collections.abc import Sequence

from ocrkit.data.store import ImageSet
from ocrkit.errors import OcrkitError
from ocrkit.experiments.findings import Finding, Joined, Settings
from ocrkit.experiments.image_checks import (
    check_broken,
    check_contrast,
    check_overlap,
    check_shapes,
    check_squeezed,
    look,
    sample,
)
from ocrkit.experiments.label_checks import (
    check_characters,
    check_charset,
    check_empty,
    check_frames,
    check_length,
    check_size,
    check_spaces,
    check_unseen,
)
from ocrkit.experiments.look_alikes import check_look_alikes
from ocrkit.models import parse_name
from ocrkit.training.losses import make_converter

_ORDER = ("stop", "warn", "ok")


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
    """Look at one or more training sets, taken together, through the eyes of a model.

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
    data = Joined([train] if isinstance(train, ImageSet) else train)
    if not len(data):
        raise OcrkitError("there is no training set to look at: give one")
    looks = look(data, sample(data))
    found = [
        check_frames(data, settings),
        check_charset(data, settings),
        check_length(data, settings),
        check_empty(data),
        check_broken(data, looks),
        check_contrast(data, looks),
        check_squeezed(data, looks, settings),
        *check_shapes(data, looks, settings),
        check_spaces(data),
        *check_characters(data, settings),
        check_look_alikes(data),
        check_size(data),
    ]
    if test is not None:
        other = Joined([test])
        test_looks = look(other, sample(other))
        found += [
            check_frames(other, settings, "test: "),
            check_charset(other, settings, "test: "),
            check_length(other, settings, "test: "),
            check_empty(other, "test: "),
            check_broken(other, test_looks, "test: "),
            check_contrast(other, test_looks, "test: "),
            check_unseen(data, other),
            *check_overlap(data, other),
        ]
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
        raise OcrkitError(f"{first.what}: {first.said}; what to do: {first.advice}{also}")
