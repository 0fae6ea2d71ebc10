"""The four stages as a picture: an image goes in on the left, text comes out on the right."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from ocrkit import published
from ocrkit.errors import OcrkitError
from ocrkit.results.figures import style

# What each stage is called, and what it is for.
_HEADS = {
    "transformation": ("1 Transformation\n변환", "make the line\nstraight"),
    "feature": ("2 Feature extraction\n특징 추출", "describe each\nnarrow slice"),
    "sequence": ("3 Sequence\n시퀀스 모델링", "let slices know\ntheir neighbours"),
    "prediction": ("4 Prediction\n예측", "say the\nsyllables"),
}
_PAST = ("straight image", "slices", "slices in context")  # what goes from stage to stage
_FIRST, _STEP, _HALF, _TALL = 3.0, 2.75, 0.72, 0.25


def four_stages(
    model: str = "TPS-VGG-BiLSTM-Attn", image: Image.Image | None = None, text: str = "text"
) -> Figure:
    """The grid of models as roads through four stages; one model's road is drawn bold.

    Args:
        model: whose road, such as "TPS-VGG-BiLSTM-Attn".
        image: what goes in, or None for the word "image".
        text: what comes out.

    Raises:
        OcrkitError: no model has this name.
    """
    if model not in published.model_names():
        raise OcrkitError(f"no model is called {model!r}: `ocrkit models` lists all 24")
    chosen = model.split("-")
    with style.look():
        figure = style.new_figure(11, 3.5)
        axes = figure.subplots()
        axes.set(xlim=(0, 14.2), ylim=(-2.0, 2.0))
        axes.set_axis_off()
        _input(axes, image)
        before = [(1.85, 0.0, True)]
        for number, (stage, options) in enumerate(published.STAGE_OPTIONS.items()):
            x = _FIRST + number * _STEP
            places = {option: _height(i, len(options)) for i, option in enumerate(options)}
            here = [(x, y, option == chosen[number]) for option, y in places.items()]
            _roads(axes, before, here)
            for option, y in places.items():
                _box(axes, x, y, option, option == chosen[number])
            head, task = _HEADS[stage]
            axes.text(x, 1.95, head, ha="center", va="top", weight="bold", linespacing=1.4)
            axes.text(x, -1.25, task, ha="center", va="top", color=style.FAINT, linespacing=1.3)
            if number < 3:
                axes.text(x + _STEP / 2, -0.95, _PAST[number], ha="center", fontsize=7.5)
            before = [(px + _HALF, py, on) for px, py, on in here]
        _roads(axes, before, [(12.35 + _HALF, 0.0, True)])
        axes.text(12.45, 0.0, text, va="center", fontsize=11, weight="bold", zorder=4)
        return style.finish(figure)


def _height(place: int, count: int) -> float:
    return (count - 1) * 0.42 - 0.84 * place


def _input(axes: Axes, image: Image.Image | None) -> None:
    if image is None:
        axes.text(1.0, 0.0, "image", ha="center", va="center", fontsize=11, weight="bold")
        return
    inset = axes.inset_axes((0.15, -0.6, 1.65, 1.2), transform=axes.transData)
    inset.imshow(np.asarray(image.convert("RGB")))
    inset.set(xticks=[], yticks=[])
    inset.grid(visible=False)
    inset.spines[:].set_visible(False)


def _roads(axes: Axes, before: list, here: list) -> None:
    """Lines from each box to each box of the next stage; bold between the chosen ones."""
    for px, py, was_on in before:
        for x, y, on in here:
            bold = was_on and on
            axes.plot(
                [px, x - _HALF],
                [py, y],
                color=style.FEATURE_COLOURS["VGG"] if bold else style.GRID,
                linewidth=2.4 if bold else 0.9,
                zorder=2 if bold else 1,
            )


def _box(axes: Axes, x: float, y: float, option: str, on: bool) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x - _HALF, y - _TALL),
            2 * _HALF,
            2 * _TALL,
            boxstyle="round,pad=0,rounding_size=0.12",
            facecolor=style.FEATURE_COLOURS["VGG"] if on else "white",
            edgecolor=style.FEATURE_COLOURS["VGG"] if on else style.FAINT,
            zorder=3,
        )
    )
    axes.text(x, y, option, ha="center", va="center", color="white" if on else style.INK, zorder=4)
