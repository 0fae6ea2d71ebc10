"""The Korean edition: the English notebooks' code and outputs with their text in Korean.

`python notebooks/korean.py build|status|fill|bless [40 ...]`

A translator writes `notebooks/ko/NN_name.md`: for each cell of text of the English notebook a line
`<!-- cell ID DIGEST -->` and the Korean text under it. The digest is that of the English text that
was translated, so that a later change of it is found. The pages beside it,
`notebooks/ko/NN_name.ipynb`, are built and never edited. Solutions lie in `notebooks/ko/solutions`.
"""

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat

from ocrkit.errors import OcrkitError
from ocrkit.files import write_text
from ocrkit.text_files import read_whole_lines

_MARKER = re.compile(r"<!-- cell (\S+) ([0-9a-f]{8}) -->")
_FENCE = re.compile(r" {0,3}(```+|~~~+)(.*)")
_LINK = re.compile(r"(\]\()([^)\s#]+)")
_FORMULAS_AND_CODE = re.compile(r"\$\$.*?\$\$|\$[^$\n]*\$|```.*?```|`[^`]*`", re.DOTALL)

Blocks = dict[str, tuple[str, str]]  # of each cell: the English text's digest, the Korean text


def find_notebooks(names: Sequence[str] = (), folder: str | Path = "notebooks") -> list[Path]:
    """The numbered notebooks in order, then their solutions.

    names: numbers or parts of the names of those that are wanted; all by default.
    Raises OcrkitError: there are none, or none of such a name.
    """
    numbered = "[0-9][0-9]_*.ipynb"
    found = [p for f in (Path(folder), Path(folder, "solutions")) for p in sorted(f.glob(numbered))]
    if not found:
        raise OcrkitError(f"no notebooks in {folder}: run this in the project's folder")
    for name in names:
        if not any(name in path.name for path in found):
            raise OcrkitError(f"no notebook has {name!r} in its name: such as 40, or 40_hangul")
    return [path for path in found if not names or any(name in path.name for name in names)]


def digest(source: str) -> str:
    """Eight hex digits of SHA-256 that change whenever an English text does."""
    return hashlib.sha256(source.encode("utf-8")).hexdigest()[:8]


def translation_of(english: Path) -> Path:
    """Where the Korean text of a notebook lies."""
    return _top(english) / "ko" / english.relative_to(_top(english)).with_suffix(".md")


def _top(english: Path) -> Path:
    """The folder of the lessons."""
    return english.parent.parent if english.parent.name == "solutions" else english.parent


def find_translations(folder: str | Path = "notebooks") -> list[Path]:
    """The English notebooks that have a Korean text, in order.

    Raises OcrkitError: a Korean text belongs to no notebook, or there are no notebooks.
    """
    found = find_notebooks(folder=folder)
    texts = {translation_of(path) for path in found}
    for where in (Path(folder, "ko"), Path(folder, "ko", "solutions")):
        for text in sorted(where.glob("*.md")):
            if text not in texts:
                raise OcrkitError(f"{text} belongs to no notebook: name it as the English one is")
    return [path for path in found if translation_of(path).exists()]


def read_blocks(path: Path) -> Blocks:
    """A Korean text, cell by cell. A marker inside fenced code is code.

    Raises OcrkitError: a marker is misspelt or comes twice, text precedes the first one, or fenced
    code does not end.
    """
    blocks: dict[str, tuple[str, list[str]]] = {}
    lines: list[str] = []  # of the cell that is being read
    fence = ""
    for number, line in enumerate(read_whole_lines(path), 1):
        edge = _FENCE.match(line)
        if fence:
            if edge and edge[1].startswith(fence) and not edge[2].strip():
                fence = ""
        elif edge:
            fence = edge[1]
        elif line.lstrip().startswith("<!-- cell"):
            marker = _MARKER.fullmatch(line.strip())
            if not marker or marker[1] in blocks:
                why = "comes twice" if marker else "is not `<!-- cell ID DIGEST -->`"
                raise OcrkitError(f"{path}, line {number}: the marker {line.strip()} {why}")
            lines = []
            blocks[marker[1]] = (marker[2], lines)
            continue
        if not blocks and line.strip():
            raise OcrkitError(f"{path}, line {number}: text before the first marker")
        lines.append(line)
    if fence:
        raise OcrkitError(f"{path}: fenced code ({fence}) does not end")
    return {cell: (was, "\n".join(text).strip()) for cell, (was, text) in blocks.items()}


def write_blocks(path: Path, blocks: Blocks) -> Path:
    """Write a Korean text as `read_blocks` reads it; return its path."""
    parts = [f"<!-- cell {cell} {was} -->\n{text}\n" for cell, (was, text) in blocks.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "\n".join(parts))
    return path


