"""Reading a user's own image files with a checkpoint, and saying when that cannot go well."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from ocrkit.data.cache import resize
from ocrkit.data.pictures import contrast_problem, decode
from ocrkit.errors import OcrkitError
from ocrkit.files import read_file
from ocrkit.hangul import is_syllable
from ocrkit.models.prediction import WRITING
from ocrkit.models.transfer import load_model
from ocrkit.page.layout import find_lines
from ocrkit.training.losses import make_converter
from ocrkit.training.predict import read_all

# Under this many pixels of width (of the model's image) a syllable is a smudge.
MIN_SYLLABLE_PIXELS = 8


@dataclass(frozen=True)
class Reading:
    """What was read from one file."""

    file: Path
    text: str
    confidence: float  # 0 to 1, the model's own; high does not mean right
    warnings: tuple[str, ...]  # why the text should not be trusted, in words


def ink_bands(image: Image.Image) -> int:
    """How many bands of dark rows, with light rows between them, a picture has.

    A page has one a line. A syllable of level strokes, such as 흐, has up to four.
    """
    pixels = np.asarray(image.convert("L"), dtype=np.int16)
    dark = pixels < (int(pixels.min()) + int(pixels.max())) / 2
    inked = dark.mean(axis=1) > 0.005
    return int(inked[0]) + int((inked[1:] & ~inked[:-1]).sum())


def higher_than_wide(width: int, height: int) -> bool:
    """Is a picture of this size in pixels no line, but upright text or a page?

    One syllable's own box may be higher than wide, though not by half.
    """
    return height > 1.5 * width or height > max(width, 200)


def stacked_lines(image: Image.Image) -> int:
    """How many lines of text stand one below the other.

    Parts of syllables stand so too, but few of them are wide and of like height.
    """
    boxes = [line.box for line in find_lines(np.asarray(image.convert("L")), 0).lines]
    wide = sorted((y, x, w, h) for x, y, w, h in boxes if w >= 2 * h)
    return 1 + sum(
        y + h <= below and min(x + w, left + width) > max(x, left) and 2 / 3 < h / height < 3 / 2
        for (y, x, w, h), (below, left, width, height) in pairwise(wide)
    )


class Reader:
    """A checkpoint that reads files.

    checkpoint: ours, or a .pth file of the reference framework.
    pad: keep the images' shapes and pad, or stretch them; None does as its training did.
    charset: for a .pth file, its characters in training order; such a file does not hold them.
    image_width: for a .pth file without TPS, the width in pixels of the images it was trained
        on; such a file does not hold it either.
    max_length: for a .pth file, the characters of its longest text; None is the framework's 25.
    Raises OcrkitError: the checkpoint is missing or broken, or the charset is not its own.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        pad: bool | None = None,
        charset: str | None = None,
        image_width: int | None = None,
        max_length: int | None = None,
    ):
        self.model, self.info = load_model(
            checkpoint, charset, image_width=image_width, max_length=max_length
        )
        trained = self.info.get("info", {}).get("pad", False)
        self.pad: bool = trained if pad is None else pad
        self.charset: str = self.info["charset"]
        self.converter = make_converter(self.model.prediction, self.charset, self.model.max_length)

    def _longest(self) -> int:
        """The most syllables that the model can say."""
        if self.model.prediction not in WRITING:
            return min(self.model.max_length, self.model.frames)
        return self.model.max_length

    def doubts(self, image: Image.Image, force: bool = False) -> list[str]:
        """What speaks against reading an image with this model.

        Raises OcrkitError: the image is blank, a page or a long line, unlike what the model has
        seen.
        """
        found = []
        width, height = image.size
        # A Hangul syllable is about as wide as the line is high.
        syllables, longest = width / height, self._longest()
        page = "this model reads one line of text; cut the page into lines first"
        if problem := contrast_problem(image):
            found.append(problem)
        elif height > 100 and higher_than_wide(width, height):
            found.append(f"the image is {width} x {height} pixels, higher than wide: {page}")
        elif height > 100 and (bands := ink_bands(image)) > 4:
            found.append(f"the image has {bands} bands of ink, one below the other: {page}")
        elif syllables > 2 * longest:
            found.append(
                f"the image has room for about {syllables:.0f} syllables and this model says at "
                f"most {longest}: cut it into shorter pieces, or use a model for sentences"
            )
        if found and not force:
            raise OcrkitError(f"{found[0]} (--force reads it all the same)")
        if not found and higher_than_wide(width, height):
            found.append("higher than wide: upright text? this model reads from left to right")
        elif not found and (lines := stacked_lines(image)) > 1:
            found.append(
                f"{lines} lines of text seem to stand one below the other, and this model reads "
                "one: cut them apart, or leave --checkpoint out to read a page"
            )
        if self.model.image_width / max(syllables, 1) < MIN_SYLLABLE_PIXELS:
            found.append(
                f"squeezed to {self.model.image_width} pixels, a syllable keeps under "
                f"{MIN_SYLLABLE_PIXELS}: use shorter pieces or a wider model"
            )
        return found

    def read(self, file: str | Path, force: bool = False) -> Reading:
        """Read one image file.

        force: read what looks hopeless, with warnings, instead of refusing it.
        Raises OcrkitError: the file is missing, does not decode, or is no single line of text.
        """
        file = Path(file)
        content = read_file(file)
        try:
            image = decode(content)
            warnings = self.doubts(image, force)
        except OcrkitError as error:
            raise OcrkitError(f"{file}: {error}") from None
        pixels = resize(image, self.model.image_width, self.model.image_height, self.pad)
        result = read_all(self.model, self.converter, np.stack([pixels]))
        if result.confidence[0] < 0.5:
            warnings.append(f"the model itself is unsure ({result.confidence[0]:.0%})")
        return Reading(file, result.texts[0], result.confidence[0], tuple(warnings))

    def limits(self) -> str:
        """What the checkpoint knows, in a sentence."""
        known = f"{self.charset[:12]}{'...' if len(self.charset) > 12 else ''}"
        kind = "syllables" if all(map(is_syllable, self.charset)) else "characters"
        return (
            f"{self.model.name} knows {len(self.charset)} {kind} ({known}) and up to "
            f"{self._longest()} of them an image; anything else it must misread"
        )
