"""How much of the variance of the 24 accuracies each stage and pair of stages explains."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ocrkit.report.figures import style
from ocrkit.report.statistics import PAPER_MIX, measure
from ocrkit.report.tables import sources
from ocrkit.report.variance import variance_shares

_STAGE, _PAIR = "#0072B2", "#E69F00"


def variance_by_stage(
    paper: pd.DataFrame | None = None,
    reference: pd.DataFrame | None = None,
    yours: pd.DataFrame | None = None,
) -> Figure:
    """Bars of `variance.variance_shares`, one panel a source that has all 24 models.

    The black line is the bootstrap 95 % interval, the grey tick what noise alone would give. The
    paper's noise is drawn as of 92,700 test images; its spread over runs is not known.

    Args:
        paper: `published.figures()` or None for it.
        reference, yours: result rows, or None.
    """
    given = sources(paper, reference, yours)
    shares = {
        source: variance_shares(measure(rows, PAPER_MIX if source == "paper" else None))
        for source, rows in given.items()
    }
    shown = {source: table for source, table in shares.items() if len(table)}
    with style.look():
        figure = style.new_figure(3.2 + 3.6 * max(len(shown), 1), 3.9)
        if not shown:
            axes = figure.subplots()
            axes.axis("off")
            axes.text(0.5, 0.5, "needs results of all 24 models", ha="center", va="center")
            return style.finish(figure)
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for axes, (source, table) in zip(panels, shown.items(), strict=True):
            _draw(axes, table)
            axes.set_title(style.SOURCE_TITLES[source])
        return style.finish(figure)


def _draw(axes: Axes, table: pd.DataFrame) -> None:
    places = range(len(table))
    colours = [_PAIR if " x " in term else _STAGE for term in table["term"]]
    colours[-1] = style.FAINT  # the rest
    share = table["share_percent"]
    axes.barh(places, share, color=colours, height=0.62)
    axes.hlines(places, table["low_95"], table["high_95"], color=style.INK, linewidth=1.4)
    for place, row in zip(places, table.itertuples(), strict=True):
        noise = row.noise_percent
        axes.vlines(noise, place - 0.38, place + 0.38, color=style.FAINT, linewidth=1.2)
        end = max(row.share_percent, row.high_95, noise)
        axes.text(end + 1.5, place, f"{row.share_percent:.1f}", va="center")
    axes.set_yticks(places, table["term"])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xticks(range(0, 100, 20))
    axes.set_xlim(0, 116)  # room for the number beside a bar of 100
    axes.set_xlabel("share of the variance of the 24 accuracies (%)")
