"""From a page to its text: lines are found by plain image analysis and read by `ocrkit.reader`."""

from pathlib import Path

import numpy as np
from PIL import Image

from ocrkit.data.pictures import to_grey
from ocrkit.errors import OcrkitError
from ocrkit.page.files import PageFile
from ocrkit.page.layout import find_lines
from ocrkit.page.pages import Line, LineReader, Page, Word, read_picture

__all__ = ["Line", "LineReader", "Page", "PageFile", "Word", "find_lines", "read", "read_picture"]


def read(
    source: str | Path | Image.Image | np.ndarray,
    page: int | None = None,
    reader: LineReader | None = None,
) -> Page:
    """Read a page.

    source: a file (picture, TIFF, PDF), a Pillow picture, or an array (H, W[, 3]) uint8.
    page: which page of a file, counted from 1; may be left out where there is one.
    reader: what reads the lines; None for ocrkit's own.
    Raises OcrkitError: the file cannot be read, or has several pages and none was named; the
    picture has no pixels.
    """
    if isinstance(source, (str, Path)):
        file = PageFile(source)
        if page is None and len(file) > 1:
            raise OcrkitError(f"{file.path} has {len(file)} pages: say which, as in page=1")
        number = 1 if page is None else page
        if not 1 <= number <= len(file):
            raise OcrkitError(f"{file.path} has no page {number}: it has {len(file)}")
        picture = file.page(number - 1)
    elif page is not None:
        raise OcrkitError("page= is for files: a picture is one page")
    else:
        picture = source if isinstance(source, Image.Image) else _from_array(source)
        if 0 in picture.size:
            raise OcrkitError("the picture is empty: it has no pixels")
        picture = to_grey(picture)
    if reader is None:
        from ocrkit.reader import load_reader

        reader = load_reader()
    return read_picture(picture, reader)


def _from_array(pixels: np.ndarray) -> Image.Image:
    try:
        if np.ndim(pixels) > 1:
            return Image.fromarray(pixels)
    except (TypeError, ValueError, AttributeError):
        pass
    raise OcrkitError(
        "this is no picture: give a file's name, a Pillow picture, or an array (H, W) or (H, W, 3) "
        "of uint8"
    )
