"""Pages that were read, as files for other programs: a searchable PDF, and hOCR."""

import html
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ocrkit import __version__
from ocrkit.files import atomic_file
from ocrkit.page.files import PDF_DPI
from ocrkit.page.pages import Line, Page
from ocrkit.synth.fonts import find_fonts

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

_FONT = "NanumGothic"
_INVISIBLE = 3  # PDF 32000-1, table 106: neither fill nor stroke
_JPEG_QUALITY = 85
# What no XML may hold (XML 1.0, section 2.2), though a file's name may, and line ends.
_NO_XML = re.compile("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Of a line's height: how far its letters' feet stand above its lower edge.
_BASELINE = 0.15


def write_pdf(pages: Sequence[Page], path: str | Path) -> None:
    """Write pages as one PDF: pictures that look as before, over text to search and copy.

    The text is set in a pinned Nanum face, of which the file carries the glyphs it needs and their
    Unicode, so that Hangul copies right in any viewer.
    Raises OcrkitError: the file cannot be written.
    """
    # Not at the top: reportlab looks into the home folder, which not everybody has.
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.pdfgen.canvas import Canvas

    if _FONT not in pdfmetrics.getRegisteredFontNames():
        (font,) = (font for font in find_fonts() if font.name == _FONT)
        pdfmetrics.registerFont(TTFont(_FONT, font.path))
    with atomic_file(path) as temporary:
        canvas = Canvas(str(temporary), pageCompression=1, invariant=1)
        canvas.setCreator(f"ocrkit {__version__}")
        for page in pages:
            _draw_page(canvas, page)
        canvas.save()


def _draw_page(canvas: "Canvas", page: Page) -> None:
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfbase import pdfmetrics

    scale = 72 / PDF_DPI
    width, height = (side * scale for side in page.image.size)
    canvas.setPageSize((width, height))
    picture = io.BytesIO()
    page.image.save(picture, "JPEG", quality=_JPEG_QUALITY)
    canvas.drawImage(ImageReader(picture), 0, 0, width, height)
    text = canvas.beginText()
    text.setTextRenderMode(_INVISIBLE)
    for line in page.lines:
        for i, word in enumerate(line.words):
            x, y, wide, high = (scale * value for value in word.box)
            # the space before the next word is set too, or some viewers copy words as one
            said = word.text + (" " if i + 1 < len(line.words) else "")
            size = max(high, 0.1)
            natural = pdfmetrics.stringWidth(word.text, _FONT, size)
            text.setFont(_FONT, size)
            text.setHorizScale(100 * wide / natural if natural else 100)
            text.setTextOrigin(x, height - y - (1 - _BASELINE) * high)
            text.textOut(said)
    canvas.drawText(text)
    canvas.showPage()


def to_hocr(pages: Sequence[tuple[str, Page]]) -> str:
    """Named pages as one hOCR document (hOCR 1.2): XHTML with a box for every line and word."""
    body = "\n".join(_hocr_page(i, name, page) for i, (name, page) in enumerate(pages, 1))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="ko" lang="ko">\n<head>\n'
        "<title>ocrkit</title>\n"
        '<meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>\n'
        f'<meta name="ocr-system" content="ocrkit {__version__}"/>\n'
        '<meta name="ocr-capabilities" content="ocr_page ocr_line ocrx_word"/>\n'
        f"</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _hocr_page(number: int, name: str, page: Page) -> str:
    where = f"bbox 0 0 {page.image.width} {page.image.height}"
    title = _escape(f'image "{name}"; {where}; ppageno {number - 1}')
    lines = "\n".join(_hocr_line(f"{number}_{i}", each) for i, each in enumerate(page.lines, 1))
    return f'<div class="ocr_page" id="page_{number}" title="{title}">\n{lines}\n</div>'


def _hocr_line(number: str, line: Line) -> str:
    words = " ".join(
        f'<span class="ocrx_word" id="word_{number}_{i}" '
        f'title="{_bbox(word.box)}; x_wconf {round(100 * word.confidence)}">'
        f"{_escape(word.text)}</span>"
        for i, word in enumerate(line.words, 1)
    )
    return (
        f'<span class="ocr_line" id="line_{number}" title="{_bbox(line.box)}">{words}</span><br/>'
    )


def _escape(text: str) -> str:
    return html.escape(_NO_XML.sub(lambda found: ascii(found[0])[1:-1], text))


def _bbox(box: tuple[int, int, int, int]) -> str:
    x, y, width, height = box
    return f"bbox {x} {y} {x + width} {y + height}"
