"""The Korean edition is whole, up to date, and differs from the English one in its text alone."""

import re
from pathlib import Path

import korean
import nbformat
import pytest
import run
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ocrkit.errors import OcrkitError
from ocrkit.notebooks import execute

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
TRANSLATED = korean.find_translations(FOLDER)
PAGES = sorted([*FOLDER.glob("ko/*.ipynb"), *FOLDER.glob("ko/solutions/*.ipynb")])
each_translation = pytest.mark.parametrize("english", TRANSLATED, ids=lambda path: path.stem)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)


def read(path: Path):
    return nbformat.read(path, as_version=4)


def english_of(page: Path) -> Path:
    return FOLDER / page.relative_to(FOLDER / "ko")


def texts(path: Path) -> list[str]:
    return [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]


# What is committed


@each_translation
def test_every_cell_is_translated_and_none_is_stale(english):
    assert korean.compare(english) == []


@each_translation
def test_formulas_are_the_english_ones(english):
    def formulas(text: str) -> list[str]:
        found = re.findall(r"\$\$.*?\$\$", text, re.DOTALL)
        return [re.sub(r"\\text\{[^}]*\}|\s", "", formula) for formula in found]

    blocks = korean.read_blocks(korean.translation_of(english))
    for cell, source in korean.english_texts(english).items():
        assert formulas(blocks[cell][1]) == formulas(source), cell


def test_every_translation_has_its_page():
    assert sorted(korean.translation_of(p).with_suffix(".ipynb") for p in TRANSLATED) == PAGES


@each_page
def test_a_committed_page_is_what_its_text_builds(page):
    english = english_of(page)
    assert english in TRANSLATED
    assert korean.page(english) == page.read_text(encoding="utf-8"), "run `make korean`"


@each_page
def test_links_of_a_page_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s#]+)", "\n".join(texts(page))):
        assert ":" in link or (page.parent / link).exists(), link


@each_page
def test_code_and_outputs_are_the_english_ones(page):
    ours, theirs = read(page), read(english_of(page))
    assert [cell.id for cell in ours.cells] == [cell.id for cell in theirs.cells]
    assert ours.metadata == theirs.metadata
    for cell, same in zip(ours.cells, theirs.cells, strict=True):
        assert cell == same or cell.cell_type == "markdown" == same.cell_type


# How it is made, on a toy

ENGLISH = {
    "t0": "# 10 · Toy\n\nOf [11](11_next.ipynb#part), [12](12_last.ipynb), ![a](../a.png).",
    "c1": "print('한')",
    "t2": "Two words here. Solutions: `solutions/10_solutions.ipynb`, [paper](https://doi.org/1).",
    "t3": "$$a + b$$",
}
KOREAN = {
    "t0": "# 10 · 장난감\n\n[11](11_next.ipynb#part), [12](12_last.ipynb), ![가](../a.png).",
    "t2": "여기. 풀이: `solutions/10_solutions.ipynb`, [논문](https://doi.org/1).",
    "t3": "$$a + b$$",
}


