"""The five kinds of sentence image: basic, background, skew, distortion, blur.

The parameters are those of the paper's sets (Park, HCLT 2019), made there with
TextRecognitionDataGenerator. Pictures are grey ('L'), as grey ink on grey paper is.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from ocrkit.errors import OcrkitError
from ocrkit.synth.backgrounds import gaussian_noise, quasi_crystal, white
from ocrkit.synth.fonts import Font
from ocrkit.synth.render import Layout, draw_text, draw_text_to_height

_PAGE = Layout()


@dataclass(frozen=True)
class Basic:
    """Straight text on Gaussian noise N(235, 10)."""

    noise_mean: float = 235.0
    noise_sd: float = 10.0

    def draw(
        self, text: str, font: Font, rng: np.random.Generator, page: Layout = _PAGE
    ) -> Image.Image:
        """The text as a grey image, page.height pixels high."""
        mask = draw_text_to_height(text, font, page.text_height)
        return _on_noise(mask, rng, page, self.noise_mean, self.noise_sd)


@dataclass(frozen=True)
class Background:
    """Straight text on noise, on white or on a quasi-crystal, a third each."""

    noise_mean: float = 235.0
    noise_sd: float = 10.0
    waves: tuple[int, int] = (10, 20)
    frequency: tuple[float, float] = (20.0, 50.0)
    papers: tuple[str, ...] = ("noise", "white", "quasi-crystal")

    def __post_init__(self) -> None:
        _only("papers", self.papers, Background.papers)

    def draw(
        self, text: str, font: Font, rng: np.random.Generator, page: Layout = _PAGE
    ) -> Image.Image:
        """The text as a grey image, page.height pixels high."""
        mask = draw_text_to_height(text, font, page.text_height)
        paper = self.papers[rng.integers(len(self.papers))]
        if paper == "noise":
            return _on_noise(mask, rng, page, self.noise_mean, self.noise_sd)
        width = mask.shape[1] + 2 * page.margin
        if paper == "white":
            return _write(mask, white(page.height, width), page)
        crystal = quasi_crystal(rng, page.height, width, self.waves, self.frequency)
        return _write(mask, crystal, page)


@dataclass(frozen=True)
class Skew:
    """Text turned by a whole number of degrees in [-k, k], k = 5 for half, 15 for half.

    The turned line is shrunk to fit the height, so longer sentences get smaller letters.
    """

    limits: tuple[int, ...] = (5, 15)
    noise_mean: float = 235.0
    noise_sd: float = 10.0

    def draw(
        self, text: str, font: Font, rng: np.random.Generator, page: Layout = _PAGE
    ) -> Image.Image:
        """The text as a grey image, page.height pixels high."""
        mask = draw_text_to_height(text, font, page.text_height)
        limit = self.limits[rng.integers(len(self.limits))]
        angle = int(rng.integers(-limit, limit + 1))
        mask = turn_to_height(mask, angle, page.text_height)
        return _on_noise(mask, rng, page, self.noise_mean, self.noise_sd)


@dataclass(frozen=True)
class Distortion:
    """Columns, rows or both moved by a whole number of pixels in 0..int(h^0.4), a third each.

    h is the height of the text before it is resized to the page (drawn at page.height per em).
    """

    exponent: float = 0.4
    orientations: tuple[str, ...] = ("vertical", "horizontal", "both")
    noise_mean: float = 235.0
    noise_sd: float = 10.0

    def __post_init__(self) -> None:
        _only("orientations", self.orientations, Distortion.orientations)

    def draw(
        self, text: str, font: Font, rng: np.random.Generator, page: Layout = _PAGE
    ) -> Image.Image:
        """The text as a grey image, page.height pixels high."""
        mask = draw_text(text, font, float(page.height))
        reach = int(mask.shape[0] ** self.exponent)
        orientation = self.orientations[rng.integers(len(self.orientations))]
        if orientation in ("vertical", "both"):
            mask = shift_columns(mask, rng.integers(0, reach + 1, mask.shape[1]), reach)
        if orientation in ("horizontal", "both"):
            mask = shift_rows(mask, rng.integers(0, reach + 1, mask.shape[0]), reach)
        width = max(1, round(mask.shape[1] * page.text_height / mask.shape[0]))
        resized = Image.fromarray(mask).resize((width, page.text_height), Image.Resampling.LANCZOS)
        return _on_noise(np.asarray(resized), rng, page, self.noise_mean, self.noise_sd)


@dataclass(frozen=True)
class Blur:
    """Straight text on noise, then a Gaussian blur of radius 1, 2 or 4 pixels, a third each."""

    radii: tuple[float, ...] = (1, 2, 4)
    noise_mean: float = 235.0
    noise_sd: float = 10.0

    def draw(
        self, text: str, font: Font, rng: np.random.Generator, page: Layout = _PAGE
    ) -> Image.Image:
        """The text as a grey image, page.height pixels high."""
        mask = draw_text_to_height(text, font, page.text_height)
        radius = self.radii[rng.integers(len(self.radii))]
        sharp = _on_noise(mask, rng, page, self.noise_mean, self.noise_sd)
        return sharp.filter(ImageFilter.GaussianBlur(radius))


def turn_to_height(mask: np.ndarray, degrees: float, height: int) -> np.ndarray:
    """Turn a mask counter-clockwise, with room for its corners, and scale it to `height` rows.

    Shrinking first and turning the small mask costs a tenth of turning the large one.
    """
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


def _on_noise(
    mask: np.ndarray, rng: np.random.Generator, page: Layout, mean: float, sd: float
) -> Image.Image:
    width = mask.shape[1] + 2 * page.margin
    return _write(mask, gaussian_noise(rng, page.height, width, mean, sd), page)


def _write(mask: np.ndarray, paper: np.ndarray, page: Layout) -> Image.Image:
    """Ink the paper through the mask, inside the margin."""
    image = Image.fromarray(paper)
    image.paste(page.ink, (page.margin, page.margin), Image.fromarray(mask))
    return image


Kind = Basic | Background | Skew | Distortion | Blur

KINDS: dict[str, Kind] = {
    "basic": Basic(),
    "background": Background(),
    "skew": Skew(),
    "distortion": Distortion(),
    "blur": Blur(),
}
