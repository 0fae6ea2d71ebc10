"""Tesseract, the engine itself, through pytesseract: its answers as texts and quads.

Its stages: black and white by Otsu's threshold; layout analysis (Smith, ICDAR 2009); lines and
words (Smith, "An Overview of the Tesseract OCR Engine", ICDAR 2007); and since version 4 an LSTM
with CTC that reads a line at a time.
"""

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import pandas as pd

from ocrkit.errors import OcrkitError

# What the option --psm calls by numbers; those that tell a learner something.
MODES = {"page": 3, "block": 6, "line": 7, "word": 8, "sparse": 11, "raw line": 13}
INSTALL = "install it: apt-get install tesseract-ocr tesseract-ocr-kor; pip install pytesseract"
_LEVELS = {2: "block", 3: "paragraph", 4: "line"}
_BOX = ["left", "top", "right", "bottom"]


@dataclass(frozen=True, eq=False)
class Page:
    """One image, read; quads are upright, float32 (n, 4, 2), in the image's pixels."""

    text: str  # as Tesseract writes it: lines, and the spaces between words
    words: tuple[str, ...]  # in reading order
    quads: np.ndarray  # of the words
    areas: dict[str, np.ndarray]  # of "block", "paragraph", "line" and "piece", the parts of words


def installed(language: str = "kor") -> bool:
    """Are the program, its data of a language, and pytesseract here?"""
    try:
        return language in _languages()
    except OcrkitError:
        return False


def _languages() -> list[str]:
    try:
        import pytesseract
    except ImportError as error:
        raise OcrkitError(f"the package pytesseract is not installed: {INSTALL}") from error
    if shutil.which("tesseract") is None:
        raise OcrkitError(f"the program tesseract is not installed: {INSTALL}")
    return pytesseract.get_languages()


def read_images(
    images: Sequence[np.ndarray],
    mode: str = "page",
    spaces: bool = True,
    scale: int = 1,
    language: str = "kor",
) -> list[Page]:
    """Read images with one call of the program, which is slow to start.

    images: grey, uint8 (H, W), of any sizes.
    mode: how the page is taken apart, of `MODES`.
    spaces: the switch `preserve_interword_spaces`, which the Korean data turn on.
    scale: enlarge so many times before reading; quads are in the pixels of the images given.
    language: one that is installed, or several: "kor+eng".
    Raises OcrkitError: the program or its language is not installed, an unknown mode, or it failed.
    """
    if mode not in MODES:
        raise OcrkitError(f"no mode {mode!r}: choose one of {', '.join(MODES)}")
    if missing := set(language.split("+")) - set(_languages()):
        raise OcrkitError(f"tesseract has no data for {', '.join(sorted(missing))}: {INSTALL}")
    if not len(images):
        return []
    with tempfile.TemporaryDirectory(prefix="ocrkit-") as name:
        listed, out = Path(name) / "list.txt", Path(name) / "out"
        paths = [Path(name) / f"{i:06d}.png" for i in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            _write(path, image, scale)
        listed.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
        options = {"preserve_interword_spaces": int(spaces), "tessedit_create_tsv": 1}
        config = [f"--psm {MODES[mode]}", *(f"-c {key}={value}" for key, value in options.items())]
        _run(listed, out, language, " ".join(config))
        table = out.with_suffix(".tsv").read_text(encoding="utf-8")
        texts = out.with_suffix(".txt").read_text(encoding="utf-8")
    return parse(table, texts, len(images), scale)


def _write(path: Path, image: np.ndarray, scale: int) -> None:
    if scale != 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    if not cv2.imwrite(str(path), image):
        raise OcrkitError(f"cannot write {path}: is the disk full?")


def _run(listed: Path, out: Path, language: str, config: str) -> None:
    from pytesseract.pytesseract import TesseractError, run_tesseract

    try:
        # More threads make it slower: its layers are small.
        with mock.patch.dict(os.environ, OMP_THREAD_LIMIT="1"):
            run_tesseract(str(listed), str(out), "txt", language, config)
    except TesseractError as error:
        reason = " ".join(error.message.split()[-30:])
        raise OcrkitError(
            f"tesseract failed ({reason}): try it by hand with one of the images"
        ) from error


def parse(table: str, texts: str, count: int, scale: int = 1) -> list[Page]:
    """Pages from the table and the text that Tesseract writes.

    The table calls a single syllable a word where no dictionary joins it to the next; the text
    knows the spaces. The pieces of a line are joined as its text says; where the two disagree, they
    stay.

    table: TSV with one row a block, paragraph, line and word.
    texts: a form feed ends each page.
    count: how many pages.
    """
    options = {"quoting": csv.QUOTE_NONE, "keep_default_na": False, "dtype": {"text": str}}
    rows = pd.read_csv(io.StringIO(table), sep="\t", **options)
    rows["text"] = rows["text"].str.strip()
    rows["right"], rows["bottom"] = rows["left"] + rows["width"], rows["top"] + rows["height"]
    rows[_BOX] /= scale
    pages = [*texts.split("\f"), *[""] * count]
    return [_page(rows[rows["page_num"] == i + 1], pages[i]) for i in range(count)]


def _page(rows: pd.DataFrame, text: str) -> Page:
    pieces = rows[(rows["level"] == 5) & (rows["text"] != "")]
    line_of = pieces.groupby(["block_num", "par_num", "line_num"], sort=False).ngroup()
    lines = [line.split() for line in text.splitlines() if line.strip()]
    word_of: list[tuple[int, int]] = []  # line and word of each piece
    for number, (_, line) in enumerate(pieces["text"].groupby(line_of.to_numpy())):
        tokens = lines[number] if number < len(lines) else []
        if "".join(tokens) != "".join(line):
            tokens = list(line)
        ends = np.cumsum([len(token) for token in tokens])
        word_of += [(number, k) for k in np.searchsorted(ends, line.str.len().cumsum())]
    extent = {"left": "min", "top": "min", "right": "max", "bottom": "max"}
    words = pieces.groupby(pd.Series(word_of, pieces.index, object)).agg({"text": "sum", **extent})
    areas = {name: _quads(rows[rows["level"] == level]) for level, name in _LEVELS.items()}
    return Page(
        text.strip("\n"), tuple(words["text"]), _quads(words), {**areas, "piece": _quads(pieces)}
    )


def _quads(boxes: pd.DataFrame) -> np.ndarray:
    """Quads (n, 4, 2) of upright boxes."""
    corners = ["left", "top", "right", "top", "right", "bottom", "left", "bottom"]
    return boxes[corners].to_numpy(np.float32).reshape(-1, 4, 2)
