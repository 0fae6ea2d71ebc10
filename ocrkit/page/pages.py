"""A page that was read: its lines and words with boxes, as text, JSON and in a notebook."""

import base64
import html
import io
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
_MOST_QUARTERS = 4
# A picture in a notebook is at most this wide.
_SHOWN_PIXELS = 900


class LineReader(Protocol):
    """What reads lines: `ocrkit.reader.Reader`, or another with the same method."""

    def read_lines(self, crops: list[np.ndarray], /) -> list[Any]:
        """Crops (H, W) uint8, dark on light -> objects like `ocrkit.reader.LineText`."""
        ...


@dataclass(frozen=True)
class Word:
    """A word: its text, its box (x, y, width, height) in pixels of `Page.image`.

    Attributes:
        confidence: geometric mean of its characters', 0 to 1.
        character_confidences: the reader's probability of each character where it is highest; high
            does not mean right, and of a character that was passed over there is none.
    """

    text: str
    box: tuple[int, int, int, int]
    confidence: float
    character_confidences: tuple[float, ...]


@dataclass(frozen=True)
class Line:
    """A line: its text, its box (x, y, width, height) in pixels of `Page.image`, and its words.

    Attributes:
        corners: x, y of the top left, top right, bottom right and bottom left corner in the file's
            own picture, which may lie on its side or stand askew.
        confidence: the reader's own, the geometric mean over all characters, 0 to 1.
    """

    text: str
    box: tuple[int, int, int, int]
    confidence: float
    words: tuple[Word, ...]
    corners: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Page:
    """A page that was read.

    Attributes:
        image: the page in grey, turned upright.
        lines: in reading order.
        turned: degrees counter-clockwise by which the file's picture was turned to stand upright.
        left_out: lines that were found and not believed, such as parts of pictures.
    """

    image: Image.Image = field(repr=False)
    lines: tuple[Line, ...]
    turned: float
    left_out: int = 0

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

    Args:
        picture: greyscale ("L"), dark on light, light on dark or both; any way up.
        reader: what reads its lines.
    """
    grey = np.asarray(picture)
    layout = find_lines(grey)
    texts = reader.read_lines([line.crop for line in layout.lines])
    tries = _upside_down(grey, layout, texts, reader)
    layout, texts = tries if tries else (layout, texts)
    usual = float(np.median([text.confidence for text in texts])) if texts else 0.0
    least = min(max(DOUBTFUL * usual, UNREADABLE), READABLE)
    kept = [
        (line, text)
        for line, text in zip(layout.lines, texts, strict=True)
        if text.text.strip() and text.confidence >= least
    ]
    if not kept:  # a drawing, or nothing: which way it would be turned means nothing
        return Page(picture, (), 0.0, len(layout.lines))
    view = _View(layout, picture)
    lines = tuple(view.line(found, text) for found, text in kept)
    turned = round(90 * layout.quarters + layout.degrees, 2)
    return Page(view.image, lines, turned, len(layout.lines) - len(kept))


def _upside_down(
    grey: np.ndarray, layout: Layout, texts: list[Any], reader: LineReader
) -> tuple[Layout, list[Any]] | None:
    """The layout and texts of the page turned by 180 degrees, if they are the surer ones."""
    longest = sorted(range(len(texts)), key=lambda i: -layout.lines[i].box[2])[:_SAMPLE]
    if not longest:
        return None
    upright = np.mean([texts[i].confidence for i in longest])
    heads = [np.ascontiguousarray(np.rot90(layout.lines[i].crop, 2)) for i in longest]
    if np.mean([text.confidence for text in reader.read_lines(heads)]) <= upright:
        return None
    other = find_lines(grey, (layout.quarters + 2) % _MOST_QUARTERS)
    return other, reader.read_lines([line.crop for line in other.lines])


class _View:
    """The upright page at the file's own resolution, and boxes in it."""

    def __init__(self, layout: Layout, picture: Image.Image) -> None:
        self._scale = float(np.hypot(*layout.matrix[:, 0]))
        self._corners = layout.corners
        height, width = layout.grey.shape
        self._size = (max(1, round(width / self._scale)), max(1, round(height / self._scale)))
        if not layout.degrees:  # pixels as they are, turned by quarters
            turned = picture.rotate(90 * layout.quarters, expand=True)
            self.image = turned if turned.size == self._size else turned.resize(self._size)
        else:
            self.image = Image.fromarray(layout.grey).resize(self._size)

    def _box(self, x: float, y: float, width: float, height: float) -> tuple[int, int, int, int]:
        s = self._scale
        left, top = int(x / s), int(y / s)
        right, bottom = np.ceil((x + width) / s), np.ceil((y + height) / s)
        right, bottom = min(right, self._size[0]), min(bottom, self._size[1])
        return left, top, max(1, int(right) - left), max(1, int(bottom) - top)

    def line(self, found: FoundLine, text: Any) -> Line:
        x, y, width, height = found.box
        words, start = [], 0
        for word in text.text.split():
            first = text.text.index(word, start)
            start = first + len(word)
            spans = text.spans[first:start]
            left = min(max(found.left + spans[0][0], x), x + width)
            right = min(max(found.left + spans[-1][1], left + 1), x + width)
            box = self._box(left, y, max(1, right - left), height)
            sure = text.probabilities[first:start]
            each = tuple(round(p, 4) for p in sure)
            words.append(Word(word, box, round(geometric_mean(sure), 4), each))
        line = text.text.strip()
        return Line(
            line,
            self._box(*found.box),
            round(text.confidence, 4),
            tuple(words),
            self._corners(found),
        )
