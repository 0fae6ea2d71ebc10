"""Figures of panels: the five kinds, learning curves, stages on average, frame budgets."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from PIL import Image

from ocrkit import published
from ocrkit.data.cache import resize
from ocrkit.errors import OcrkitError
from ocrkit.experiments.presets import KINDS
from ocrkit.labels import frames_needed
from ocrkit.models.features import frames
from ocrkit.results.figures import style
from ocrkit.results.rows import Rows
from ocrkit.results.tables import sources

KOREAN = {
    "basic": "기본",
    "background": "배경",
    "skew": "기울임",
    "distortion": "왜곡",
    "blur": "흐림",
}


def five_kinds(samples: Mapping[str, Image.Image]) -> Figure:
    """The paper's Figure 3, redrawn: a row for each kind of sentence that an image is given of.

    Raises OcrkitError: no image was given, or a kind has another name.
    """
    unknown = sorted(set(samples) - set(KINDS))
    if unknown:
        raise OcrkitError(f"no kind is called {unknown[0]!r}: use one of {', '.join(KINDS)}")
    if not samples:
        raise OcrkitError("no images to draw: give at least one image of one kind")
    images = {kind: samples[kind] for kind in KINDS if kind in samples}
    width = 9.5
    # A row is as tall as its image is when it fills the figure's width.
    tall = [image.height / image.width * (width - 1.2) + 0.22 for image in images.values()]
    with style.look():
        figure = style.new_figure(width, sum(tall) + 0.2)
        grid = figure.subplots(len(images), 1, squeeze=False, height_ratios=tall)
        for (axes,), (kind, image) in zip(grid, images.items(), strict=True):
            style.show_image(axes, image.convert("RGB"))
            name = f"{KOREAN[kind]}\n{kind}"
            axes.set_ylabel(name, rotation=0, ha="right", va="center", linespacing=1.4)
        return style.finish(figure)


_SEED_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))


def learning_curves(curves: pd.DataFrame) -> Figure:
    """Validation accuracy against training step, a panel a model, a line a seed.

    curves: `curves.csv` (columns model, seed, step, valid_accuracy).
    """
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


_COLOURS = ("#0072B2", "#D55E00", "#009E73")
_TITLES = ("1. Transformation", "2. Feature extraction", "3. Sequence", "4. Prediction")


def stage_averages(reference: Rows = None, yours: Rows = None) -> Figure:
    """Mean accuracy of the models that share an option, for each option of the four stages.

    Small dots are the models, the bar their mean. A model without a result counts in no mean.
    """
    shown = sources(reference, yours, "accuracy_percent")
    with style.look():
        figure = style.new_figure(10.5, 2.7 * len(shown) + 0.3)
        grid = figure.subplots(len(shown), len(published.STAGES), sharey="row", squeeze=False)
        for line, (source, rows) in zip(grid, shown.items(), strict=True):
            for axes, stage in zip(line, published.STAGES, strict=True):
                _draw(axes, rows, stage)
            title = style.SOURCE_TITLES[source]
            line[0].set_ylabel(f"{title} ({len(rows)} of 24)\naccuracy (%)", linespacing=1.5)
        for axes, title in zip(grid[0], _TITLES, strict=True):
            axes.set_title(title)
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


def frame_budgets(image: Image.Image, label: str, features: Sequence[str] = ("VGG",)) -> Figure:
    """A line of text as readers of 100 and 400 pixels see it, with the borders between its frames.

    label: what is written there; the titles say whether CTC can say it.
    features: extractors ("VGG", "RCNN", "ResNet"); one panel for each at each width.
    """
    need = frames_needed(label)
    panels = [(width, feature) for width in (100, 400) for feature in features]
    with style.look():
        figure = style.new_figure(10.5, 1.25 * len(panels) + 0.3)
        grid = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axes, (width, feature) in zip(grid, panels, strict=True):
            count = frames(feature, width)
            fits = need <= count
            how = {"cmap": "gray", "vmin": 0, "vmax": 255, "extent": (0, width, 32, 0)}
            style.show_image(axes, resize(image, width), **how)
            axes.set_aspect("auto")
            borders, red = np.linspace(0, width, count + 1), style.FEATURE_COLOURS["RCNN"]
            axes.vlines(borders, 0, 32, color=to_rgba(red, 0.8), linewidth=0.8)
            axes.set_title(
                f"{feature}, {width} pixels: {count} frames; the label's {len(label)} syllables "
                f"need {need}: {'they fit' if fits else 'CTC cannot say them'}",
                loc="left",
                color=style.INK if fits else red,
            )
        return style.finish(figure)
