"""One look for every figure: a Korean font, a colour-blind safe palette, 150 dpi.

Figures are made without pyplot's global state, so they work in a notebook, in a worker and with
no display, and leave nothing open behind them.
"""

import contextlib
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ocrkit.files import atomic_file
from ocrkit.synth.fonts import find_fonts

DPI = 150
INK, FAINT, GRID = "#222222", "#8a8a8a", "#dddddd"
# Okabe and Ito's palette: told apart in the common forms of colour blindness.
FEATURE_COLOURS = {"VGG": "#0072B2", "RCNN": "#D55E00", "ResNet": "#009E73"}
MARKERS = {"None-CTC": "o", "BiLSTM-CTC": "^", "None-Attn": "s", "BiLSTM-Attn": "D"}
SOURCE_TITLES = {"paper": "The paper", "reference": "The reference run", "yours": "Your run"}


@cache
def korean_font() -> str:
    """The family name of a Korean font that matplotlib can now draw with ("NanumGothic").

    Only matplotlib's list of fonts grows; no default is changed.
    Raises OcrkitError: the package with the font files is not installed.
    """
    faces = find_fonts("koreanize")
    for face in faces:
        font_manager.fontManager.addfont(face.path)
    return font_manager.FontProperties(fname=faces[0].path).get_name()


@contextlib.contextmanager
def look() -> Iterator[None]:
    """The figures' settings, for the time of a block."""
    settings = {
        # The second family draws what the Korean one lacks.
        "font.family": [korean_font(), "DejaVu Sans"],
        "font.size": 9,
        "axes.unicode_minus": False,
        "axes.titlesize": 9.5,
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "legend.frameon": False,
        "axes.grid": True,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
    }
    with matplotlib.rc_context(settings):
        yield


class Drawing(Figure):
    """A matplotlib figure that a notebook shows by itself, whether or not pyplot is in use."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        png = _png(self)
        # Twice the pixels it is shown with: sharp on a dense screen, and not too wide.
        return png, {"width": round(self.get_figwidth() * DPI / 2)}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of width x height inches that lays itself out."""
    figure = Drawing(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def finish(figure: Figure) -> Figure:
    """Draw once inside `look`, so that lazily made ticks and the layout keep this look."""
    figure.canvas.draw()
    figure.set_layout_engine("none")
    return figure


def show_image(axes: Axes, image: np.ndarray | Image.Image, **how: Any) -> None:
    """`axes.imshow` without ticks, grid and frame."""
    axes.imshow(image, **how)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG, whole or not at all; the same figure gives the same bytes."""
    path = Path(path)
    with atomic_file(path) as temporary:
        temporary.write_bytes(_png(figure))
    return path


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    with look():
        # Without the library's name and version inside, the bytes depend on the picture alone.
        figure.savefig(out, format="png", dpi=DPI, metadata={"Software": None})
    return out.getvalue()


def marker(model: str) -> dict[str, object]:
    """How a model is drawn: colour its extractor, shape its head, filled when it has TPS."""
    transformation, feature, sequence, prediction = model.split("-")
    colour = FEATURE_COLOURS[feature]
    return {
        "marker": MARKERS[f"{sequence}-{prediction}"],
        "markerfacecolor": colour if transformation == "TPS" else "white",
        "markeredgecolor": colour,
        "markeredgewidth": 1.4,
        "markersize": 6,
        "linestyle": "none",
    }
