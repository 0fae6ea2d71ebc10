"""How well words were found, and read: precision, recall, F1 at an IoU, end-to-end spotting.

The protocol of ICDAR 2015: quads are matched one to one, a match needs an IoU of at least 0.5,
and end to end it must also say the same. 0.7 asks for tighter quads.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ocrkit.errors import OcrkitError
from ocrkit.labels import label_of
from ocrkit.papers.shared.quads import iou_matrix

_RESAMPLES = 2_000


@dataclass(frozen=True)
class DetectionScores:
    """Scores over a set of images, in percent."""

    precision: float  # share of the found quads that are right
    recall: float  # share of the true words that were found
    f1: float  # harmonic mean of the two
    low: float  # 95 % bootstrap interval of `f1` over images
    high: float
    right: int  # how many quads
    found: int
    true: int


def match(found: np.ndarray, true: np.ndarray, threshold: float = 0.5) -> list[tuple[int, int]]:
    """Pairs (index found, index true) of an IoU of at least `threshold`, each index once, greedily.

    found, true: quads (n, 4, 2) and (m, 4, 2). Above 0.5 no matching has more pairs, if the
        true quads do not overlap.
    """
    overlap = iou_matrix(found, true)
    pairs: dict[int, int] = {}
    for flat in np.argsort(-overlap, axis=None, kind="stable"):
        i, j = map(int, divmod(flat, overlap.shape[1]))
        if overlap[i, j] < max(threshold, 1e-9):
            break
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return sorted(pairs.items())


def detection_scores(
    found: Sequence[np.ndarray], true: Sequence[np.ndarray], threshold: float = 0.5
) -> DetectionScores:
    """Score the quads found in some images.

    found, true: for each image its quads, (n, 4, 2).
    Raises OcrkitError: different numbers of images, or no true word in any.
    """
    _same_images(found, true)
    right = [len(match(f, t, threshold)) for f, t in zip(found, true, strict=True)]
    return _scores(right, found, true)


def spotting_scores(
    found: Sequence[np.ndarray],
    texts: Sequence[Sequence[str]],
    true: Sequence[np.ndarray],
    true_texts: Sequence[Sequence[str]],
) -> DetectionScores:
    """`detection_scores` end to end: a match counts only if the text read is the word's.

    texts, true_texts: for each image the texts of its quads; compared without spaces.
    Raises OcrkitError: as `detection_scores`, or not one text a quad.
    """
    _same_images(found, true, texts, true_texts)
    right = []
    for f, said, t, says in zip(found, texts, true, true_texts, strict=True):
        if len(f) != len(said) or len(t) != len(says):
            raise OcrkitError("each quad needs one text: give an empty one where nothing was read")
        pairs = match(f, t)
        right.append(sum(label_of(said[i]) == label_of(says[j]) for i, j in pairs))
    return _scores(right, found, true)


def _same_images(*parts: Sequence) -> None:
    numbers = [len(part) for part in parts]
    if len(set(numbers)) > 1:
        raise OcrkitError(f"lists for {numbers} images cannot be compared: give one entry an image")


def _scores(right: Sequence[int], found: Sequence, true: Sequence) -> DetectionScores:
    counts = np.array([right, [len(f) for f in found], [len(t) for t in true]], int)
    if not counts.size or not counts[2].sum():
        raise OcrkitError("no scores without a true word: give images that hold some")
    images = counts.shape[1]
    draws = np.random.default_rng(0).multinomial(images, np.full(images, 1 / images), _RESAMPLES)
    low, high = np.percentile(_f1(draws @ counts.T), [2.5, 97.5])
    totals = counts.sum(1)
    hits, found_all, true_all = (int(total) for total in totals)
    return DetectionScores(
        precision=100 * hits / found_all if found_all else 0.0,
        recall=100 * hits / true_all,
        f1=float(_f1(totals)),
        low=float(low),
        high=float(high),
        right=hits,
        found=found_all,
        true=true_all,
    )


def _f1(counts: np.ndarray) -> np.ndarray:
    """F1 in percent of counts (..., 3) of right, found and true quads; nothing at all is 100."""
    right, both = counts[..., 0], counts[..., 1] + counts[..., 2]
    return np.where(both > 0, 200 * right / np.maximum(both, 1), 100.0)
