"""Learning curves: the author's logs of 2019, and those of the runs made here."""

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


def curves_2019() -> Figure:
    """The author's training curves: validation accuracy against iteration, all 53 logs.

    Above, the first experiment (32x100 images), a panel a model and a line a process; below, the
    one surviving log of the second (32x400), which gave the paper's numbers.
    """
    curves = published.training_curves()
    first = curves[curves["experiment"] == "exp1"]
    second = curves[curves["experiment"] == "exp2"]
    with style.look():
        figure = style.new_figure(11.5, 10.2)
        above, below = figure.subfigures(2, 1, height_ratios=[7.2, 3])
        above.suptitle(
            "Experiment 1 (32x100 images)", fontweight="bold", fontsize=10, x=0.02, ha="left"
        )
        seeds = sorted(first["seed"].unique())
        for axes, model in _grid(above):
            mine = first[first["model"] == model]
            for (seed, _, _), run in mine.groupby(["seed", "log", "attempt"]):
                _line(
                    axes, run["iteration"] / 1000, run["valid_accuracy_percent"], model, seed, seeds
                )
            if mine.empty:
                _say(axes, "no log")
            axes.set(xlim=(0, 300), ylim=(-1, 35))
        above.supxlabel("thousands of iterations", fontsize=8.5)
        above.supylabel("validation accuracy (%)", fontsize=8.5)
        _legend(above, seeds)
        _second_experiment(below.subplots(), second)
        return style.finish(figure)


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


def _second_experiment(axes: Axes, curves: pd.DataFrame) -> None:
    title = "Experiment 2 (32x400 images): TPS-VGG-BiLSTM-Attn, seed 9998, the only log left"
    axes.set_title(title, fontsize=10)
    for _, run in curves.groupby("attempt"):
        axes.plot(
            run["iteration"] / 1000,
            run["valid_accuracy_percent"],
            color=style.FEATURE_COLOURS["VGG"],
            linewidth=1.3,
        )
    top = curves.loc[curves["valid_accuracy_percent"].idxmax()]
    peak = (top["iteration"] / 1000, top["valid_accuracy_percent"])
    axes.plot(*peak, "o", color=style.INK, markersize=4)
    axes.annotate(
        f"best: {peak[1]:.2f} % on validation, at {peak[0]:.0f} thousand"
        " (on the paper's test: 88.24 %)",
        peak,
        xytext=(0, -16),
        textcoords="offset points",
        ha="right" if peak[0] > 150 else "left",
        va="top",
    )
    axes.set(
        xlim=(0, 302),
        ylim=(-2, 95),
        xlabel="thousands of iterations",
        ylabel="validation accuracy (%)",
    )


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
