"""Reading the file that says what each image says (ground truth, GT), however it was saved."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ocrkit.errors import OcrkitError
from ocrkit.hangul import nfc
from ocrkit.text_files import read_lines

_FILE = ("file", "filename", "file_name", "image", "path", "파일", "파일명", "파일이름", "이미지")
_LABEL = ("label", "text", "words", "gt", "라벨", "레이블", "정답", "텍스트", "글자")
# A file's name may hold spaces: it goes on up to what ends image files, if that is there.
_SPACED = re.compile(
    r"(?P<file>.+?\.(?:png|jpe?g|bmp|gif|tiff?|webp)|\S+?),?\s+(?P<label>.*)", re.IGNORECASE
)

_CELL = re.compile(r'\s*("(?:[^"]|"")*"|[^,]*),')
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_NEEDS_QUOTES = re.compile('[",]').search


@dataclass(frozen=True)
class Line:
    """One line: its number (from 1), the file's name, the label (NFC), or what is wrong with it."""

    number: int
    file: str = ""
    label: str = ""
    wrong: str = ""


def read_truth(path: Path) -> list[Line]:
    """The lines of a GT file, without its header and empty lines.

    A line is `file<TAB>label` or `file label` (the first space after the file's name divides them),
    or `file, "label"`, as ICDAR's word lists have it.
    Quotes that a spreadsheet put around labels go. A header row that names the columns (file,
    label; 파일, 정답; ...) is optional, and needed where there are more than two. Commas divide
    only under a header that has them (`filename,words`, as EasyOCR writes it), and no more columns
    than it names: the last may hold commas without quotes.
    Raises OcrkitError: the file cannot be read, is no text, or is empty.
    """
    texts = enumerate(read_lines(path), start=1)
    rows = [(number, text) for number, text in texts if text is None or text.strip()]
    if not rows:
        raise OcrkitError(f"{path} is empty: write one line an image, file<TAB>label")
    columns, split = _header(rows[0][1])
    if columns:
        rows = rows[1:]
    return _without_quotes([_line(number, text, columns, split) for number, text in rows])


def _without_quotes(lines: list[Line]) -> list[Line]:
    """Labels without the quotes that a spreadsheet put around them; quotes of their own stay.

    A spreadsheet quotes the cells that hold a comma or a quote (which it doubles), or all cells.
    In a file where a comma stands without quotes around its label, or quotes without a comma, the
    quotes are what the images say.
    """
    labels = [line.label for line in lines if line.label]
    quoted = {label for label in labels if _QUOTED.fullmatch(label)}
    plain = set(labels) - quoted
    by_need = all(map(_NEEDS_QUOTES, (label[1:-1] for label in quoted)))
    if plain and (not by_need or any(map(_NEEDS_QUOTES, plain))):
        return lines
    return [
        replace(line, label=line.label[1:-1].replace('""', '"')) if line.label in quoted else line
        for line in lines
    ]


Split = Callable[[str], Sequence[str]]


def _header(text: str | None) -> tuple[tuple[int, int] | None, Split]:
    """Which columns hold the file and the label, if this line is a header; what divides lines."""
    text = text or ""
    commas = partial(_cells, count=text.count(",") + 1)
    for split in (_split, commas) if "\t" not in text else (_split,):
        names = [nfc(name).strip(' "\ufeff').lower() for name in split(text)]
        files = [i for i, name in enumerate(names) if name in _FILE]
        labels = [i for i, name in enumerate(names) if name in _LABEL]
        if files and labels:
            return (files[0], labels[0]), split
    return None, _split


def _cells(text: str, count: int) -> list[str]:
    """The cells of a line of a CSV table; the last holds the rest of the line."""
    cells, start = [], 0
    while len(cells) < count - 1 and (found := _CELL.match(text, start)):
        cells.append(found[1])
        start = found.end()
    return [*cells, text[start:]]


def _split(text: str) -> Sequence[str]:
    if "\t" in text:
        return text.split("\t")
    spaced = _SPACED.fullmatch(text.strip())
    return (spaced["file"], spaced["label"]) if spaced else (text,)


def _line(number: int, text: str | None, columns: tuple[int, int] | None, split: Split) -> Line:
    if text is None:
        return Line(number, wrong="the line is broken text: save the file as UTF-8")
    fields = [field.strip(" \ufeff") for field in split(text)]
    if len(fields) == 1:
        why = " (semicolons divide nothing)" if ";" in text else ""
        why = " (commas divide only under a header: filename,words)" if "," in text else why
        return Line(number, fields[0], wrong=f"nothing divides file and label{why}: use a tab")
    if columns and max(columns) >= len(fields):
        return Line(number, fields[0], wrong="the line has fewer columns than the header")
    if columns is None and len(fields) > 2:
        return Line(
            number, fields[0], wrong="more than two columns: add a header with file and label"
        )
    file, label = columns or (0, 1)
    if fields[label].startswith('[{"transcription"'):
        boxes = (
            "the label is a list of boxes of a whole page (PaddleOCR's detection): cut lines out"
        )
        return Line(number, fields[file], wrong=boxes)
    name = fields[file]
    if split is not _split and fields[label].startswith('"') and fields[label].count('"') % 2:
        return Line(number, name, wrong="a quote is opened and not closed: a label is one line")
    if split is not _split and _QUOTED.fullmatch(name):
        name = name[1:-1].replace('""', '"')
    return Line(number, name, nfc(fields[label]))
