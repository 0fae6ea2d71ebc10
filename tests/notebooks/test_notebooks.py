"""Every notebook runs in smoke mode, is committed with its outputs, and keeps to the style."""

import re
import statistics
from pathlib import Path

import nbformat
import pytest

from ocrkit.notebooks import execute, find_notebooks

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = find_notebooks(ROOT / "notebooks")
LESSONS = [p for p in NOTEBOOKS if p.parent.name == "notebooks"]


def name(path: Path) -> str:
    return path.stem


def read(path: Path):
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list:
    return [c for c in read(path).cells if c.cell_type == "code" and c.source.strip()]


def lines(cell) -> int:
    return sum(bool(line.strip()) for line in cell.source.splitlines())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_runs_in_smoke_mode(path, tmp_path):
    before = path.read_bytes()
    execute(path, tmp_path / path.name, smoke=True)
    done = [c for c in nbformat.read(tmp_path / path.name, as_version=4).cells if c.source.strip()]
    assert all(c.execution_count for c in done if c.cell_type == "code")
    assert path.read_bytes() == before, "running a notebook must not change it"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_is_committed_with_outputs_in_order(path):
    counts = [c.execution_count for c in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))
    errors = [o for c in code_cells(path) for o in c.outputs if o.output_type == "error"]
    assert not errors


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_code_cells_are_short(path):
    """Short as a rule; a cell that writes a model, its loss or a method may be long."""
    lengths = [lines(c) for c in code_cells(path)]
    assert max(lengths) <= 60
    assert statistics.median(lengths) <= 8


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_lesson_has_its_parts(path):
    cells = read(path).cells
    assert cells[0].cell_type == "markdown"
    assert re.search(r"\bmin", cells[0].source), "the first cell says the minutes it takes"
    tagged = [c for c in cells if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert "SMOKE = False" in tagged[0].source
    text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    for part in ("found", "Limits", "Exercises", "Next"):
        assert part in text, f"no section about {part!r}"
    assert (path.parent / "solutions" / f"{path.stem[:2]}_solutions.ipynb").exists()


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_lesson_shows_three_figures(path):
    images = [o for c in code_cells(path) for o in c.outputs if "image/png" in o.get("data", {})]
    assert len(images) >= 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_no_path_of_a_machine(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:root|home/\w+|work|Users/\w+)/", text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_clears_up_its_temporary_folders(path):
    assert not any("mkdtemp" in cell.source for cell in code_cells(path)), "nobody removes those"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_is_tidy(path):
    """No times and paths of the tool that ran it: they change with every run and tell nothing."""
    assert {key for cell in read(path).cells for key in cell.metadata} <= {"tags"}
    assert "papermill" not in read(path).metadata


def test_no_function_is_defined_in_two_notebooks():
    seen: dict[str, str] = {}
    for path in LESSONS:
        for cell in code_cells(path):
            for defined in re.findall(r"^def (\w+)", cell.source, re.MULTILINE):
                assert seen.setdefault(defined, path.name) == path.name, (
                    f"{defined} is defined in {seen[defined]} and {path.name}"
                )
