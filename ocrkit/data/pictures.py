"""The one door for pictures: encoded bytes, or any Pillow image, become 8-bit greyscale."""

import contextlib
import io
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps

from ocrkit.errors import OcrkitError

# A picture of more pixels than this is not decoded: it could fill the memory.
MAX_PIXELS = 64_000_000
# Pillow knows more, and hands some of them (EPS) to other programs.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "AVIF", "JPEG2000", "PPM")
# Darkest and lightest grey closer than this: nothing that anybody could read.
MIN_CONTRAST = 8
# Full scale of pictures with more than 8 bits: fractions, and cameras and scanners of 8 to 16 bits.
_FULL_SCALES = np.array([1, 255, 1023, 4095, 16383, 65535])
# Pillow warns of large pictures, which are refused here, and of odd metadata, which no line needs.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(image: bytes, page: int = 0) -> Image.Image:
    """Decode one image to greyscale ("L"), upright.

    page: which one, where a file holds several (`count_pages`).
    Raises OcrkitError: empty, broken, enormous, or of a kind that is not read.
    """
    with _opened(image) as picture:
        picture.seek(page)
        if picture.width * picture.height > MAX_PIXELS:
            raise OcrkitError(
                f"the image is enormous ({picture.width} x {picture.height}): cut or shrink it to "
                f"at most {MAX_PIXELS // 10**6} million pixels"
            )
        picture.load()
        upright: Image.Image = picture
        with contextlib.suppress(Exception):  # broken metadata, around pixels that are whole
            upright = ImageOps.exif_transpose(picture)  # as every viewer shows a photograph
        return to_grey(upright)


def count_pages(image: bytes) -> int:
    """How many pages a TIFF holds; any other picture is one, whatever moves in it.

    Raises OcrkitError: empty, broken, or of a kind that is not read.
    """
    with _opened(image) as picture:
        return getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1


@contextlib.contextmanager
def _opened(image: bytes) -> Iterator[Image.Image]:
    """A picture whose pixels are not decoded yet; what goes wrong within is an OcrkitError."""
    if not image:
        raise OcrkitError("the image is empty")
    try:
        with Image.open(io.BytesIO(image), formats=FORMATS) as picture:
            yield picture
    except OcrkitError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise OcrkitError(
            "the image is enormous: cut or shrink it to "
            f"at most {MAX_PIXELS // 10**6} million pixels"
        ) from None
    except Image.UnidentifiedImageError:
        raise OcrkitError(
            f"the image does not decode: this is no picture file ({', '.join(FORMATS)} are read)"
        ) from None
    except Exception as error:  # Pillow's decoders raise many kinds, down to struct.error
        raise OcrkitError(f"the image does not decode ({type(error).__name__}: {error})") from None


def to_grey(picture: Image.Image) -> Image.Image:
    """A picture of any Pillow mode as "L": transparency on paper, more than 8 bits scaled.

    Values beyond 8 bits are divided by the smallest full scale (1, 255, then 10, 12, 14 and 16
    bits) that holds the largest of them, because files do not say how many bits they use.
    Raises OcrkitError: values that are negative, not finite or over 65535.
    """
    mode = picture.mode
    if mode == "L" and "transparency" not in picture.info:
        return picture
    if mode in ("I", "F") or mode.startswith("I;16"):
        return _to_8_bits(picture)
    if mode in ("La", "RGBa"):  # colours multiplied by their opacity
        picture = picture.convert({"La": "LA", "RGBa": "RGBA"}[mode])
    if mode == "LAB":
        return picture.getchannel("L")
    if "A" in picture.getbands() or "transparency" in picture.info:
        return _on_paper(picture.convert("RGBA"))
    return picture.convert("L")


def contrast_problem(grey: Image.Image) -> str:
    """Why nothing can be read in a greyscale picture that is one grey all over, or ""."""
    if np.ptp(np.asarray(grey)) >= MIN_CONTRAST:
        return ""
    darkest, lightest = grey.getextrema()
    return f"the image has no contrast (greys from {darkest} to {lightest}): nothing can be seen"


def _to_8_bits(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture).astype(np.float64)
    least, most = values.min(), values.max()
    if not (least >= 0 and most <= _FULL_SCALES[-1]):  # NaN fails both
        raise OcrkitError(
            f"the image's values run from {least:g} to {most:g}: save it as 8-bit greyscale"
        )
    scaled = values * (255 / _FULL_SCALES[np.searchsorted(_FULL_SCALES, most)])
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def _on_paper(picture: Image.Image) -> Image.Image:
    """An RGBA picture on white paper, as a viewer shows it; light ink on black.

    Dropping the alpha channel instead turns black text on "nothing" into black on black, and white
    paper turns white text into white on white.
    """
    on_white, on_black = (
        Image.alpha_composite(Image.new("RGBA", picture.size, paper), picture).convert("L")
        for paper in ("white", "black")
    )
    contrasts = [int(np.ptp(np.asarray(grey))) for grey in (on_white, on_black)]
    return on_black if contrasts[1] > 2 * contrasts[0] else on_white
