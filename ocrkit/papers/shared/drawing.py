"""Scenes and what was found in them, drawn."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ocrkit.results.figures.style import finish, korean_font, look, new_figure

TRUE, FOUND = "#009E73", "#D55E00"  # of the figures' palette


def show_quads(
    ax: Axes,
    image: np.ndarray | None,
    quads: Sequence[np.ndarray] = (),
    texts: Sequence[str] | None = None,
    colour: str = TRUE,
    line_width: float = 1.2,
) -> None:
    """Draw a grey image and polygons on it; call it again with None as image to add others.

    image: (H, W), 0 to 255, or None.
    quads: polygons (k, 2) in continuous pixels; a dot marks the text's top left.
    texts: one a polygon, written above it.
    """
    if image is not None:
        rows, columns = image.shape
        # Pixel (i, j) covers [j, j + 1] x [i, i + 1], as the polygons have it.
        edges = (0, columns, rows, 0)
        ax.imshow(image, cmap="gray", vmin=0, vmax=255, extent=edges, interpolation="nearest")
        ax.set(xlim=(0, columns), ylim=(rows, 0))  # what reaches beyond moves no edge
        ax.set_axis_off()
    for quad in quads:
        ax.plot(*np.concatenate([quad, quad[:1]]).T, color=colour, linewidth=line_width)
        ax.plot(*quad[0], ".", color=colour, markersize=3 * line_width)
    for quad, text in zip(quads, texts or [], strict=False):
        x, y = np.min(quad, axis=0)
        label = ax.text(
            x,
            y,
            text,
            color="white",
            fontfamily=korean_font(),
            fontsize=7,
            verticalalignment="bottom",
            bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.8},
        )
        label.set_in_layout(False)  # a long text must not shrink the picture


def show_scenes(
    images: Sequence[np.ndarray],
    quads: Sequence[Sequence[np.ndarray]],
    texts: Sequence[Sequence[str]] | None = None,
    found: Sequence[Sequence[np.ndarray]] | None = None,
    columns: int = 4,
    width: float = 8.0,
) -> Figure:
    """A sheet of scenes: true quads in green, found ones in orange.

    images, quads: one entry an image.
    texts: of the true quads, or of the found ones if there are any.
    found: quads that a detector found.
    width: of the figure, inches.
    """
    rows = -(-len(images) // columns)
    height = width * rows / columns * images[0].shape[0] / images[0].shape[1]
    with look():
        figure = new_figure(width, height)
        axes = np.ravel(figure.subplots(rows, columns, squeeze=False))
        for ax in axes:
            ax.set_axis_off()
        for index, (ax, image) in enumerate(zip(axes, images, strict=False)):
            says = texts[index] if texts is not None else None
            show_quads(ax, image, quads[index], None if found is not None else says)
            if found is not None:
                show_quads(ax, None, found[index], says, FOUND)
        return finish(figure)
