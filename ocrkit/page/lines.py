"""Pieces of ink become runs of text: chained along a line, marks with them, touching lines cut.

A run is what stands together without a wide gap; `order` joins the runs of one line.
All lengths are multiples of glyph heights: the page's (g) or that of the pieces at hand.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ocrkit.page.ink import Pieces, syllable_height, unlike_text

# Pieces of a line overlap in height by this share of the lower, and stand at most this far apart.
OVERLAP, GAP = 0.5, 1.2
# A piece under this share of its neighbours' height is a mark: a dot, a part of a syllable.
MARK = 0.45
# Pieces larger than this are pictures.
PICTURE = 6.0
_MOST_PAIRS = 1_000_000  # looked at together, which bounds the memory


@dataclass
class Run:
    """Text that stands together: a box in pixels of the working picture."""

    x0: int
    y0: int
    x1: int
    y1: int
    glyph: float  # height of its glyphs in pixels
    pieces: np.ndarray  # (n,) indices of its pieces of ink
    ink: int  # their pixels
    light: bool = False  # is the ink lighter than the paper?
    paper: tuple[float, float] = (255.0, 255.0)  # its grey behind the left and the right end
    in_box: bool = False  # does that paper end near an end, as in a coloured box or a bubble?

    @property
    def height(self) -> int:
        return self.y1 - self.y0

    @property
    def width(self) -> int:
        return self.x1 - self.x0


def find_runs(pieces: Pieces, grey: np.ndarray, g: float, walls: np.ndarray) -> list[Run]:
    """The runs of text that pieces of ink make.

    grey: (H, W) uint8, the page.
    g: glyph height of the page in pixels.
    walls: (H, W) bool, upright rules: what stands on both sides of one is not joined.
    """
    kept = np.flatnonzero(_looks_like_text(pieces, g) & ~unlike_text(pieces, grey))
    if not len(kept):
        return []
    part = _take(pieces, kept)
    groups = _gather(_chain(part, g, walls))
    bands = [band for group in groups for band in _cut_touching(part, group, g)]
    runs = [_run(part, _without_bars(part, band, g)) for band in bands]
    g = max(g, _usual_height(runs))
    runs = _attach_marks(part, runs, g)
    return [replace(run, pieces=kept[run.pieces]) for run in runs if _is_text(run, g)]


def _looks_like_text(pieces: Pieces, g: float) -> np.ndarray:
    width, height = pieces.width, pieces.height
    picture = (height > PICTURE * g) | ((width > 10 * g) & (height > 2.2 * g))
    picture |= (width > 3 * g) & (height > 0.3 * g) & (pieces.area > 0.7 * width * height)
    dust = np.maximum(width, height) < max(2, 0.07 * g)
    return ~picture & ~dust


def _take(pieces: Pieces, kept: np.ndarray) -> Pieces:
    """Some of the pieces; `labels` stays as it is, so that it holds their numbers from before."""
    boxes = (pieces.x0, pieces.y0, pieces.x1, pieces.y1, pieces.area)
    return Pieces(pieces.labels, *(values[kept] for values in boxes))


def _chain(p: Pieces, g: float, walls: np.ndarray) -> np.ndarray:
    """A number for every piece, equal for those that neighbours link along a line."""
    order = np.argsort(p.x0, kind="stable")
    x0, y0, x1, y1, height = (v[order] for v in (p.x0, p.y0, p.x1, p.y1, p.height))
    reach = GAP * np.maximum(height, 0.7 * g)
    wall = np.pad(np.cumsum(walls, axis=1, dtype=np.int32), ((0, 0), (1, 0)))
    # pieces that begin within reach on the right: next to each other in this order
    count = np.searchsorted(x0, x1 + np.percentile(reach, 99)) - np.arange(len(order)) - 1
    firsts, seconds = [], []
    for some in np.array_split(np.arange(len(order)), 1 + int(count.sum()) // _MOST_PAIRS):
        i = np.repeat(some, count[some])
        j = i + 1 + np.arange(len(i)) - np.repeat(np.cumsum(count[some]) - count[some], count[some])
        common = np.minimum(y1[i], y1[j]) - np.maximum(y0[i], y0[j])
        low, high = np.minimum(height[i], height[j]), np.maximum(height[i], height[j])
        linked = common >= OVERLAP * low
        linked &= x0[j] - x1[i] <= np.maximum(reach[i], reach[j])
        linked &= (high < 3.2 * low) | (high < 1.4 * g)
        i, j = i[linked], j[linked]
        row = (np.maximum(y0[i], y0[j]) + np.minimum(y1[i], y1[j])) // 2
        between = wall[row, np.maximum(x0[j], x1[i])] != wall[row, np.minimum(x0[j], x1[i])]
        firsts.append(order[i[~between]])
        seconds.append(order[j[~between]])
    i, j = np.concatenate(firsts), np.concatenate(seconds)
    links = coo_array((np.ones(len(i), bool), (i, j)), shape=(len(order), len(order)))
    return connected_components(links, directed=False)[1]


def _gather(labels: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _run(p: Pieces, group: np.ndarray) -> Run:
    x0, y0 = int(p.x0[group].min()), int(p.y0[group].min())
    x1, y1 = int(p.x1[group].max()), int(p.y1[group].max())
    return Run(x0, y0, x1, y1, syllable_height(p.height[group]), group, int(p.area[group].sum()))


def _usual_height(runs: list[Run]) -> float:
    """The median height of runs that are wide enough to hold a full-height glyph, or 0."""
    runs = sorted((r for r in runs if r.width > 3 * r.height), key=lambda r: r.height)
    widths = np.cumsum([r.width for r in runs])
    return float(runs[np.searchsorted(widths, widths[-1] / 2)].height) if runs else 0.0


def _cut_touching(p: Pieces, group: np.ndarray, g: float) -> list[np.ndarray]:
    """Lines that a stain, a stamp or a tall piece had chained, apart again.

    They show as a profile of glyph centres with several peaks: pieces go to the nearest band.
    """
    top, bottom = int(p.y0[group].min()), int(p.y1[group].max())
    tall = syllable_height(p.height[group])
    usual = float(np.median(p.height[group][p.height[group] >= MARK * tall]))
    if bottom - top < 1.7 * max(usual, 0.7 * g) or len(group) < 4:
        return [group]
    body = group[(p.height[group] >= MARK * usual) & (p.height[group] < 1.6 * usual)]
    profile = np.zeros(bottom - top + 1)
    np.add.at(profile, p.y0[body] - top, p.width[body])
    np.add.at(profile, p.y1[body] - top, -p.width[body])
    profile = np.cumsum(profile)
    filled = profile > 0.2 * profile.max()
    edges = np.flatnonzero(np.diff(np.concatenate(([0], filled.astype(int), [0]))))
    bands = [(a, b) for a, b in edges.reshape(-1, 2) if b - a >= 0.6 * usual]
    if len(bands) < 2:
        return [group]
    centres = np.array([top + (a + b) / 2 for a, b in bands])
    middle = (p.y0[group] + p.y1[group]) / 2
    nearest = np.abs(middle[:, None] - centres).argmin(axis=1)
    return [group[nearest == k] for k in range(len(bands)) if (nearest == k).any()]


def _without_bars(p: Pieces, group: np.ndarray, g: float) -> np.ndarray:
    """Without what is left of a broken frame: bars much higher than the glyphs beside them."""
    usual = max(g, float(np.median(p.height[group])))
    bar = (p.width[group] < 0.2 * g) & (p.height[group] > 1.5 * usual)
    return group if bar.all() else group[~bar]


def _attach_marks(p: Pieces, runs: list[Run], g: float) -> list[Run]:
    """Runs of low pieces (accents, quotes, parts of a syllable) go to the run they belong to."""
    runs = sorted(runs, key=lambda r: -r.height * r.width)
    while joined := _best_host(runs, g):
        mark, host = joined
        runs[host] = _run(p, np.concatenate([runs[host].pieces, runs[mark].pieces]))
        del runs[mark]
    return runs


def _best_host(runs: list[Run], g: float) -> tuple[int, int] | None:
    """(mark, host): the next two runs that are one, or None."""
    x0, y0, x1, y1 = np.array([(r.x0, r.y0, r.x1, r.y1) for r in runs]).T
    height, width = y1 - y0, x1 - x0
    size = np.maximum([r.glyph for r in runs], 0.9 * g)
    for mark in np.argsort(height, kind="stable"):
        both = np.maximum(y1, y1[mark]) - np.minimum(y0, y0[mark])
        apart = np.maximum(x0, x0[mark]) - np.minimum(x1, x1[mark])
        between = np.maximum(y0, y0[mark]) - np.minimum(y1, y1[mark])
        fits = (apart <= 0.6 * size) & (between <= 0.3 * size) & (height[mark] < 0.75 * g)
        fits &= both <= np.maximum(1.45 * size, height)  # no growing, speck by speck
        # upper and lower parts of widely set syllables, each lower than a line, touch or overlap
        halves = (between <= 0.08 * g) & (height < 1.1 * g) & (both <= 1.9 * g)
        tall = np.minimum(height, 1.3 * size)
        halves |= (-between >= 0.15 * height[mark]) & (both <= 1.8 * tall)
        halves &= -apart >= 0.5 * np.minimum(width, width[mark])
        fits |= halves
        fits &= height[mark] <= height
        fits[mark] = False
        hosts = np.flatnonzero(fits)
        if len(hosts):
            distance = np.maximum(apart, 0) + np.maximum(between, 0)
            return int(mark), int(hosts[distance[hosts].argmin()])
    return None


def _is_text(run: Run, g: float) -> bool:
    """False for dust, dotted leaders and bits of pictures."""
    bar = run.height > 1.3 * g and run.width < 0.25 * run.height
    return not bar and 0.4 * g <= run.height <= PICTURE * g and run.ink >= 0.04 * g * g
