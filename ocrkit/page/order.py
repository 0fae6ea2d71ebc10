"""In which order runs are read: boxes as wholes, columns one after the other, rows from the top."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ocrkit.page.ink import Rules, find_pieces, spread
from ocrkit.page.lines import Run

# Runs of one row are one line up to this gap, in glyph heights.
ROW_GAP = 8.0
# A column of text is at least this wide (glyph heights) and has at least so many rows.
COLUMN_WIDTH, COLUMN_ROWS = 7.0, 3


@dataclass
class Block:
    """Something that is read as a whole: a box, and what stands in it in reading order."""

    x0: int
    y0: int
    x1: int
    y1: int
    items: list


def enclosed(rules: Rules, g: float) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
    """Areas that ruled lines close in: (labels (H, W), boxes x0, y0, x1, y1 of labels 1, 2, ...).

    The page around them has label 0, as has whatever is too small for text.
    """
    reach = max(1, round(0.3 * g))
    # ends that nearly meet, meet
    walls = spread(rules.level, 2 * reach, 0) | spread(rules.upright, 0, 2 * reach)
    areas = find_pieces(np.pad(~walls, 1, constant_values=True), connectivity=4)
    kept = (areas.width >= 1.2 * g) & (areas.height >= 1.2 * g)
    kept &= areas.width * areas.height <= 0.98 * walls.size
    kept[areas.labels[0, 0] - 1] = False  # the page around them
    numbers = np.concatenate(([0], np.where(kept, np.cumsum(kept), 0)))
    boxes = np.stack([areas.x0, areas.y0, areas.x1, areas.y1], axis=1)[kept] - 1
    return numbers[areas.labels[1:-1, 1:-1]], list(map(tuple, boxes.tolist()))


def read_order(runs: list[Run], rules: Rules, g: float) -> list[list[Run]]:
    """Lines in reading order, each a list of runs from left to right."""
    labels, boxes = enclosed(rules, g)
    height, width = labels.shape
    homes: dict[int, list[Run]] = {}
    for run in runs:
        y, x = min((run.y0 + run.y1) // 2, height - 1), min((run.x0 + run.x1) // 2, width - 1)
        homes.setdefault(int(labels[y, x]), []).append(run)
    loose = _bubbles(homes.pop(0, []), rules, g)
    cells = [Block(*boxes[home - 1], _order(items, rules, g)) for home, items in homes.items()]
    items = _order(loose + _tables(cells, g), rules, g)
    return [line for item in items for line in _flat(item)]


def _flat(item: Block | list[Run]) -> list[list[Run]]:
    if isinstance(item, Block):
        return [line for each in item.items for line in _flat(each)]
    return [item]


def _tables(cells: list[Block], g: float) -> list[Block]:
    """Cells that touch are one table, read row by row; a cell inside another belongs to it."""

    def touch(cell: Block, c: Block) -> bool:
        beside = c.x0 - g < cell.x1 and cell.x0 < c.x1 + g
        return beside and c.y0 - g < cell.y1 and cell.y0 < c.y1 + g

    cells = sorted(cells, key=lambda c: (c.x1 - c.x0) * (c.y1 - c.y0), reverse=True)
    found = []
    for table in _groups(cells, touch):
        from_top = sorted(table, key=lambda c: c.y0)
        rows = _split(from_top, lambda row, cell: cell.y0 < row[0].y0 + 0.8 * g)
        items = [c for row in rows for c in sorted(row, key=lambda c: c.x0)]
        found.append(_block(items))
    return found


def _groups(items: list, near: Callable[[Any, Any], bool]) -> list[list]:
    """Items in groups, each near another of its group."""
    groups: list[list] = []
    for item in items:
        joined = [any(near(item, other) for other in group) for group in groups]
        one = [*itertools.chain(*itertools.compress(groups, joined)), item]
        groups = [*(g for g, j in zip(groups, joined, strict=True) if not j), one]
    return groups


def _split(items: list, goes_on: Callable[[list, Any], bool]) -> list[list]:
    """Items in order, cut before each that does not go on with those since the last cut."""
    parts: list[list] = []
    for item in items:
        if parts and goes_on(parts[-1], item):
            parts[-1].append(item)
        else:
            parts.append([item])
    return parts


def _block(items: list) -> Block:
    box = _boxes(items)
    (x0, y0), (x1, y1) = box[:, :2].min(axis=0), box[:, 2:].max(axis=0)
    return Block(x0, y0, x1, y1, items)


def _bubbles(runs: list[Run], rules: Rules, g: float) -> list:
    """Runs of a coloured box, one below the other, become a block; the others stay as they are."""
    for run in sorted(runs, key=lambda r: r.x0):  # a box is as long as its line
        for other in runs:
            level = abs(_middle(run) - _middle(other)) < 0.5 * other.height
            if other.in_box and level and _one_line(*sorted((run, other), key=lambda r: r.x0)):
                run.in_box = True
    loose: list = [run for run in runs if not run.in_box]
    for bubble in _groups(sorted((r for r in runs if r.in_box), key=_middle), _one_box):
        block = replace(_block(bubble), items=_order(bubble, rules, g))
        loose += bubble if len(bubble) == 1 else [block]
    return loose


def _one_box(run: Run, other: Run) -> bool:
    """Whether two runs stand near on one coloured box."""
    size = max(run.height, other.height)
    near = max(run.y0, other.y0) - min(run.y1, other.y1) < 1.3 * size
    beside = max(run.x0, other.x0) - min(run.x1, other.x1) < 1.5 * size
    same = abs(run.paper[0] - other.paper[0]) < 6 and run.light == other.light
    return near and beside and same


def _order(items: list, rules: Rules, g: float) -> list:
    """Runs and blocks in reading order; runs of one row come as one list."""
    cut = _find_gutter(items, rules, g)
    if cut is None:
        return _rows(items, rules, g)
    x, top, bottom = cut
    above = [i for i in items if _middle(i) < top]
    below = [i for i in items if _middle(i) > bottom]
    between = [i for i in items if top <= _middle(i) <= bottom]
    left = [i for i in between if (i.x0 + i.x1) / 2 < x]
    left, foot = _without_footer(left, x, g)
    below = foot + below
    right = [i for i in between if (i.x0 + i.x1) / 2 >= x]
    return [each for part in (above, left, right, below) for each in _order(part, rules, g)]


def _without_footer(left: list, x: float, g: float) -> tuple[list, list]:
    """A left column, and what stands alone below it near the gutter at x: a page number."""
    left = sorted(left, key=_middle)
    if len(left) > 1:
        edge, last = min(i.x0 for i in left), left[-1]
        if x - last.x1 < last.x0 - edge and last.y0 - max(i.y1 for i in left[:-1]) > 1.5 * g:
            return left[:-1], [last]
    return left, []


def _middle(item: Run | Block) -> float:
    return (item.y0 + item.y1) / 2


def _find_gutter(items: list, rules: Rules, g: float) -> tuple[float, float, float] | None:
    """(x, top, bottom) of the longest space between two columns, or None."""
    if len(items) < 2:
        return None
    box = _boxes(items)
    best, longest = None, 0.0
    for x in _candidates(box, g):
        crossing = (box[:, 0] < x) & (box[:, 2] > x)
        middle = (box[:, 1] + box[:, 3]) / 2
        cuts = np.sort(middle[crossing])
        for top, bottom in zip([-np.inf, *cuts], [*cuts, np.inf], strict=True):
            inside = (middle > top) & (middle < bottom) & ~crossing
            zone = box[inside]
            if not len(zone):
                continue
            left, right = zone[zone[:, 2] <= x], zone[zone[:, 0] >= x]
            if not len(left) or not len(right):
                continue
            low = max(left[:, 1].min(), right[:, 1].min())
            high = min(left[:, 3].max(), right[:, 3].max())
            if high - low <= longest or not (
                _walled(rules, left[:, 2].max(), right[:, 0].min(), low, high)
                or (_is_column(left, g) and _is_column(right, g))
            ):
                continue
            longest = high - low
            best = (x, zone[:, 1].min(), zone[:, 3].max())
    return best


def _candidates(box: np.ndarray, g: float) -> np.ndarray:
    """Places right of some box that few boxes cross."""
    places = np.unique(np.round((box[:, 2] + 0.2 * g) / (0.4 * g))) * 0.4 * g
    crossing = ((box[:, 0] < places[:, None]) & (box[:, 2] > places[:, None])).sum(axis=1)
    return places[crossing <= 0.5 * len(box)]


def _walled(rules: Rules, left: float, right: float, top: float, bottom: float) -> bool:
    """Whether an upright rule stands between two columns along most of their height."""
    part = rules.upright[int(top) : int(bottom) + 1, max(0, int(left) - 2) : int(right) + 3]
    return part.size > 0 and bool(part.any(axis=1).mean() > 0.6)


def _is_column(box: np.ndarray, g: float) -> bool:
    """Whether boxes (n, 4) are running text: wide, of several rows, and most rows well filled."""
    width = box[:, 2].max() - box[:, 0].min()
    rows = _row_numbers(box)
    filled = np.bincount(rows, box[:, 2] - box[:, 0])
    long = (filled > 0.55 * width).mean() >= 0.5
    return bool(width >= COLUMN_WIDTH * g and len(filled) >= COLUMN_ROWS and long)


def _row_numbers(box: np.ndarray) -> np.ndarray:
    """Which row each box (n, 4) stands in, counted from the top."""
    rows = np.zeros(len(box), int)
    row, bottom, top = -1, -np.inf, -np.inf
    for i in np.argsort((box[:, 1] + box[:, 3]) / 2, kind="stable"):
        _, y0, _, y1 = box[i]
        common = min(bottom, y1) - max(top, y0)
        if common >= 0.5 * min(y1 - y0, bottom - top):
            if y1 - y0 < 1.5 * (bottom - top):  # a tall bar must not draw the next row in
                top, bottom = min(top, y0), max(bottom, y1)
        else:
            row, top, bottom = row + 1, y0, y1
        rows[i] = row
    return rows


def _rows(items: list, rules: Rules, g: float) -> list:
    """Items from the top; those of one row from the left, runs that stand near as one line."""
    if not items:
        return []
    numbers = _row_numbers(_boxes(items))
    found: list = []
    for number in range(numbers.max() + 1):
        row = sorted((items[i] for i in np.flatnonzero(numbers == number)), key=lambda i: i.x0)
        if any(isinstance(item, Block) for item in row):
            found += _beside_blocks(row, rules, g)
        else:
            found += _split(row, lambda line, run: _one_line(line[-1], run))
    return found


def _beside_blocks(row: list, rules: Rules, g: float) -> list:
    """Blocks and what stands beside them, from the left; a lone note (a time) comes last."""
    stacks = _split(row, lambda stack, item: item.x0 < max(i.x1 for i in stack))
    notes = [s for s in stacks if len(s) == 1 and isinstance(s[0], Run) and len(stacks) > 1]
    found: list = []
    for stack in [s for s in stacks if s not in notes] + notes:
        if len(stack) == 1:
            found.append(stack[0] if isinstance(stack[0], Block) else stack)
        elif len(stacks) > 1:
            found += _order(stack, rules, g)
        else:  # one above the other, though their boxes overlap
            found += [[i] if isinstance(i, Run) else i for i in sorted(stack, key=_middle)]
    return found


def _boxes(items: list) -> np.ndarray:
    return np.array([(i.x0, i.y0, i.x1, i.y1) for i in items], float)


def _one_line(left: Run, right: Run) -> bool:
    """Whether two runs of a row are one line: near, on the same paper, of about one size."""
    size = max(left.height, right.height)
    gap = right.x0 - left.x1
    if left.light != right.light or abs(left.paper[1] - right.paper[0]) > 10:
        return False
    # dots, dashes and quotes stand close to what they belong to
    return gap <= ROW_GAP * size and (
        size < 1.5 * min(left.height, right.height) or gap <= 0.7 * size
    )
