"""The five kinds of sentence: how they look."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from PIL import Image

from ocrkit.errors import OcrkitError
from ocrkit.experiments.presets import KINDS
from ocrkit.results.figures import style

KOREAN = {
    "basic": "기본",
    "background": "배경",
    "skew": "기울임",
    "distortion": "왜곡",
    "blur": "흐림",
}


def five_kinds(samples: Mapping[str, Image.Image | Sequence[Image.Image]]) -> Figure:
    """The paper's Figure 3, redrawn: one row a kind of sentence, as many examples as given.

    samples: kind -> an image or several; kinds left out get no row.
    Raises OcrkitError: no image was given, or a kind has another name.
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
                style.show_image(axes, image.convert("RGB"))
            for axes in line[len(group) :]:
                axes.set_axis_off()
            name = f"{KOREAN[kind]}\n{kind}"
            line[0].set_ylabel(name, rotation=0, ha="right", va="center", linespacing=1.4)
        return style.finish(figure)
