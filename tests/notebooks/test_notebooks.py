"""Every notebook runs in smoke mode, is committed with its outputs, and keeps to the style."""

import re
import statistics
from pathlib import Path

import nbformat
import pytest
from korean import find_notebooks

from ocrkit.notebooks import execute

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = find_notebooks(folder=ROOT / "notebooks")
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
@pytest.mark.usefixtures("forked")
def test_runs_in_smoke_mode(path, tmp_path):
    before = path.read_bytes()
    execute(path, tmp_path / path.name, parameters={"SMOKE": True})
    done = [c for c in nbformat.read(tmp_path / path.name, as_version=4).cells if c.source.strip()]
    assert all(c.execution_count for c in done if c.cell_type == "code")
    assert path.read_bytes() == before, "running a notebook must not change it"
    if path in LESSONS:
        outputs = [o for c in done if c.cell_type == "code" for o in c.outputs]
        assert any("image/png" in o.get("data", {}) for o in outputs), "no figure was shown"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_is_committed_with_outputs_in_order(path):
    counts = [c.execution_count for c in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))
    errors = [o for c in code_cells(path) for o in c.outputs if o.output_type == "error"]
    assert not errors


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_shows_what_was_drawn_and_not_who_drew_it(path):
    """A last line that returns an axis, a legend or a label would have it printed."""
    results = [o for c in code_cells(path) for o in c.outputs if o.output_type == "execute_result"]
    plain = [o.data["text/plain"] for o in results if set(o.data) == {"text/plain"}]
    assert not [text for text in plain if re.match(r"\[*<?(Axes|Text\(|matplotlib|All keys)", text)]


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
def test_lesson_has_a_piece_to_be_written_and_a_check_of_it(path):
    assert "missing piece" in "\n".join(c.source for c in read(path).cells)
    told = [o.text for c in code_cells(path) for o in c.outputs if o.output_type == "stream"]
    assert any(re.match("not (written yet|yet right)", text) for text in told)


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_lesson_shows_three_figures(path):
    images = [o for c in code_cells(path) for o in c.outputs if "image/png" in o.get("data", {})]
    assert len(images) >= 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_a_figure_is_finished_in_the_cell_that_draws_it(path):
    """It is shown when that cell ends: labels set in the next one are never seen."""
    begins = re.compile(r"^(ax|axes|fig|plt)[.\[]", re.MULTILINE)
    drawing = [c for c in code_cells(path) if begins.search(c.source)]
    shown = [any("image/png" in o.get("data", {}) for o in c.outputs) for c in drawing]
    assert all(shown), [c.source for c, seen in zip(drawing, shown, strict=True) if not seen]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_no_path_of_a_machine(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:root|home/\w+|work|Users/\w+)/", text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_clears_up_its_temporary_folders(path):
    assert not any("mkdtemp" in cell.source for cell in code_cells(path)), "nobody removes those"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_says_what_to_do_where_ocrkit_is_missing(path):
    """In the line itself that fails, for it is shown with the error."""
    (line,) = re.findall(
        r"^from ocrkit.notebooks import begin.*",
        "\n".join(c.source for c in code_cells(path)),
        re.M,
    )
    assert line.endswith("  # missing? README.md: A notebook opened alone")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_is_tidy(path):
    """No times and paths of the tool that ran it: they change with every run and tell nothing."""
    assert {key for cell in read(path).cells for key in cell.metadata} <= {"tags"}
    assert "papermill" not in read(path).metadata


def test_pages_are_small():
    """So that the history does not grow by much when they are run again."""
    sizes = [path.stat().st_size for path in NOTEBOOKS]
    assert statistics.median(sizes[: len(LESSONS)]) <= 600_000
    assert sum(sizes) <= 20_000_000


def test_no_function_is_defined_in_two_notebooks():
    seen: dict[str, str] = {}
    for path in LESSONS:
        for cell in code_cells(path):
            for defined in re.findall(r"^def (\w+)", cell.source, re.MULTILINE):
                assert seen.setdefault(defined, path.name) == path.name, (
                    f"{defined} is defined in {seen[defined]} and {path.name}"
                )
