"""How well the drawn pages are found and read."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ocrkit.metrics import error_rate
from ocrkit.page.pages import Page
from ocrkit.page.synthetic import SyntheticPage

# A line is found when its box and the true one share this much of what both cover.
LEAST_IOU = 0.5

Corners = Sequence[tuple[float, float]]


def match(page: SyntheticPage, found: Sequence[Corners]) -> list[int | None]:
    """For each true line which of the found ones it is, by their boxes, or None.

    found: four corners each, in pixels of `page.image`.
    """
    if not found:
        return [None] * len(page.lines)
    back = np.linalg.inv(np.vstack([page.matrix, [0, 0, 1]]))[:2]
    points = np.array(found, float) @ back[:, :2].T + back[:, 2]
    low, high = points.min(axis=1), points.max(axis=1)
    pairs = []
    for line in page.lines:
        x, y, width, height = line.box
        shared = np.minimum(high, (x + width, y + height)) - np.maximum(low, (x, y))
        shared = np.clip(shared, 0, None).prod(axis=1)
        iou = shared / ((high - low).prod(axis=1) + width * height - shared)
        best = int(iou.argmax())
        pairs.append(best if iou[best] >= LEAST_IOU else None)
    return pairs


def order_kept(matches: Sequence[int | None]) -> float:
    """The share of neighbours in true reading order of which the second also comes later here."""
    found = [m for m in matches if m is not None]
    later = [a < b for a, b in pairwise(found)]
    return float(np.mean(later)) if later else 1.0


def measure_page(true: SyntheticPage, page: Page) -> dict[str, float | int | str]:
    """One row of pages.csv: what was found, in which order, and the page's character error rate."""
    matches = match(true, [line.corners for line in page.lines])
    said, wanted = ("".join(text.split()) for text in (page.text, true.text))
    return {
        "page": true.name,
        "lines": len(true.lines),
        "found": sum(m is not None for m in matches),
        "extra": len(page.lines) - len({m for m in matches if m is not None}),
        "order": round(order_kept(matches), 4),
        "characters": len(wanted),
        "cer": round(error_rate([said], [wanted]), 4),
    }
