"""A grey page becomes its lines, in reading order, each with a clean crop for a reader."""

from dataclasses import dataclass

import cv2
import numpy as np

from ocrkit.page.ink import (
    LARGE,
    SMALL,
    WORKING,
    Pieces,
    find_pieces,
    find_rules,
    ink,
    measure,
    without_rules,
)
from ocrkit.page.lines import Run, find_runs
from ocrkit.page.order import read_order
from ocrkit.page.turn import find_turn, turned, upright_matrix

# Of a line's height, kept around it: the more, the smaller its letters are at the reader's height,
# and the worse they are read.
MARGIN = 0.06
# Small glyphs are looked at enlarged, and strips turned, if that makes no more pixels than this.
MOST_PIXELS = 32_000_000
# A sheet that fills its picture has 1.5 times the pixels when turned by 15 degrees.
SHEET_TURNED = 1.6


@dataclass(frozen=True)
class FoundLine:
    """A line: box x, y, width, height in pixels of the working picture, and its crop (H, W) uint8.

    The crop is dark on light and holds no ruled lines and no ink of other lines; `left` and `top`
    are where it begins in the working picture.
    """

    box: tuple[int, int, int, int]
    crop: np.ndarray
    left: int
    top: int


@dataclass(frozen=True)
class Layout:
    """What was found on a page."""

    # (H, W) uint8, the working picture: upright, and scaled to glyphs of 16 to 40 pixels
    grey: np.ndarray
    matrix: np.ndarray  # (2, 3), from pixels of the file's picture to those of `grey`
    quarters: int  # this and degrees: counter-clockwise turns that made the page upright
    degrees: float
    glyph: float  # height of a glyph in `grey`, 0 where there is no text
    lines: list[FoundLine]  # in reading order

    def corners(self, line: FoundLine) -> tuple[tuple[int, int], ...]:
        """Top left, top right, bottom right, bottom left of a line in the file's own picture."""
        x, y, width, height = line.box
        ends = np.array([[x, x + width, x + width, x], [y, y, y + height, y + height], [1] * 4])
        back = np.linalg.inv(np.vstack([self.matrix, [0, 0, 1]]))
        return tuple((round(float(u)), round(float(v))) for u, v, _ in (back @ ends).T)


def find_lines(grey: np.ndarray, quarters: int | None = None) -> Layout:
    """Find the lines of a page.

    grey: (H, W) uint8, dark on light, light on dark or both.
    quarters: counter-clockwise quarter turns to make first; None looks for them.
    """
    g = measure(grey)
    finest = max(1.0, (MOST_PIXELS / max(grey.size, 1)) ** 0.5)
    scale = 1.0 if not g or SMALL <= g <= LARGE else min(WORKING / g, 2.0, finest)
    degrees, turn = 0.0, quarters or 0
    picture = turned(grey, 0, 0, scale)
    if g:
        mask = _text_ink(picture, g * scale)
        found, degrees = find_turn(np.rot90(mask, quarters or 0), g * scale)
        if quarters is None:
            turn = found
        elif found:
            degrees = 0.0
        _, (width, height) = upright_matrix(picture.shape[::-1], turn, degrees, 1)
        if width * height > max(MOST_PIXELS, SHEET_TURNED * picture.size):
            degrees = 0.0  # a long strip whose marks look askew
        picture = turned(picture, turn, degrees, 1)
    matrix, _ = upright_matrix(grey.shape[::-1], turn, degrees, scale)
    lines = _lines(picture, g * scale) if g else []
    return Layout(picture, matrix, turn, degrees, g * scale, lines)


def _text_ink(grey: np.ndarray, g: float) -> np.ndarray:
    """Ink of glyph size, (H, W) bool."""
    dark, light, _ = ink(grey, 3 * g)
    mask = dark if dark.sum() >= light.sum() else light
    pieces = find_pieces(mask)
    text = (pieces.height < 3 * g) & (pieces.width < 6 * g) & (pieces.height > 0.15 * g)
    return np.concatenate(([False], text))[pieces.labels]


def _lines(grey: np.ndarray, g: float) -> list[FoundLine]:
    dark, light, behind = ink(grey, 3 * g)
    rules = find_rules(dark | light, g)
    pieces, runs = {}, []
    for is_light, mask in ((False, dark), (True, light)):
        pieces[is_light] = find_pieces(without_rules(mask, rules, g))
        for run in find_runs(pieces[is_light], grey, g, rules.upright):
            run.light = is_light
            _look_behind(run, behind, g)
            runs.append(run)
    runs = _one_of_two(runs)
    ruled = rules.level | rules.upright
    page = (grey, behind, ruled, g)
    return [_cut(line, pieces[line[0].light], *page) for line in read_order(runs, rules, g)]


def _look_behind(run: Run, behind: np.ndarray, g: float) -> None:
    """Note the paper at both ends of a run, and whether it ends near one."""
    line, end, away = behind[run.y0 : run.y1], max(1, round(g)), round(1.6 * g)
    left = line[:, run.x0 : run.x0 + end]
    right = line[:, max(run.x0, run.x1 - end) : run.x1]
    run.paper = float(np.median(left)), float(np.median(right))
    beyond = line[:, [max(0, run.x0 - away), min(line.shape[1] - 1, run.x1 + away)]]
    run.in_box = bool((np.abs(np.median(beyond, axis=0) - run.paper) > 8).any())


def _one_of_two(runs: list[Run]) -> list[Run]:
    """Without the runs that are the inside or the outline of others: those of less ink."""

    def most_ink_against(run: Run) -> int:
        against = (other for other in runs if other.light != run.light)
        return max((other.ink for other in against if _common(run, other) > 0.5), default=0)

    return [run for run in runs if run.ink > most_ink_against(run)]


def _common(one: Run, other: Run) -> float:
    """The share of one run's box that another's covers."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(0, width) * max(0, height) / max(1, one.width * one.height)


def _cut(
    line: list[Run],
    pieces: Pieces,
    grey: np.ndarray,
    behind: np.ndarray,
    ruled: np.ndarray,
    g: float,
) -> FoundLine:
    x0, y0 = min(r.x0 for r in line), min(r.y0 for r in line)
    x1, y1 = max(r.x1 for r in line), max(r.y1 for r in line)
    pad = max(1, round(MARGIN * (y1 - y0)))
    left, top = max(0, x0 - pad), max(0, y0 - pad)
    where = np.s_[top : y1 + pad, left : x1 + pad]
    labels = pieces.labels[where]
    own = np.isin(labels, np.concatenate([r.pieces for r in line]) + 1)
    others = ((labels > 0) & ~own) | ruled[where]
    # the blurred edges of strokes go with them
    edge = np.ones((2 * max(1, round(0.06 * g)) + 1,) * 2, np.uint8)
    near_own, near_others = (cv2.dilate(m.view(np.uint8), edge) > 0 for m in (own, others))
    contrast = behind[where].astype(np.int16) - grey[where]
    if line[0].light:
        contrast = -contrast
    contrast[near_others & ~near_own] = 0
    strongest = max(float(np.percentile(contrast[own], 90)), 1.0)
    crop = 255 - np.clip(contrast * (235 / strongest), 0, 255)
    return FoundLine((x0, y0, x1 - x0, y1 - y0), crop.astype(np.uint8), left, top)
