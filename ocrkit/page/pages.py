"""A page that was read: its lines and words with boxes, as text, JSON and in a notebook."""

import base64
import html
import io
import math
from dataclasses import asdict, dataclass, field
from statistics import geometric_mean
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ocrkit.page.layout import FoundLine, Layout, find_lines

# A line of which the reader is less sure than this share of the page's median is taken for a part
# of a picture and left out; always under the first limit, never over the second.
DOUBTFUL, UNREADABLE, READABLE = 0.6, 0.3, 0.5
# So many of the longest lines are read both ways up when a page may stand on its head.
_SAMPLE = 6
# A picture in a notebook is at most this wide.
_SHOWN_PIXELS = 900


class LineReader(Protocol):
    """What reads lines: `ocrkit.reader.Reader`, or another with the same method."""

    def read_lines(self, crops: list[np.ndarray], /) -> list[Any]:
        """Crops (H, W) uint8, dark on light -> objects like `ocrkit.reader.LineText`."""
        ...


@dataclass(frozen=True)
class Word:
    """A word: its text, its box (x, y, width, height) in pixels of `Page.image`."""

    text: str
    box: tuple[int, int, int, int]
    confidence: float  # geometric mean of its characters', 0 to 1
    # the reader's probability of each character where it is highest; high does not mean right, and
    # of a character that was passed over there is none
    character_confidences: tuple[float, ...]


@dataclass(frozen=True)
class Line:
    """A line: its text, its box (x, y, width, height) in pixels of `Page.image`, and its words."""

    text: str
    box: tuple[int, int, int, int]
    confidence: float  # the reader's own, the geometric mean over all characters, 0 to 1
    words: tuple[Word, ...]
    # x, y of the top left, top right, bottom right and bottom left corner in the file's own
    # picture, which may lie on its side or stand askew
    corners: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Page:
    """A page that was read."""

    image: Image.Image = field(repr=False)  # in grey, turned upright
    lines: tuple[Line, ...]  # in reading order
    turned: float  # degrees counter-clockwise by which the file's picture was turned upright
    left_out: int = 0  # lines that were found and not believed, such as parts of pictures

    @property
    def text(self) -> str:
        """All lines, one below the other."""
        return "\n".join(line.text for line in self.lines)

    @property
    def words(self) -> list[Word]:
        """All words in reading order."""
        return [word for line in self.lines for word in line.words]

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold: size, turned, left_out and lines."""
        return {
            "width": self.image.width,
            "height": self.image.height,
            "turned": self.turned,
            "left_out": self.left_out,
            "lines": [asdict(line) for line in self.lines],
        }

    def _repr_html_(self) -> str:
        """The page with a box around every line, and the text beside it."""
        scale = min(1.0, _SHOWN_PIXELS / self.image.width)
        size = [max(1, round(scale * side)) for side in self.image.size]
        out = io.BytesIO()
        self.image.resize(size).save(out, "PNG")
        picture = base64.b64encode(out.getvalue()).decode()
        boxes = "".join(
            '<rect x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'.format(
                *line.box, html.escape(f"{line.text} ({line.confidence:.2f})")
            )
            for line in self.lines
        )
        view = f"0 0 {self.image.width} {self.image.height}"
        return (
            '<div style="display:flex;gap:1em;align-items:flex-start">'
            f'<svg viewBox="{view}" width="{size[0]}" style="max-width:60%">'
            f'<image href="data:image/png;base64,{picture}" width="{self.image.width}" '
            f'height="{self.image.height}"/>'
            f'<g fill="#d62728" fill-opacity="0.08" stroke="#d62728" '
            f'stroke-width="{1 / scale:.1f}">{boxes}</g></svg>'
            f'<pre style="white-space:pre-wrap;max-width:40%">{html.escape(self.text)}</pre></div>'
        )


def read_picture(picture: Image.Image, reader: LineReader) -> Page:
    """Read one page.

    picture: greyscale ("L"), dark on light, light on dark or both; any way up.
    reader: what reads its lines.
    """
    grey = np.asarray(picture)
    layout = find_lines(grey)
    texts = reader.read_lines([line.crop for line in layout.lines])
    if _stands_on_its_head(layout, texts, reader):
        layout = find_lines(grey, (layout.quarters + 2) % 4)
        texts = reader.read_lines([line.crop for line in layout.lines])
    usual = float(np.median([text.confidence for text in texts])) if texts else 0.0
    least = min(max(DOUBTFUL * usual, UNREADABLE), READABLE)
    kept = [
        (line, text)
        for line, text in zip(layout.lines, texts, strict=True)
        if text.text.strip() and text.confidence >= least
    ]
    if not kept:  # a drawing, or nothing: which way it would be turned means nothing
        return Page(picture, (), 0.0, len(layout.lines))
    # The upright page at the file's own resolution.
    scale = float(np.hypot(*layout.matrix[:, 0]))
    width, height = (max(1, round(side / scale)) for side in layout.grey.shape[::-1])
    if layout.degrees:
        image = Image.fromarray(layout.grey).resize((width, height))
    else:  # pixels as they are, turned by quarters
        image = picture.rotate(90 * layout.quarters, expand=True)
        image = image if image.size == (width, height) else image.resize((width, height))
    lines = tuple(_line(found, text, layout, scale, image.size) for found, text in kept)
    turned = round(90 * layout.quarters + layout.degrees, 2)
    return Page(image, lines, turned, len(layout.lines) - len(kept))


def _stands_on_its_head(layout: Layout, texts: list[Any], reader: LineReader) -> bool:
    """Whether the page's longest lines are read more surely when turned by 180 degrees."""
    longest = sorted(range(len(texts)), key=lambda i: -layout.lines[i].box[2])[:_SAMPLE]
    if not longest:
        return False
    heads = [np.ascontiguousarray(np.rot90(layout.lines[i].crop, 2)) for i in longest]
    turned = np.mean([text.confidence for text in reader.read_lines(heads)])
    return bool(turned > np.mean([texts[i].confidence for i in longest]))


def _line(found: FoundLine, text: Any, layout: Layout, scale: float, size: tuple[int, int]) -> Line:
    """A line and its words, their boxes in pixels of the upright page, which has this size."""
    x, y, width, height = found.box

    def box(left: int, right: int) -> tuple[int, int, int, int]:
        """The box of what stands in these columns of the working picture."""
        first, top = int(left / scale), int(y / scale)
        last = min(math.ceil(right / scale), size[0])
        bottom = min(math.ceil((y + height) / scale), size[1])
        return first, top, max(1, last - first), max(1, bottom - top)

    words, start = [], 0
    for word in text.text.split():
        first = text.text.index(word, start)
        start = first + len(word)
        left = min(max(found.left + text.spans[first][0], x), x + width)
        right = min(max(found.left + text.spans[start - 1][1], left + 1), x + width)
        sure = text.probabilities[first:start]
        each = tuple(round(p, 4) for p in sure)
        where = box(left, max(right, left + 1))
        words.append(Word(word, where, round(geometric_mean(sure), 4), each))
    where, sure = box(x, x + width), round(text.confidence, 4)
    return Line(text.text.strip(), where, sure, tuple(words), layout.corners(found))