def english_texts(english: Path) -> dict[str, str]:
    """The cells of text of a notebook by their ids, in order."""
    cells = nbformat.read(english, as_version=4).cells
    return {cell.id: cell.source for cell in cells if cell.cell_type == "markdown"}


def _is_untranslated(source: str, text: str) -> bool:
    """English words are left as they were; a formula alone may be the same in both editions."""
    words = re.search(r"\b[A-Z]?[a-z]{2,}\b", _FORMULAS_AND_CODE.sub("", source))
    return not text or (text == source.strip() and words is not None)


def compare(english: Path) -> list[tuple[str, str]]:
    """What is wrong with a Korean text: (cell, "missing", "stale" or "extra"), in order.

    Missing is also a cell that is still in English. Stale is one whose English text has changed
    since. Extra is one that the notebook does not have.
    """
    sources, blocks = english_texts(english), read_blocks(translation_of(english))
    found = []
    for cell, source in sources.items():
        was, text = blocks.get(cell, ("", ""))
        if _is_untranslated(source, text):
            found.append((cell, "missing"))
        elif was != digest(source):
            found.append((cell, "stale"))
    return found + [(cell, "extra") for cell in blocks if cell not in sources]


def fill(english: Path) -> Path:
    """Put the English text of each missing cell in its place, to be translated there."""
    path, sources = translation_of(english), english_texts(english)
    blocks = read_blocks(path) if path.exists() else {}
    whole = {cell: blocks.get(cell, (digest(text), text)) for cell, text in sources.items()}
    return write_blocks(path, whole | {c: b for c, b in blocks.items() if c not in whole})


def bless(english: Path) -> Path:
    """Declare that the Korean text says what the English one says today."""
    path, sources = translation_of(english), english_texts(english)
    blocks = read_blocks(path)
    for cell in blocks.keys() & sources.keys():
        blocks[cell] = digest(sources[cell]), blocks[cell][1]
    return write_blocks(path, blocks)


def _relink(text: str, english: Path) -> str:
    """Links as seen from a notebook's Korean page: to Korean pages where there are any."""
    here = translation_of(english).parent

    def seen_from_there(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(english.parent / link[2]))
        if ":" in link[2] or not target.exists():
            return link[0]
        if target.suffix == ".ipynb" and translation_of(target).exists():
            target = translation_of(target).with_suffix(".ipynb")
        return link[1] + Path(os.path.relpath(target, here)).as_posix()

    return _LINK.sub(seen_from_there, re.sub(r"(?<!\[)`(solutions/\w+\.ipynb)`", r"[\1](\1)", text))


def page(english: Path) -> str:
    """A notebook's Korean page, as it is saved.

    Code, outputs, ids and metadata are the English notebook's. A missing cell stays English.
    """
    book, blocks = nbformat.read(english, as_version=4), read_blocks(translation_of(english))
    title = book.cells[0].source.split("\n")[0].lstrip("# ")
    for cell in book.cells:
        if cell.cell_type == "markdown":
            _, text = blocks.get(cell.id, ("", ""))
            cell.source = _relink(text or cell.source, english)
    way = Path(os.path.relpath(english, translation_of(english).parent)).as_posix()
    book.cells[0].source += f"\n\n영어판: [{title}]({way})"
    return nbformat.writes(book) + "\n"


def build(english: Path) -> Path:
    """Write a notebook's Korean page beside its Korean text; return its path."""
    path = translation_of(english).with_suffix(".ipynb")
    write_text(path, page(english))
    return path


DEEDS = {"build": build, "status": compare, "fill": fill, "bless": bless}


def main(what: str, names: Sequence[str]) -> bool:
    """Do this to the Korean edition of these notebooks (all by default); is what was seen whole?

    Raises OcrkitError: see `find_notebooks`, `find_translations` and `read_blocks`.
    """
    begun, whole = find_translations(), True
    for path in find_notebooks(names):
        text = translation_of(path)
        if path not in begun and what != "fill":
            print(f"{text}: not begun")
            continue
        done = DEEDS[what](path)
        if what == "status":
            whole = whole and not done
            done = ", ".join(f"{cell} is {state}" for cell, state in done) or "whole"
            print(f"{text}: {done}")
        else:
            print(done)
    return whole


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Tend the Korean edition of the notebooks.")
    parser.add_argument("what", choices=DEEDS)
    parser.add_argument("names", nargs="*", help="numbers or parts of names [all]")
    typed = parser.parse_args()
    try:
        sys.exit(0 if main(typed.what, typed.names) else 1)
    except OcrkitError as error:
        sys.exit(str(error))
