"""What each stage's options do on average: one column a stage, one row a source."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ocrkit import published
from ocrkit.results.figures import style
from ocrkit.results.rows import Rows, by_model
from ocrkit.results.tables import sources

_COLOURS = ("#0072B2", "#D55E00", "#009E73")
_TITLES = {
    "transformation": "1. Transformation",
    "feature": "2. Feature extraction",
    "sequence": "3. Sequence",
    "prediction": "4. Prediction",
}


def stage_averages(reference: Rows = None, yours: Rows = None) -> Figure:
    """Mean accuracy of the models that share an option, for each option of the four stages.

    Small dots are the models, the bar their mean. A model without a result counts in no mean.
    """
    merged = {s: by_model(rows) for s, rows in sources(reference, yours).items()}
    shown = {s: rows.dropna(subset="accuracy_percent") for s, rows in merged.items()}
    shown = {s: rows for s, rows in shown.items() if len(rows)}
    with style.look():
        figure = style.new_figure(10.5, 2.7 * len(shown) + 0.3)
        grid = figure.subplots(len(shown), len(published.STAGES), sharey="row", squeeze=False)
        for line, (source, rows) in zip(grid, shown.items(), strict=True):
            for axes, stage in zip(line, published.STAGES, strict=True):
                _draw(axes, rows, stage)
            title = style.SOURCE_TITLES[source]
            line[0].set_ylabel(f"{title} ({len(rows)} of 24)\naccuracy (%)", linespacing=1.5)
        for axes, stage in zip(grid[0], published.STAGES, strict=True):
            axes.set_title(_TITLES[stage])
        return style.finish(figure)


def _draw(axes: Axes, rows: pd.DataFrame, stage: str) -> None:
    options = published.STAGE_OPTIONS[stage]
    axes.grid(axis="x", visible=False)
    for x, option in enumerate(options):
        scores = rows.loc[rows[stage] == option, "accuracy_percent"]
        if scores.empty:
            axes.text(x, 0.5, "no result", transform=axes.get_xaxis_transform(), ha="center")
            continue
        colour = _COLOURS[x]
        # A fixed spread to the sides keeps equal scores apart and the figure the same every time.
        sides = [x - 0.12 + 0.24 * i / max(len(scores) - 1, 1) for i in range(len(scores))]
        axes.plot(sides, scores, "o", color=colour, markersize=3.5, alpha=0.55, linestyle="none")
        axes.hlines(scores.mean(), x - 0.24, x + 0.24, color=colour, linewidth=2.5)
        axes.annotate(
            f"{scores.mean():.1f}",
            (x + 0.26, scores.mean()),
            va="center",
            color=colour,
            fontweight="bold",
        )
    axes.set_xticks(range(len(options)), options)
    axes.set_xlim(-0.45, len(options) - 0.35)
