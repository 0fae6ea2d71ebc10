"""How well texts were read: accuracy, error rates, and how sure we may be of them.

All of them compare labels: texts in composed form and without spaces, as the paper did. Edit
distances (Levenshtein) come from rapidfuzz.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rapidfuzz.distance import Levenshtein

from ocrkit.errors import OcrkitError
from ocrkit.hangul import to_jamo
from ocrkit.labels import label_of


@dataclass(frozen=True)
class Scores:
    """The scores of one set of readings."""

    accuracy: float  # percent of labels read without any mistake ("sentence accuracy")
    low: float  # 95 % interval of the accuracy, percent (`accuracy_interval`)
    high: float
    cer: float  # character error rate over the corpus: all edits / all reference characters
    # mean of 1 - edits / length of the longer; 1 is perfect (higher is better)
    norm_ed_icdar: float
    # the Korean fork's figure: the sum of edits / reference length, never divided by the number of
    # images (lower is better; grows with the test set)
    norm_ed_fork_sum: float
    jamo_error: float  # as `cer`, over Hangul letters: half-right syllables count as half right
    images: int  # how many labels were compared

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def error_rate(predictions: Sequence[str], references: Sequence[str]) -> float:
    """All edits over all reference characters, 0 and up; texts are taken as they are."""
    edits = sum(map(Levenshtein.distance, predictions, references))
    return edits / sum(map(len, references))


def rates(read: Sequence[str], true: Sequence[str]) -> tuple[float, float]:
    """Character error rates over all lines: without spaces, and with them."""
    return error_rate([*map(label_of, read)], [*map(label_of, true)]), error_rate(read, true)


def accuracy_interval(right: int, images: int) -> tuple[float, float]:
    """Wilson's 95 % interval of an accuracy, in percent (Wilson, 1927).

    It has a width even where all or none are right, as a bootstrap of so few images has not: 3 of 3
    may come from any accuracy above 44 %.
    Raises OcrkitError: no images, or more right ones than images.
    """
    if not 0 <= right <= images or not images:
        raise OcrkitError(f"no interval for {right} right ones of {images} images")
    from scipy.stats import binomtest  # here, for it takes long to import

    low, high = binomtest(right, images).proportion_ci(method="wilson")
    # Rounding must not keep the measured accuracy outside.
    return 100 * min(low, right / images), 100 * max(high, right / images)


def score(predictions: Sequence[str], references: Sequence[str]) -> Scores:
    """Score readings against what was written.

    predictions, references: texts of the same number; spaces are ignored in both.
    Raises OcrkitError: different numbers, none at all, or an empty reference.
    """
    if not 0 < len(predictions) == len(references):
        raise OcrkitError(
            f"{len(predictions)} readings cannot be scored against {len(references)} labels"
        )
    read, true = [label_of(p) for p in predictions], [label_of(r) for r in references]
    if "" in true:
        raise OcrkitError(f"label {true.index('')} is empty: leave it out before scoring")
    correct = [p == r for p, r in zip(read, true, strict=True)]
    low, high = accuracy_interval(sum(correct), len(correct))
    return Scores(
        accuracy=100 * sum(correct) / len(correct),
        low=low,
        high=high,
        cer=error_rate(read, true),
        # 1 - edits / length of the longer (ICDAR 2019, 1-N.E.D.)
        norm_ed_icdar=sum(map(Levenshtein.normalized_similarity, read, true)) / len(true),
        norm_ed_fork_sum=float(
            sum(Levenshtein.distance(p, r) / len(r) for p, r in zip(read, true, strict=True))
        ),
        jamo_error=error_rate([to_jamo(p) for p in read], [to_jamo(r) for r in true]),
        images=len(true),
    )
