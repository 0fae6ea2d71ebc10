"""Figures 4 and 5: accuracy against time and against parameters, the paper's 24 beside ours."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ocrkit.results.figures import style
from ocrkit.results.rows import Rows
from ocrkit.results.tables import cost_column, frontier, sources

_SIZES = {1: (6.8, 5.2), 2: (10.4, 5.2), 3: (13.2, 5.2)}  # inches, by panels
_FRONTIER: dict[str, Any] = {"color": style.INK, "linestyle": (0, (4, 3)), "linewidth": 1}
_NAME: dict[str, Any] = {  # under the markers, so that a name's white edge rubs none out
    **{"textcoords": "offset points", "ha": "center", "va": "center", "fontsize": 7.5},
    **{"zorder": 2.5, "path_effects": [withStroke(linewidth=1.5, foreground="white")]},
    "arrowprops": {"arrowstyle": "-", "color": style.FAINT, "linewidth": 0.7, "shrinkA": 0},
}
_RING = np.clip([(1.42 * np.cos(t), 1.42 * np.sin(t)) for t in np.arange(24) * np.pi / 12], -1, 1)


def accuracy_against(cost: str, reference: Rows = None, yours: Rows = None) -> Figure:
    """The paper's Figure 4 (cost "time") or 5 ("parameters") beside the same figure of our runs.

    One panel a source that has results; colour is the extractor, filled is TPS, shape the other
    two stages; the dashed steps are the true frontier, whose models are named.

    cost: "time" or "parameters".
    Raises OcrkitError: the cost has another name.
    """
    column = cost_column(cost)
    shown = sources(reference, yours, column, "accuracy_percent")
    with style.look():
        figure = style.new_figure(*_SIZES[len(shown)])
        panels = figure.subplots(1, len(shown), squeeze=False)[0]
        for axes, (source, rows) in zip(panels, shown.items(), strict=False):
            axes.set_title(f"{style.SOURCE_TITLES[source]}: {len(rows)} of 24 models")
            axes.set_xlabel(_cost_label(cost, source, rows), linespacing=1.5)
            axes.set_ylabel("sentence accuracy (%)")
            _draw(axes, rows, column)
        figure.legend(handles=_legend(), loc="outside lower center", ncols=5, fontsize=8)
        style.finish(figure)
        for axes, rows in zip(panels, shown.values(), strict=False):
            points = rows.set_index("model")[[column, "accuracy_percent"]]
            name_points(axes, points, frontier(rows, column)["model"].tolist())
        return figure


def name_points(axes: Axes, points: pd.DataFrame, names: Sequence[str]) -> list[Text]:
    """Write names near their points, with a thin line to each, off markers, steps and other names.

    axes: laid out already (its limits and place in the figure are final).
    points: all points that are drawn: columns x and y in data coordinates, indexed by name.
    names: of those that get their name: a frontier's models, the cheapest first.
    """
    notes = [axes.annotate(name, points.loc[name], (0, 0), **_NAME) for name in names]
    pt, frame, taken = axes.figure.dpi / 72, axes.get_window_extent(), np.empty((0, 2, 2))
    markers = axes.transData.transform(points.to_numpy())
    chosen = markers[points.index.get_indexer(list(names))]
    corners = np.stack([np.repeat(chosen[:, 0], 2)[1:], np.repeat(chosen[:, 1], 2)[:-1]], axis=1)
    lines = [np.linspace(a, b, 2 + int(abs(b - a).max() / pt / 3)) for a, b in pairwise(corners)]
    for note, here in zip(notes, chosen, strict=True):
        half = np.array(Text.get_window_extent(note).size) / 2
        # Where the name may stand: its middle on rectangles around the point, the nearest first.
        away = np.concatenate([_RING * (half + gap * pt) for gap in range(5, 90, 5)])
        low, high = here + away - half, here + away + half
        cost = np.arange(len(away)) / len(_RING)
        cost += 1000 * ((low < frame.min) | (high > frame.max)).sum(axis=1)
        avoided = ((100, taken.mean(axis=1), half + 2 * pt), (10, markers, 4 * pt))
        for weight, dots, reach in (*avoided, (2, np.concatenate([*lines, chosen]), 2 * pt)):
            inside = (dots > (low - reach)[:, None]) & (dots < (high + reach)[:, None])
            cost += weight * inside.all(axis=2).sum(axis=1)
        leaders = here + away[:, None] * np.linspace(0, 1, 30)[:, None]  # (places, dots, 2)
        others = markers[(markers != here).any(axis=1)][:, None] + [[-4 * pt], [4 * pt]]
        for box in np.concatenate([taken, others]):
            cost += 15 * ((leaders > box[0]) & (leaders < box[1])).all(axis=2).any(axis=1)
        best = int(np.argmin(cost))
        note.xyann = tuple(away[best] / pt)
        note.update_positions(axes.figure.canvas.get_renderer())  # not only when it is drawn
        taken = np.concatenate([taken, [[low[best], high[best]]]])
        lines.append(leaders[best])
    return notes


def _draw(axes: Axes, rows: pd.DataFrame, column: str) -> None:
    axes.set_xscale("log")
    for row in rows.to_dict("records"):
        point = (row[column], row["accuracy_percent"])
        axes.plot(*point, zorder=3, **style.marker(row["model"]))
        if pd.notna(row["accuracy_plus_minus"]):
            colour = style.FEATURE_COLOURS[row["feature"]]
            spread = row["accuracy_plus_minus"]
            # No accuracy is under 0 or over 100 %.
            below, above = row["accuracy_percent"], 100 - row["accuracy_percent"]
            bar = [[min(spread, below)], [min(spread, above)]]
            axes.errorbar(*point, yerr=bar, color=colour, linewidth=0.8, alpha=0.6, zorder=2)
    best = frontier(rows, column)
    # Between two frontier models the best one can have is the cheaper one: steps, not slopes.
    axes.step(best[column], best["accuracy_percent"], where="post", zorder=1, **_FRONTIER)
    low, high = rows[column].min(), rows[column].max()
    axes.set_xlim(low / 1.35, high * 1.35)
    spread = rows["accuracy_plus_minus"].fillna(0)
    bottom, top = (rows["accuracy_percent"] - spread).min(), rows["accuracy_percent"].max()
    bottom = max(bottom, 0)
    room = max(top - bottom, 2.0) * 0.12
    # Half a step more at the top, where the frontier's names stand.
    axes.set_ylim(bottom - room, top + 1.5 * room)
    axes.set_yticks([tick for tick in axes.get_yticks() if bottom - room <= tick <= 100])
    axes.xaxis.set_major_locator(FixedLocator(_round_ticks(low / 1.35, high * 1.35)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _round_ticks(low: float, high: float) -> list[float]:
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 3, 5, 7)]
    inside = [tick for tick in ticks if low <= tick <= high]
    return inside if len(inside) <= 9 else [t for t in inside if f"{t:.0e}"[0] in "125"]


def _cost_label(cost: str, source: str, rows: pd.DataFrame) -> str:
    if cost == "parameters":
        return "parameters (millions, log scale)"
    how = "batch 192, wall clock, unsynchronised: rank order at best"
    if source != "paper":
        sizes = rows["latency_n"].dropna().unique() if "latency_n" in rows else []
        batch = f", batch {int(sizes[0])}" if len(sizes) == 1 else ""
        how = f"median{batch}, measured after all training"
    return f"time per image (ms, log scale)\n{how}"


def _legend() -> list[Line2D]:
    ink = {"linestyle": "none", "markersize": 6, "markeredgewidth": 1.4}
    shown = [("o", hue, hue, feature) for feature, hue in style.FEATURE_COLOURS.items()]
    shown += [("o", style.FAINT, style.FAINT, "TPS")]
    shown += [("o", style.FAINT, "white", "no transformation")]
    for heads, shape in style.MARKERS.items():
        name = heads.replace("None-", "no sequence, ").replace("BiLSTM-", "BiLSTM, ")
        shown.append((shape, style.FAINT, style.FAINT, name))
    handles = [
        Line2D([], [], marker=shape, color=hue, markerfacecolor=face, label=name, **ink)
        for shape, hue, face, name in shown
    ]
    handles.append(Line2D([], [], label="true frontier", **_FRONTIER))
    # Legends fill by columns; taken in turns, the first row reads colours, the second shapes.
    return [handle for pair in zip(handles[:5], handles[5:], strict=True) for handle in pair]
