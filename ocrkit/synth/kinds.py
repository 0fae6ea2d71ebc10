"""The five kinds of sentence image: basic, background, skew, distortion, blur.

The parameters are those of the paper's sets (Park, HCLT 2019), made there with
TextRecognitionDataGenerator. So is the order of the steps: a line is drawn at page.height pixels
an em, turned or distorted at that size, and only then reduced to the page (Lanczos); noise loses
its fraction. Pictures are grey ('L'), as grey ink on grey paper is.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageFilter

from ocrkit.errors import OcrkitError
from ocrkit.synth.backgrounds import gaussian_noise, quasi_crystal, white
from ocrkit.synth.fonts import Font
from ocrkit.synth.render import Layout, draw_text

_PAGE = Layout()


@dataclass(frozen=True)
class Basic:
    """Straight text on Gaussian noise N(235, 10); the other kinds change one of its steps."""

    noise_mean: float = field(default=235.0, kw_only=True)
    noise_sd: float = field(default=10.0, kw_only=True)

    def draw(
        self, text: str, font: Font, rng: np.random.Generator, page: Layout = _PAGE
    ) -> Image.Image:
        """The text as a grey image, page.height pixels high."""
        return self._on_paper(self._line(text, font, rng, page), rng, page)

    def _line(self, text: str, font: Font, rng: np.random.Generator, page: Layout) -> np.ndarray:
        """The ink: a line at page.height pixels an em, reduced to the height inside the margins."""
        return fit_height(draw_text(text, font, float(page.height)), page.text_height)

    def _on_paper(self, mask: np.ndarray, rng: np.random.Generator, page: Layout) -> Image.Image:
        """The picture: the ink on its paper, inside the margin."""
        image = Image.fromarray(self._paper(rng, page.height, mask.shape[1] + 2 * page.margin))
        image.paste(page.ink, (page.margin, page.margin), Image.fromarray(mask))
        return image

    def _paper(self, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        return gaussian_noise(rng, height, width, self.noise_mean, self.noise_sd, truncate=True)


@dataclass(frozen=True)
class Background(Basic):
    """Straight text on noise, on white or on a quasi-crystal, a third each."""

    waves: tuple[int, int] = (10, 20)
    frequency: tuple[float, float] = (20.0, 50.0)
    papers: tuple[str, ...] = ("noise", "white", "quasi-crystal")

    def __post_init__(self) -> None:
        _only("papers", self.papers, Background.papers)

    def _paper(self, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        paper = self.papers[rng.integers(len(self.papers))]
        if paper == "noise":
            return super()._paper(rng, height, width)
        if paper == "white":
            return white(height, width)
        return quasi_crystal(rng, height, width, self.waves, self.frequency)


@dataclass(frozen=True)
class Skew(Basic):
    """Text turned by a whole number of degrees in [-k, k], k = 5 for half, 15 for half.

    The turned line is shrunk to fit the height, so longer sentences get smaller letters.
    """

    limits: tuple[int, ...] = (5, 15)

    def _line(self, text: str, font: Font, rng: np.random.Generator, page: Layout) -> np.ndarray:
        line = Image.fromarray(draw_text(text, font, float(page.height)))
        limit = self.limits[rng.integers(len(self.limits))]
        angle = int(rng.integers(-limit, limit + 1))
        return fit_height(np.asarray(line.rotate(angle, expand=True)), page.text_height)


@dataclass(frozen=True)
class Distortion(Basic):
    """Columns, rows or both moved by a whole number of pixels in 0..int(h^0.4), a third each.

    h is the height of the line before it is reduced to the page; see `distort`.
    """

    exponent: float = 0.4
    orientations: tuple[str, ...] = ("vertical", "horizontal", "both")

    def __post_init__(self) -> None:
        _only("orientations", self.orientations, Distortion.orientations)

    def _line(self, text: str, font: Font, rng: np.random.Generator, page: Layout) -> np.ndarray:
        mask = draw_text(text, font, float(page.height))
        reach = int(mask.shape[0] ** self.exponent)
        orientation = self.orientations[rng.integers(len(self.orientations))]
        down = right = None
        height, width = mask.shape
        if orientation in ("vertical", "both"):
            down = rng.integers(0, reach + 1, width)
            height += down.max()
        if orientation in ("horizontal", "both"):
            right = rng.integers(0, reach + 1, height)
        return fit_height(distort(mask, reach, down, right), page.text_height)


@dataclass(frozen=True)
class Blur(Basic):
    """Straight text on noise, then a Gaussian blur of radius 1, 2 or 4 pixels, a third each."""

    radii: tuple[float, ...] = (1, 2, 4)

    def _on_paper(self, mask: np.ndarray, rng: np.random.Generator, page: Layout) -> Image.Image:
        radius = self.radii[rng.integers(len(self.radii))]
        return super()._on_paper(mask, rng, page).filter(ImageFilter.GaussianBlur(radius))


def fit_height(mask: np.ndarray, height: int) -> np.ndarray:
    """A mask resized to `height` rows, its width in proportion, the fraction dropped."""
    width = max(1, mask.shape[1] * height // mask.shape[0])
    resized = Image.fromarray(mask).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(resized)


def distort(
    mask: np.ndarray, reach: int, down: np.ndarray | None, right: np.ndarray | None
) -> np.ndarray:
    """Shift columns down and rows to the right, on the canvas of the paper's generator.

    The canvas grows by twice the reach in each distorted direction, so blank pixels stay at the top
    and on the left. Where both are, the rows below h + max(down), the feet of the letters, are
    lost.

    mask: (h, w) uint8.
    reach: the largest shift, pixels.
    down: shift of each of the w columns, or None to leave columns alone.
    right: shift of each row (h of them, or h + max(down)), or None to leave rows alone.
    """
    if down is not None:
        height = mask.shape[0]
        mask = np.pad(shift_columns(mask, down, reach), ((reach, 0), (0, 0)))
        if right is not None:
            lost = len(mask) - (height + int(down.max()))
            mask[len(mask) - lost :] = 0
            right = np.pad(right, (0, lost))
    if right is not None:
        mask = np.pad(shift_rows(mask, right, reach), ((0, 0), (reach, 0)))
    return mask


def turn_to_height(mask: np.ndarray, degrees: float, height: int) -> np.ndarray:
    """Turn a mask counter-clockwise, with room for its corners, and scale it to `height` rows."""
    rows, columns = mask.shape
    sin, cos = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    scale = height / (columns * abs(sin) + rows * cos)
    small = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    shrunk = Image.fromarray(mask).resize(small, Image.Resampling.LANCZOS)
    width = max(1, math.ceil(scale * (columns * cos + rows * abs(sin))))
    # Pillow wants, for each output pixel (x, y), the input's: turn back around the two centres,
    # then stretch by what rounding to whole pixels has changed.
    fx, fy = small[0] / (columns * scale), small[1] / (rows * scale)
    cx, cy = width / 2, height / 2
    back = (
        fx * cos,
        -fx * sin,
        small[0] / 2 - fx * (cos * cx - sin * cy),
        fy * sin,
        fy * cos,
        small[1] / 2 - fy * (sin * cx + cos * cy),
    )
    turned = shrunk.transform(
        (width, height), Image.Transform.AFFINE, back, Image.Resampling.BICUBIC
    )
    return np.asarray(turned)


def shift_columns(mask: np.ndarray, down: np.ndarray, reach: int) -> np.ndarray:
    """Move each column of (h, w) down by its own number of pixels in 0..reach: (h + reach, w)."""
    height, width = mask.shape
    padded = np.pad(mask, ((reach, reach), (0, 0)))
    first = (reach - down) * width + np.arange(width)  # flat index of each column's top pixel
    return padded.ravel()[first + np.arange(0, (height + reach) * width, width)[:, None]]


def shift_rows(mask: np.ndarray, right: np.ndarray, reach: int) -> np.ndarray:
    """Move each row of (h, w) right by its own number of pixels in 0..reach: (h, w + reach)."""
    height, width = mask.shape
    shifted = np.zeros((height, width + reach), mask.dtype)
    for row, (line, start) in enumerate(zip(mask, right, strict=True)):
        shifted[row, start : start + width] = line
    return shifted


def _only(field: str, given: tuple[str, ...], known: tuple[str, ...]) -> None:
    if not given or not set(given) <= set(known):
        raise OcrkitError(f"{field} must be among {', '.join(known)}, got {given}")


KINDS: dict[str, Basic] = {
    "basic": Basic(),
    "background": Background(),
    "skew": Skew(),
    "distortion": Distortion(),
    "blur": Blur(),
}
