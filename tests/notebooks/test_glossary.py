"""The glossary of notebook 02 gives the terms that the notebooks really use, where it says so."""

import re
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
ROW = re.compile(r"^\| ([^|]*[가-힣][^|]*) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def prose(path: Path) -> str:
    book = nbformat.read(path, as_version=4)
    return "\n".join(c.source for c in book.cells if c.cell_type == "markdown")


TEXTS = {path.name: prose(path) for path in FOLDER.glob("[0-9][0-9]_*.ipynb")}
(APPENDIX,) = (name for name in TEXTS if name.startswith("02_"))
ROWS = ROW.findall(TEXTS[APPENDIX])


def test_the_glossary_is_a_glossary():
    assert len(ROWS) >= 50
    english = [row[1] for row in ROWS]
    assert len(set(english)) == len(english)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_each_korean_term_stands_where_it_is_said_to_be_taught(row):
    korean, _, _, where = row
    names = re.findall(r"\]\((\d\d_\w+\.ipynb)\)", where)
    assert names or where == "02"
    assert set(names) <= set(TEXTS)
    outside = ROW.sub("", TEXTS[APPENDIX])  # the glossary itself proves nothing
    texts = [TEXTS[name] for name in names] + [outside] * ("02" in re.findall(r"\b02(?!_)", where))
    for term in korean.split(", "):
        assert any(term in text for text in texts), f"{term} is not in {where}"
