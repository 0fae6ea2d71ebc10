"""Pages drawn from a seed, with their lines in reading order: a test set that is ours to share.

Exam sheets, book pages, notices, receipts and chats, set in the pinned Nanum faces with words of
`data/words`; some stand askew or on their side, some are grey, noisy or light on dark.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ocrkit.page.turn import upright_matrix
from ocrkit.synth.fonts import find_fonts, open_face
from ocrkit.synth.words import read_words

_PARTICLES = (*"은는이가을를에의도", "에서", "으로", "와", "까지", "")
_ENDS = "한다.", "이다.", "있다.", "하였다.", "않는다.", "되었습니다.", "인가?", "하세요!", "된다."
_CIRCLED = "①②③④⑤"


@dataclass(frozen=True)
class TrueLine:
    """A line as drawn: its text and the box (x, y, width, height) of its ink."""

    text: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class SyntheticPage:
    """A drawn page."""

    name: str
    image: np.ndarray  # (H, W) uint8, as a scanner or a telephone would give it
    lines: list[TrueLine]  # in reading order, with boxes in pixels of the page as drawn
    matrix: np.ndarray  # (2, 3), from pixels as drawn to those of `image`
    turned: float  # degrees clockwise by which `image` must be turned back

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True)
class _Kind:
    """How a page of the test set is drawn, and what then happens to it."""

    draw: "Callable[[_Sheet], None]"
    width: int
    height: int
    size: int
    paper: int = 255
    ink: int = 0
    degrees: float = 0.0
    quarters: int = 0
    noise: float = 0.0
    blur: float = 0.0


class _Sheet:
    """Paper to write on, and what was written."""

    def __init__(self, kind: _Kind, rng: np.random.Generator) -> None:
        self.width, self.height, self.size = kind.width, kind.height, kind.size
        self.paper, self.ink, self.rng = kind.paper, kind.ink, rng
        self.lines: list[TrueLine] = []
        self.picture = Image.new("L", (self.width, self.height), self.paper)
        self.draw = ImageDraw.Draw(self.picture)
        self._fonts = {font.name.removeprefix("NanumGothic"): font.path for font in find_fonts()}
        self.words = np.array(read_words())

    def font(self, scale: float = 1, face: str = "") -> ImageFont.FreeTypeFont:
        return open_face(self._fonts[face], max(6, round(self.size * scale)))

    def write(self, x: float, y: float, text: str, font=None, ink: int | None = None) -> float:
        """Write a line with its left edge and its top at (x, y); the height of a line step."""
        font = font or self.font()
        self.draw.text((round(x), round(y)), text, self.ink if ink is None else ink, font)
        left, top, right, bottom = self.draw.textbbox((round(x), round(y)), text, font)
        box = round(left), round(top), round(right - left), round(bottom - top)
        self.lines.append(TrueLine(text, box))
        return font.size * 1.6

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    def pick(self, texts: Sequence[str] | np.ndarray) -> str:
        return str(self.rng.choice(texts))

    def word(self) -> str:
        kind = self.rng.random()
        if kind < 0.06:
            return f"{self.number(1, 9999):,}원"
        if kind < 0.1:
            return f"{self.number(1, 100)}%"
        if kind < 0.13:
            return self.pick(["OCR", "GDP", "Web", "(A)", "B형", "‘가’", "x²"])
        return self.pick(self.words) + self.pick(_PARTICLES)

    def sentence(self, words: int) -> list[str]:
        middle = [self.word() + ("," if self.rng.random() < 0.1 else "") for _ in range(words)]
        return [*middle, self.pick(self.words) + self.pick(_ENDS)]

    def wrap(self, words: list[str], width: float, font=None) -> list[str]:
        """Words as lines of at most `width` pixels."""
        font, lines = font or self.font(), [""]
        for word in words:
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and font.getlength(longer) > width:
                lines.append(word)
            else:
                lines[-1] = longer
        return lines

    def paragraph(self, x: float, y: float, words: list[str], width: float, font=None) -> float:
        """Write wrapped words; the y below them."""
        for line in self.wrap(words, width, font):
            y += self.write(x, y, line, font)
        return y

    def rule(self, *ends: float) -> None:
        self.draw.line(ends, fill=self.ink, width=max(1, self.size // 14))

    def box(self, *ends: float) -> None:
        self.draw.rectangle(ends, outline=self.ink, width=max(1, self.size // 14))


def _exam(sheet: _Sheet) -> None:
    s, n, gap = sheet.size, sheet.number, sheet.size * 1.6
    column, middle, bottom = (sheet.width - 3 * gap) / 2, sheet.width // 2, sheet.height - 4 * s
    bold, number = sheet.font(1, "Bold"), n(1, 20)
    top = 2.2 * s + sheet.write(middle - 5 * s, s, "제2교시 국어 영역", sheet.font(1.3, "Bold"))
    sheet.rule(middle, top, middle, bottom)
    for x in (gap, middle + gap / 2):
        y = top + s / 2
        while y < bottom - 14 * s:
            y = sheet.paragraph(x, y, [f"{number}.", *sheet.sentence(n(4, 9))], column, bold)
            if n(0, 2) and y < bottom - 18 * s:
                start = y
                y = sheet.paragraph(x + s, y + s / 2, sheet.sentence(9), column - 2 * s) + s * 0.2
                sheet.box(x, start, x + column, y)
                y += 0.7 * s
            if n(0, 5) < 2:  # short answers, three a row
                words = [f"{c} {n(1, 90)}%" for c in _CIRCLED]
                for row in (words[:3], words[3:]):
                    y += sheet.write(x, y, "   ".join(row))
            else:
                for circled in _CIRCLED:
                    if y < bottom - 3 * s:
                        y = sheet.paragraph(x, y, [circled, *sheet.sentence(3)], column)
            y, number = y + 1.5 * s, number + 1
    sheet.write(middle - 3 * s, sheet.height - 2.5 * s, f"{n(2, 20)} / 20")


def _book(sheet: _Sheet) -> None:
    s, margin, width = sheet.size, 4 * sheet.size, sheet.width - 8 * sheet.size
    sheet.write(margin, 1.5 * s, f"제{sheet.number(1, 9)}장 {sheet.word()}", sheet.font(0.75))
    title = " ".join(sheet.sentence(2))
    y = margin + sheet.write(margin, margin, title, sheet.font(1.8, "ExtraBold"))
    while y < sheet.height - 12 * s:
        first, *rest = sheet.wrap(sheet.sentence(12) + sheet.sentence(8), width - 2 * s)
        y += sheet.write(margin + s, y, first)
        y = sheet.paragraph(margin, y, " ".join(rest).split(), width) + s * sheet.number(0, 2)
    sheet.rule(margin, y + s, margin + 8 * s, y + s)
    sheet.paragraph(margin, y + 1.5 * s, ["1)", *sheet.sentence(5)], 25 * s, sheet.font(0.75))
    sheet.write(sheet.width / 2, sheet.height - 2.5 * s, str(sheet.number(10, 400)))


def _columns(sheet: _Sheet) -> None:
    """A title across, then two columns with nothing but space between them."""
    s, column = sheet.size, (sheet.width - 6 * sheet.size) / 2
    top = 5 * s + sheet.write(2 * s, 2 * s, " ".join(sheet.sentence(2)), sheet.font(1.6, "Bold"))
    for x in (2 * s, 4 * s + column):
        y = top
        while y < sheet.height - 6 * s:
            room = int((sheet.height - 3 * s - y) / (1.6 * s))
            for line in sheet.wrap(sheet.sentence(14), column)[:room]:
                y += sheet.write(x, y, line)


def _notice(sheet: _Sheet) -> None:
    s, n, margin, width = sheet.size, sheet.number, 3 * sheet.size, sheet.width - 6 * sheet.size
    title = f"{sheet.word()} 안내"
    y = 3 * s + sheet.write(sheet.width / 2 - 5 * s, 2 * s, title, sheet.font(2.2, "ExtraBold"))
    for number in range(1, 4):
        y = sheet.paragraph(margin, y, [f"{number}.", *sheet.sentence(7)], width) + 0.5 * s
    for _ in range(n(4, 7)):
        for x0, x1 in pairwise(np.linspace(margin, margin + width, 4)):
            sheet.box(x0, y, x1, y + 2.2 * s)
            words = sheet.wrap([sheet.word(), sheet.word()], x1 - x0 - s)[0]
            sheet.write(x0 + 0.5 * s, y + 0.5 * s, words)
        y += 2.2 * s
    start = y + 2 * s
    y = sheet.paragraph(margin + s, start + s, sheet.sentence(14), width - 2 * s)
    sheet.box(margin, start, margin + width, y + s)
    sheet.write(margin, y + 3 * s, f"문의: 02-{n(200, 999)}-{n(1000, 9999)}")


def _receipt(sheet: _Sheet) -> None:
    s, n, left, right = sheet.size, sheet.number, 2 * sheet.size, sheet.width - 2 * sheet.size
    y = 2.5 * s + sheet.write(sheet.width / 2 - 3 * s, s, "영 수 증", sheet.font(1.5, "Bold"))
    for text in (f"상호: {sheet.word()}", f"2024-0{n(1, 9)}-1{n(0, 9)} 12:30"):
        y += sheet.write(left, y, text)
    for items in (n(4, 8), 2):
        sheet.rule(left, y + 0.3 * s, right, y + 0.3 * s)
        y += 0.8 * s
        for _ in range(items):
            name = sheet.pick(sheet.words)
            y += sheet.write(left, y, f"{name}{' ' * 18}{100 * n(10, 900):,}")
    sheet.paragraph(left, y + s, sheet.sentence(4), right - left, sheet.font(0.8))


def _chat(sheet: _Sheet) -> None:
    s, y, night = sheet.size, float(sheet.size), sheet.paper < 128
    for turn in range(20):
        lines, mine = sheet.wrap(sheet.sentence(sheet.number(1, 9)), 13 * s), turn % 3 == 2
        wide = max(sheet.font().getlength(line) for line in lines) + 1.4 * s
        high = len(lines) * 1.6 * s + 0.8 * s
        if y + high > sheet.height - s:
            break
        x = sheet.width - s - wide if mine else s
        fill = (70 if mine else 50) if night else (215 if mine else 255)
        sheet.draw.rounded_rectangle((x, y, x + wide, y + high), radius=0.8 * s, fill=fill)
        for i, line in enumerate(lines):
            sheet.write(x + 0.7 * s, y + 0.6 * s + i * 1.6 * s, line)
        clock = f"{sheet.number(1, 12)}:{sheet.number(10, 59)}"
        at = x - 2.4 * s if mine else x + wide + 0.5 * s
        sheet.write(at, y + high - s, clock, sheet.font(0.65), ink=150 if night else 90)
        y += high + 0.8 * s


PAGES: dict[str, _Kind] = {
    "exam": _Kind(_exam, 1654, 2339, 27, noise=4),
    "exam-coarse": _Kind(_exam, 1100, 1556, 18, blur=0.5, noise=3),
    "exam-askew": _Kind(_exam, 1654, 2339, 29, degrees=2.3, noise=4, paper=235, ink=40),
    "book": _Kind(_book, 1400, 2000, 30, paper=225, ink=60, blur=0.8, noise=5),
    "book-on-its-side": _Kind(_book, 1200, 1700, 26, quarters=1),
    "book-fine": _Kind(_book, 2480, 3508, 58, noise=6, degrees=-0.7),
    "columns": _Kind(_columns, 1654, 2339, 28, noise=3),
    "notice": _Kind(_notice, 1400, 1900, 32, noise=3),
    "notice-light-on-dark": _Kind(_notice, 1000, 1400, 24, paper=30, ink=230, blur=0.5),
    "receipt": _Kind(_receipt, 620, 900, 26, paper=220, ink=70, noise=8, degrees=-1.4),
    "chat": _Kind(_chat, 540, 1100, 24, paper=190, ink=20),
    "chat-night": _Kind(_chat, 360, 780, 15, paper=20, ink=235),
}


def draw_page(name: str, seed: int = 0) -> SyntheticPage:
    """Draw a page of `PAGES`; every seed writes another text."""
    kind = PAGES[name]
    rng = np.random.default_rng([seed, *name.encode()])
    sheet = _Sheet(kind, rng)
    kind.draw(sheet)
    matrix, size = upright_matrix(sheet.picture.size, kind.quarters, kind.degrees, 1)
    drawn = np.asarray(sheet.picture)
    pixels = cv2.warpAffine(drawn, matrix, size, borderValue=kind.paper).astype(np.float32)
    if kind.blur:
        pixels = cv2.GaussianBlur(pixels, (0, 0), kind.blur)
    pixels += rng.normal(0, kind.noise, pixels.shape)
    image = np.clip(pixels, 0, 255).astype(np.uint8)
    return SyntheticPage(name, image, sheet.lines, matrix, -90 * kind.quarters - kind.degrees)
