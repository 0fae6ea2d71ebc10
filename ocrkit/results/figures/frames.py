"""Frame budgets: a line of text cut into the frames that an extractor leaves CTC."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from PIL import Image

from ocrkit.data.cache import resize
from ocrkit.labels import frames_needed
from ocrkit.models.features import frames
from ocrkit.results.figures import style


def frame_budgets(
    image: Image.Image,
    label: str,
    features: Sequence[str] = ("VGG",),
    widths: Sequence[int] = (100, 400),
) -> Figure:
    """The image as a reader sees it at each width, with the borders between its frames.

    image: a line of text, any size.
    label: what is written there; the titles say whether CTC can say it.
    features: extractors ("VGG", "RCNN", "ResNet"); one panel for each at each width.
    widths: pixels.
    """
    need = frames_needed(label)
    panels = [(width, feature) for width in widths for feature in features]
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
