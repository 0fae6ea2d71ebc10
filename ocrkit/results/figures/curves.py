"""Learning curves of the runs made here."""

from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ocrkit import published
from ocrkit.results.figures import style

_ROWS, _COLUMNS = 4, 6
_SEED_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))


def learning_curves(curves: pd.DataFrame | None) -> Figure:
    """Validation accuracy against training step, a panel a model, a line a seed.

    Args:
        curves: `curves.csv` (columns model, seed, step, valid_accuracy), or None.
    """
    if curves is None:
        curves = pd.DataFrame(columns=["model", "seed", "step", "valid_accuracy"])
    known = curves.dropna(subset="valid_accuracy")
    with style.look():
        figure = style.new_figure(11.5, 7.2)
        last = known["step"].max() if len(known) else 1
        for axes, model in _grid(figure):
            mine = known[known["model"] == model]
            for seed, run in mine.groupby("seed"):
                run = run.sort_values("step")
                _line(axes, run["step"], run["valid_accuracy"], model, seed, known["seed"].unique())
            if mine.empty:
                _say(axes, "no curve yet")
            axes.set(xlim=(0, max(last, 1)), ylim=(-3, 103))
            axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        figure.supxlabel("training step", fontsize=8.5)
        figure.supylabel("validation accuracy (%)", fontsize=8.5)
        if len(known):
            _legend(figure, sorted(known["seed"].unique()))
        return style.finish(figure)


def _grid(figure: FigureBase) -> Iterator[tuple[Axes, str]]:
    """The 24 panels with their models: two rows without TPS, two rows with it."""
    grid = figure.subplots(_ROWS, _COLUMNS, sharex=True, sharey=True)
    names = published.model_names()
    for axes, model in zip(grid.flat, names, strict=True):
        axes.set_title(model, fontsize=7.5)
        axes.tick_params(labelsize=7)
        yield axes, model


def _line(
    axes: Axes, x: pd.Series, y: pd.Series, model: str, seed: int, seeds: Sequence[int]
) -> None:
    place = sorted(seeds).index(seed)
    colour = style.FEATURE_COLOURS[model.split("-")[1]]
    dashes = _SEED_DASHES[place % len(_SEED_DASHES)]
    # A run that stopped at its first validation is one point: without a mark it would not show.
    mark = "." if len(x) == 1 else None
    axes.plot(x, y, color=colour, linestyle=dashes, linewidth=1.1, marker=mark)


def _legend(figure: FigureBase, seeds: list[int]) -> None:
    handles = [
        Line2D([], [], color=colour, linewidth=1.6, label=feature)
        for feature, colour in style.FEATURE_COLOURS.items()
    ]
    handles += [
        Line2D([], [], color=style.INK, linestyle=_SEED_DASHES[i % 3], label=f"seed {seed}")
        for i, seed in enumerate(seeds)
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), fontsize=8)


def _say(axes: Axes, words: str) -> None:
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", color=style.FAINT)
