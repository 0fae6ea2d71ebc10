"""Tesseract, the engine itself: run as a program on images, its answers as texts and quads.

Its stages: black and white by Otsu's threshold; layout analysis (Smith, ICDAR 2009); lines and
words (Smith, "An Overview of the Tesseract OCR Engine", ICDAR 2007); and since version 4 an LSTM
with CTC that reads a line at a time.
"""

import os
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from ocrkit.errors import OcrkitError
from ocrkit.papers.shared.quads import as_quads

# What the option --psm calls by numbers; those that tell a learner something.
MODES = {"page": 3, "block": 6, "line": 7, "word": 8, "sparse": 11, "raw line": 13}
_LEVELS = {2: "block", 3: "paragraph", 4: "line"}
INSTALL = "install it: apt-get install tesseract-ocr tesseract-ocr-kor"


@dataclass(frozen=True, eq=False)
class Word:
    """What was read in one place.

    Attributes:
        text: without spaces.
        confidence: percent, Tesseract's own; the least of its pieces.
        quad: (4, 2), upright, in the image's pixels.
    """

    text: str
    confidence: float
    quad: np.ndarray


@dataclass(frozen=True, eq=False)
class Page:
    """One image, read.

    Attributes:
        text: as Tesseract writes it: lines, and the spaces between words.
        words: in reading order.
        pieces: the boxes from which `words` are put together: (text, quad).
        areas: quads (n, 4, 2) of "block", "paragraph" and "line".
    """

    text: str
    words: tuple[Word, ...]
    pieces: tuple[tuple[str, np.ndarray], ...] = ()
    areas: dict[str, np.ndarray] = field(default_factory=dict)


def find_tesseract() -> str:
    """Where the program is.

    Raises:
        OcrkitError: it is not installed.
    """
    path = shutil.which("tesseract")
    if path is None:
        raise OcrkitError(f"the program tesseract is not installed: {INSTALL}")
    return path


def installed(language: str = "kor") -> bool:
    """Are the program and its data of a language here?"""
    return shutil.which("tesseract") is not None and language in languages()


def languages() -> tuple[str, ...]:
    """The languages that it can read here: "kor", "eng" and others."""
    said = _run([find_tesseract(), "--list-langs"]).stdout
    return tuple(said.splitlines()[1:])


def data_folder() -> Path:
    """Where its files of languages lie.

    Raises:
        OcrkitError: it is not installed.
    """
    said = _run([find_tesseract(), "--list-langs"]).stdout.splitlines()[0]
    return Path(said[said.find('"') + 1 : said.rfind('"')])


def version() -> str:
    """Its version, such as "5.3.0"."""
    return _run([find_tesseract(), "--version"]).stdout.split()[1]


def read_images(
    images: Sequence[np.ndarray],
    mode: str = "page",
    spaces: bool = True,
    scale: int = 1,
    language: str = "kor",
) -> list[Page]:
    """Read images with one call of the program; starting it anew for each would cost more.

    Args:
        images: grey, uint8 (H, W), of any sizes.
        mode: how the page is taken apart, of `MODES`.
        spaces: the switch `preserve_interword_spaces`. The Korean data turn it on; off, a space
            goes between any two pieces that the dictionary does not join.
        scale: enlarge so many times before reading; quads are in the pixels of the images given.
        language: one that `languages` lists, or several: "kor+eng".

    Raises:
        OcrkitError: the program or its language is not installed, an unknown mode, or it failed.
    """
    if mode not in MODES:
        raise OcrkitError(f"no mode {mode!r}: choose one of {', '.join(MODES)}")
    program = find_tesseract()
    if missing := set(language.split("+")) - set(languages()):
        raise OcrkitError(f"tesseract has no data for {', '.join(sorted(missing))}: {INSTALL}")
    if not len(images):
        return []
    with tempfile.TemporaryDirectory(prefix="ocrkit-") as name:
        folder = Path(name)
        paths = [folder / f"{i:06d}.png" for i in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            _write(path, image, scale)
        (folder / "list.txt").write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
        call = [program, str(folder / "list.txt"), str(folder / "out"), "-l", language]
        call += ["--psm", str(MODES[mode]), "-c", f"preserve_interword_spaces={int(spaces)}"]
        _run([*call, "-c", "tessedit_create_txt=1", "-c", "tessedit_create_tsv=1"])
        table = (folder / "out.tsv").read_text(encoding="utf-8")
        texts = (folder / "out.txt").read_text(encoding="utf-8")
    return parse(table, texts, len(images), scale)


def _write(path: Path, image: np.ndarray, scale: int) -> None:
    if scale != 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    if not cv2.imwrite(str(path), image):
        raise OcrkitError(f"cannot write {path}: is the disk full?")


def _run(call: list[str]) -> subprocess.CompletedProcess:
    # More threads make it slower: its layers are small.
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    done = subprocess.run(call, capture_output=True, encoding="utf-8", env=environment, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split()[-30:])
        raise OcrkitError(f"tesseract failed ({said}): try it by hand with one of the images")
    return done


def parse(table: str, texts: str, count: int, scale: int = 1) -> list[Page]:
    """Pages from the two things that Tesseract writes.

    The table (TSV) has the places, but calls a single syllable a word where no dictionary joins
    it to the next. The text knows where the spaces are. So the pieces of a line are put together
    as its text says.

    Args:
        table: one row a block, paragraph, line and word.
        texts: a form feed ends each page.
        count: how many pages.
    """
    rows: dict[int, list[list[str]]] = defaultdict(list)
    for line in table.splitlines()[1:]:
        cells = line.split("\t")
        rows[int(cells[1])].append(cells)
    pages = texts.split("\f")
    return [_page(rows[i + 1], pages[i] if i < len(pages) else "", scale) for i in range(count)]


def _page(rows: list[list[str]], text: str, scale: int) -> Page:
    areas = {
        name: as_quads([_quad(row, scale) for row in rows if int(row[0]) == level])
        for level, name in _LEVELS.items()
    }
    pieces = [row for row in rows if row[0] == "5" and row[11].strip()]
    lines = [list(group) for _, group in groupby(pieces, key=lambda row: row[2:5])]
    written = [line for line in text.splitlines() if line.strip()]
    if len(written) != len(lines):  # then the pieces stand for themselves
        written = [" ".join(row[11] for row in line) for line in lines]
    words = [
        w for line, says in zip(lines, written, strict=True) for w in _words(line, says, scale)
    ]
    small = tuple((row[11], _quad(row, scale)) for row in pieces)
    return Page(text.strip("\n"), tuple(words), small, areas)


def _words(pieces: list[list[str]], written: str, scale: int) -> list[Word]:
    """The pieces of a line, put together where its text has no space between them."""
    tokens = written.split()
    if "".join(tokens) != "".join(row[11].strip() for row in pieces):
        tokens = [row[11].strip() for row in pieces]
    words, waiting = [], list(pieces)
    for token in tokens:
        own, said = [], ""
        while waiting and len(said) < len(token):
            own.append(waiting.pop(0))
            said += own[-1][11].strip()
        if own:
            corners = np.concatenate([_quad(row, scale) for row in own])
            (left, top), (right, bottom) = corners.min(0), corners.max(0)
            box = as_quads([[[left, top], [right, top], [right, bottom], [left, bottom]]])[0]
            words.append(Word(said, min(float(row[10]) for row in own), box))
    return words


def _quad(row: list[str], scale: int) -> np.ndarray:
    left, top, width, height = (int(cell) / scale for cell in row[6:10])
    right, bottom = left + width, top + height
    return np.float32([[left, top], [right, top], [right, bottom], [left, bottom]])
