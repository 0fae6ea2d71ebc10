"""The five kinds of sentence: how they look, and how well each model reads them."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from PIL import Image

from ocrkit.errors import OcrkitError
from ocrkit.report.figures import style
from ocrkit.report.tables import KINDS, kinds_table

KOREAN = {
    "basic": "기본",
    "background": "배경",
    "skew": "기울임",
    "distortion": "왜곡",
    "blur": "흐림",
}


def five_kinds(samples: Mapping[str, Image.Image | Sequence[Image.Image]]) -> Figure:
    """The paper's Figure 3, redrawn: one row a kind of sentence, as many examples as given.

    Args:
        samples: kind -> an image or several; kinds left out get no row.

    Raises:
        OcrkitError: no image was given, or a kind has another name.
    """
    unknown = sorted(set(samples) - set(KINDS))
    if unknown:
        raise OcrkitError(f"no kind is called {unknown[0]!r}: use one of {', '.join(KINDS)}")
    images = {
        kind: [samples[kind]] if isinstance(samples[kind], Image.Image) else list(samples[kind])
        for kind in KINDS
        if kind in samples
    }
    images = {kind: group for kind, group in images.items() if group}
    if not images:
        raise OcrkitError("no images to draw: give at least one image of one kind")
    columns = max(len(group) for group in images.values())
    width = 9.5
    # A row is as tall as its widest-spread image is when it fills its column.
    tall = [
        max(image.height / image.width for image in group) * (width - 1.2) / columns + 0.22
        for group in images.values()
    ]
    with style.look():
        figure = style.new_figure(width, sum(tall) + 0.2)
        grid = figure.subplots(len(images), columns, squeeze=False, height_ratios=tall)
        for line, (kind, group) in zip(grid, images.items(), strict=True):
            for axes, image in zip(line, group, strict=False):
                axes.imshow(np.asarray(image.convert("RGB")))
            for axes in line:
                axes.set(xticks=[], yticks=[])
                axes.grid(visible=False)
                axes.spines[:].set_visible(False)
            name = f"{KOREAN[kind]}\n{kind}"
            line[0].set_ylabel(name, rotation=0, ha="right", va="center", linespacing=1.4)
        return style.finish(figure)


def kinds_heatmap(rows: pd.DataFrame | None) -> Figure:
    """Accuracy (%) of each model on each of the five kinds, the most accurate model on top.

    Models without a result are drawn grey at the bottom.

    Args:
        rows: result rows, or None.
    """
    table = kinds_table(rows)
    columns = [f"accuracy_{kind}" for kind in KINDS]
    values = table[columns].to_numpy(dtype=float)
    with style.look():
        figure = style.new_figure(7.2, 0.27 * max(len(table), 3) + 1.3)
        axes = figure.subplots()
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        if table.empty:
            axes.set(xticks=[], yticks=[])
            axes.text(0.5, 0.5, "no results yet", transform=axes.transAxes, ha="center")
            return style.finish(figure)
        colours = matplotlib.colormaps["cividis"].with_extremes(bad="#eeeeee")
        words = pd.DataFrame(values).map(lambda v: "–" if np.isnan(v) else f"{v:.1f}")
        sns.heatmap(
            np.nan_to_num(values, nan=-1.0),
            mask=np.isnan(values),
            annot=words.to_numpy(),
            fmt="",
            annot_kws={"fontsize": 8},
            vmin=0,
            vmax=100,
            cmap=colours,
            cbar_kws={"label": "sentence accuracy (%)", "shrink": 0.7, "aspect": 30},
            ax=axes,
        )
        for row, column in np.argwhere(np.isnan(values)):
            axes.text(column + 0.5, row + 0.5, "–", ha="center", va="center", color=style.FAINT)
        trained = ("basic", "skew")
        names = [
            f"{KOREAN[kind]}\n{kind}\n{'trained on' if kind in trained else 'not trained on'}"
            for kind in KINDS
        ]
        axes.set_xticks(np.arange(len(KINDS)) + 0.5, names, linespacing=1.4)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.set_yticks(np.arange(len(table)) + 0.5, table["model"], rotation=0)
        return style.finish(figure)
