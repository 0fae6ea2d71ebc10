"""Learning curves of the runs made here."""

from itertools import cycle

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ocrkit import published
from ocrkit.results.figures import style
from ocrkit.results.rows import Rows

_SEED_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))


def learning_curves(curves: Rows) -> Figure:
    """Validation accuracy against training step, a panel a model, a line a seed.

    curves: `curves.csv` (columns model, seed, step, valid_accuracy), or None.
    """
    if curves is None:
        curves = pd.DataFrame(columns=["model", "seed", "step", "valid_accuracy"])
    known = curves.dropna(subset="valid_accuracy").sort_values("step")
    dashes = dict(zip(sorted(known["seed"].unique()), cycle(_SEED_DASHES), strict=False))
    with style.look():
        figure = style.new_figure(11.5, 7.2)
        # Two rows without TPS, two rows with it.
        grid = figure.subplots(4, 6, sharex=True, sharey=True)
        for axes, model in zip(grid.flat, published.model_names(), strict=True):
            runs = known[known["model"] == model]
            for seed, run in runs.groupby("seed"):
                axes.plot(
                    run["step"],
                    run["valid_accuracy"],
                    color=style.FEATURE_COLOURS[model.split("-")[1]],
                    linestyle=dashes[seed],
                    linewidth=1.1,
                    # A run that stopped at its first validation is one point: no line shows it.
                    marker="." if len(run) == 1 else None,
                )
            if runs.empty:
                where = {"transform": axes.transAxes, "ha": "center", "color": style.FAINT}
                axes.text(0.5, 0.5, "no curve yet", **where)
            axes.set_title(model, fontsize=7.5)
            axes.tick_params(labelsize=7)
            axes.set(xlim=(0, known["step"].max() if len(known) else 1), ylim=(-3, 103))
            axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        figure.supxlabel("training step", fontsize=8.5)
        figure.supylabel("validation accuracy (%)", fontsize=8.5)
        handles = [
            Line2D([], [], color=colour, linewidth=1.6, label=feature)
            for feature, colour in style.FEATURE_COLOURS.items()
        ]
        handles += [
            Line2D([], [], color=style.INK, linestyle=dash, label=f"seed {seed}")
            for seed, dash in dashes.items()
        ]
        if len(known):
            where = {"loc": "outside upper right", "ncols": len(handles)}
            figure.legend(handles=handles, **where, fontsize=8)
        return style.finish(figure)
