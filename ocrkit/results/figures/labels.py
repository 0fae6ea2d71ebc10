"""Names beside points, placed so that no two names overlap and few points are covered."""

import math
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

Point = tuple[float, float]
Line = tuple[Point, Point]

_RADII = (9, 16, 26, 38, 52, 68, 86)  # points between a marker and its name
_ANGLES = tuple(math.radians(a) for a in range(0, 360, 15))
_COVER, _LEAVE, _CROSS, _STRIKE = 40.0, 1e5, 15.0, 25.0  # prices in points of distance


def place_labels(
    axes: Axes,
    labels: dict[str, Point],
    obstacles: Sequence[Point],
    path: Sequence[Point] = (),
    size: float = 7.5,
) -> list[Annotation]:
    """Write each name near its point, with a thin line to it.

    A greedy search over offsets: overlapping another name or leaving the axes is all but
    forbidden; covering a marker, the path or another name's line costs some, distance a little.

    Args:
        axes: laid out already (its limits and place in the figure are final).
        labels: name -> its point, in data coordinates.
        obstacles: other points, in data coordinates, better not covered.
        path: the corners of a drawn line, in data coordinates, better not covered.
        size: font size in points.
    """
    figure = axes.get_figure()
    renderer = figure.canvas.get_renderer()
    scale = figure.dpi / 72
    points = {name: axes.transData.transform(xy) for name, xy in labels.items()}
    markers = [axes.transData.transform(xy) for xy in [*obstacles, *labels.values()]]
    corners = [tuple(axes.transData.transform(corner)) for corner in path]
    drawn = list(pairwise(corners))
    frame = axes.get_window_extent(renderer)
    taken: list[Bbox] = []
    lines: list[Line] = []
    placed = []
    for name, (x, y) in sorted(points.items(), key=lambda item: item[1][0]):
        note = axes.annotate(
            name,
            labels[name],
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=size,
            ha="center",
            va="center",
            zorder=5,
            # A white ground keeps a name readable where it must cross the grid or a line.
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
            arrowprops={"arrowstyle": "-", "color": "#555555", "linewidth": 0.6, "shrinkA": 0},
        )
        box = note.get_window_extent(renderer)
        half_width, half_height = box.width / 2 + 2 * scale, box.height / 2 + 1 * scale
        best = None
        for radius in _RADII:
            if best is not None and best[0] <= radius:
                break  # from here on the distance alone costs more
            for angle in _ANGLES:
                # The name's nearest edge, not its centre, keeps the distance.
                cx = x + math.cos(angle) * (radius * scale + half_width)
                cy = y + math.sin(angle) * (radius * scale + half_height)
                here = Bbox.from_extents(
                    cx - half_width, cy - half_height, cx + half_width, cy + half_height
                )
                price = radius + _price(here, (x, y), frame, taken, markers, lines, scale)
                price += _STRIKE * any(_meets_box(line, here) for line in drawn)
                if best is None or price < best[0]:
                    best = (price, here, (cx, cy))
        _, here, (cx, cy) = best
        note.set_position(((cx - x) / scale, (cy - y) / scale))
        taken.append(here)
        lines.append(((x, y), (cx, cy)))
        placed.append(note)
    return placed


def _price(
    here: Bbox,
    point: Point,
    frame: Bbox,
    taken: list[Bbox],
    markers: list[Point],
    lines: list[Line],
    scale: float,
) -> float:
    price = sum(_LEAVE for box in taken if here.overlaps(box))
    inside = frame.x0 <= here.x0 and here.x1 <= frame.x1
    inside = inside and frame.y0 <= here.y0 and here.y1 <= frame.y1
    price += 0 if inside else _LEAVE
    near = here.padded(4 * scale)
    price += sum(_COVER for mx, my in markers if near.contains(mx, my))
    centre = ((here.x0 + here.x1) / 2, (here.y0 + here.y1) / 2)
    price += sum(_CROSS for line in lines if _meets_box(line, here))
    price += sum(_CROSS for box in taken if _meets_box((point, centre), box))
    return price


def _meets_box(line: Line, box: Bbox) -> bool:
    """Whether a segment meets a box: clip it by the box's four sides (Liang and Barsky, 1984)."""
    (x0, y0), (x1, y1) = line
    enter, leave = 0.0, 1.0
    sides = ((x0, x1 - x0, box.x0, box.x1), (y0, y1 - y0, box.y0, box.y1))
    for start, step, low, high in sides:
        if step == 0:
            if not low <= start <= high:
                return False
            continue
        first, second = sorted(((low - start) / step, (high - start) / step))
        enter, leave = max(enter, first), min(leave, second)
    return enter < leave