@pytest.fixture
def toy(tmp_path, monkeypatch) -> Path:
    """Three English notebooks, two of them with a Korean text."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "notebooks"
    (folder / "solutions").mkdir(parents=True)
    (tmp_path / "a.png").touch()
    cells = [new_markdown_cell(text, id=cell) for cell, text in ENGLISH.items()]
    cells[1] = new_code_cell(ENGLISH["c1"], id="c1", metadata={"tags": ["parameters"]})
    cells[1].outputs = [new_output("stream", text="한\n")]
    names = ("10_toy", "11_next", "12_last", "solutions/10_solutions")
    for name in names:
        nbformat.write(new_notebook(cells=cells), folder / f"{name}.ipynb")
    english = folder / "10_toy.ipynb"
    for path in (english, folder / "11_next.ipynb"):
        korean.write_blocks(
            korean.translation_of(path),
            {cell: (korean.digest(ENGLISH[cell]), text) for cell, text in KOREAN.items()},
        )
    return english


def edit(english: Path, old: str, new: str) -> None:
    path = korean.translation_of(english)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_page_has_korean_text_links_that_hold_and_a_way_back(toy):
    built = korean.build(toy)
    assert texts(built) == [
        "# 10 · 장난감\n\n[11](11_next.ipynb#part), [12](../12_last.ipynb), ![가](../../a.png)."
        "\n\n영어판: [10 · Toy](../10_toy.ipynb)",
        "여기. 풀이: [solutions/10_solutions.ipynb](../solutions/10_solutions.ipynb), "
        "[논문](https://doi.org/1).",
        "$$a + b$$",
    ]
    assert read(built).cells[1] == read(toy).cells[1]
    once = built.read_bytes()
    assert korean.build(toy).read_bytes() == once
    assert korean.compare(toy) == []


def test_solutions_have_a_page_of_their_own_to_which_the_korean_lesson_leads(toy):
    english = toy.parent / "solutions/10_solutions.ipynb"
    text = "# 풀이\n\n[10](../10_toy.ipynb), [12](../12_last.ipynb#part), ![가](../../a.png)."
    korean.write_blocks(korean.translation_of(english), {"t0": ("0" * 8, text)})
    built = korean.build(english)
    assert built == toy.parent / "ko/solutions/10_solutions.ipynb"
    assert texts(built)[0] == (
        "# 풀이\n\n[10](../10_toy.ipynb), [12](../../12_last.ipynb#part), ![가](../../../a.png)."
        "\n\n영어판: [10 · Toy](../../solutions/10_solutions.ipynb)"
    )
    assert "풀이: [solutions/10_solutions.ipynb](solutions/10_" in texts(korean.build(toy))[1]
    assert english in korean.find_translations(toy.parent)
    built.with_name("11_solutions.md").touch()
    with pytest.raises(OcrkitError, match="belongs to no notebook"):
        korean.find_translations(toy.parent)


def test_stale_missing_and_extra_cells_are_found(toy):
    edit(toy, korean.digest(ENGLISH["t3"]), "0" * 8)
    edit(toy, "<!-- cell t2", "<!-- cell t9")
    assert korean.compare(toy) == [("t2", "missing"), ("t3", "stale"), ("t9", "extra")]
    assert "Two words here." in texts(korean.build(toy))[1], "what is missing stays English"


def test_fill_puts_english_text_in_its_place_which_counts_as_missing_until_translated(toy):
    korean.translation_of(toy).unlink()
    korean.fill(toy)
    assert [cell for cell, _ in korean.compare(toy)] == ["t0", "t2"], "t3 is a formula"
    edit(toy, "Two words here", "두 낱말")
    edit(toy, "<!-- cell t0", "<!-- cell t9")
    korean.fill(toy)
    blocks = korean.read_blocks(korean.translation_of(toy))
    assert list(blocks) == ["t0", "t2", "t3", "t9"]
    assert blocks["t2"][1].startswith("두 낱말.")
    assert korean.compare(toy) == [("t0", "missing"), ("t9", "extra")]


def test_bless_takes_todays_english_for_what_was_translated(toy):
    edit(toy, korean.digest(ENGLISH["t2"]), "0" * 8)
    korean.bless(toy)
    assert korean.compare(toy) == []


def test_a_marker_inside_code_is_code(toy):
    code = "````md\n```\n<!-- cell t3 00000000 -->\n````"
    edit(toy, "여기.", f"여기.\n\n{code}\n")
    assert code in korean.read_blocks(korean.translation_of(toy))["t2"][1]
    assert korean.compare(toy) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<!-- cell t2", "<!-- cell t0", "line 6: the marker .* comes twice"),
        ("cell t2 ", "cell t2 x", "line 6: the marker .* is not `<!-- cell ID DIGEST -->`"),
        ("<!-- cell t0", "머리말\n<!-- cell t0", "line 1: text before the first marker"),
        ("여기", "```python\n여기", r"fenced code \(```\) does not end"),
    ],
)
def test_a_broken_text_is_one_line_that_says_where(toy, refused, old, new, said):
    edit(toy, old, new)
    with refused(rf"10_toy\.md.*{said}"):
        korean.build(toy)


def test_the_script_builds_tells_fills_and_blesses(toy, capsys, refused):
    edit(toy, korean.digest(ENGLISH["t3"]), "0" * 8)
    assert not korean.main("status", ())
    assert capsys.readouterr().out.splitlines() == [
        "notebooks/ko/10_toy.md: t3 is stale",
        "notebooks/ko/11_next.md: whole",
        "notebooks/ko/12_last.md: not begun",
        "notebooks/ko/solutions/10_solutions.md: not begun",
    ]
    assert korean.main("bless", ["10_toy"])
    assert korean.main("status", ["10", "11"])
    capsys.readouterr()
    assert korean.main("fill", ["12"])
    assert capsys.readouterr().out == "notebooks/ko/12_last.md\n"
    assert korean.main("build", ())
    assert len(capsys.readouterr().out.splitlines()) == 4
    korean.translation_of(toy).rename(toy.parent / "ko/10_toys.md")
    with refused("belongs to no notebook"):
        korean.main("build", ())


def test_running_a_notebook_saves_it_and_builds_its_korean_page_anew(forked, toy):
    book = read(toy)
    book.cells[1].source = "print('글')"
    nbformat.write(book, toy)
    run.main(["10_toy"])
    for page in (toy, toy.parent / "ko/10_toy.ipynb"):
        assert "글" in read(page).cells[1].outputs[0].text


def test_a_notebook_that_is_not_there_is_told(toy, refused, tmp_path, monkeypatch):
    with refused("no notebook has 'nope' in its name"):
        run.main(["nope"])
    monkeypatch.chdir(tmp_path / "notebooks" / "ko")
    with refused("no notebooks in notebooks: run this in the project's folder"):
        run.main()


def test_a_korean_page_runs_where_it_lies(forked, tmp_path):
    """Code finds the project's data from notebooks/ko, as from notebooks."""
    page = FOLDER / "40_hangul_for_machines.ipynb"
    execute(page, tmp_path / page.name, parameters={"SMOKE": True}, cwd=FOLDER / "ko")
