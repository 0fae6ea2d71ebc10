"""Files become pages in grey: pictures, TIFFs of several pages, and PDFs."""

from pathlib import Path

import pypdfium2 as pdfium
from PIL import Image

from ocrkit.data.pictures import MAX_PIXELS, count_pages, decode
from ocrkit.errors import OcrkitError
from ocrkit.files import read_file

# Dots per inch at which pages of a PDF are drawn: text of 10 points is 28 pixels high.
PDF_DPI = 200
# Some programs give a whole scan the size of a stamp: its longer side is still so many pixels.
_LEAST_PIXELS = 1000


class PageFile:
    """A picture, a TIFF or a PDF: `len(file)` pages, `file.page(0)` the first.

    path: the file; its content says what it is, not its name.
    Raises OcrkitError: missing, empty, broken, encrypted, without pages, or of a kind not read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._content = read_file(self.path)
        self._pdf = None
        if not self._content:
            raise OcrkitError(f"{self.path} is empty")
        try:
            if b"%PDF-" in self._content[:1024]:
                self._pdf = _open_pdf(self._content)
            self._count = count_pages(self._content) if self._pdf is None else len(self._pdf)
        except OcrkitError as error:
            raise OcrkitError(f"{self.path}: {error}") from None

    def __len__(self) -> int:
        return self._count

    def page(self, index: int) -> Image.Image:
        """Page `index`, counted from 0, in grey ("L") and as a viewer shows it.

        Raises OcrkitError: this page is broken or enormous; the others may be whole.
        """
        try:
            if self._pdf is None:
                return decode(self._content, index)
            return _draw(self._pdf, index)
        except OcrkitError as error:
            raise OcrkitError(f"{self.named(index)}: {error}") from None

    def named(self, index: int) -> str:
        """The file, and which page of it if there are several."""
        return f"{self.path}, page {index + 1}" if len(self) > 1 else str(self.path)


def _open_pdf(content: bytes) -> pdfium.PdfDocument:
    try:
        document = pdfium.PdfDocument(content)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise OcrkitError(
                "the PDF is encrypted: save a copy without a password and read that"
            ) from None
        raise OcrkitError(f"the PDF is broken ({error})") from None
    if not len(document):
        raise OcrkitError("the PDF has no pages")
    return document


def _draw(document: pdfium.PdfDocument, index: int) -> Image.Image:
    try:
        page = document[index]
        width, height = page.get_size()
        # a poster is drawn as finely as fits
        finest = (0.95 * MAX_PIXELS / max(width * height, 1e-6)) ** 0.5
        # a PDF counts in points, 72 an inch
        scale = max(PDF_DPI / 72, _LEAST_PIXELS / max(width, height, 1e-6))
        scale = min(scale, finest)
        drawn = page.render(scale=scale, grayscale=True)  # pyright: ignore[reportArgumentType]
        return drawn.to_pil().convert("L")
    except (pdfium.PdfiumError, ValueError) as error:
        raise OcrkitError(f"the page does not draw ({error})") from None
