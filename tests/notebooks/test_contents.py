"""The map of the notebooks and their tables."""

import base64
import io
import re
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from korean import find_notebooks
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image
from run import tidy

from ocrkit.errors import OcrkitError
from ocrkit.notebooks import begin, execute, show


def test_show_is_a_table_of_a_notebook_with_words_left_and_numbers_right():
    table = show(pd.DataFrame({"what": ["<b>"], "accuracy_percent": [12.345]}))._repr_html_()
    assert "&lt;b&gt;" in table
    assert "12.3" in table
    assert re.search(r"\.col0 {\s*text-align: left", table)
    assert re.search(r"\.col1 {\s*text-align: right", table)


def test_the_course_map_that_readers_see_lists_every_notebook():
    (saved,) = (
        output["data"]["text/html"]
        for cell in nbformat.read("notebooks/00_start_here.ipynb", as_version=4).cells
        for output in cell.get("outputs", [])
        if '"minutes"' in cell.source
    )
    lessons = [path.name for path in find_notebooks() if path.parent.name == "notebooks"]
    assert re.findall(r"\d\d_\w+\.ipynb", saved) == lessons
    minutes = re.findall(r"<td[^>]*>([\d.]+)</td>", saved)
    assert len(minutes) == len(lessons), "each says the minutes it takes"


def test_a_notebook_in_another_folder_finds_the_clone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()  # of somebody else's project
    for name in ("notebooks", "data"):
        (tmp_path / name).mkdir()
    begin(1)
    assert Path("notebooks/00_start_here.ipynb").exists()
    assert "no clone" not in capsys.readouterr().out


def test_without_a_clone_a_notebook_says_in_a_line_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ocrkit.__file__", str(tmp_path / "site-packages/ocrkit/__init__.py"))
    begin(1)
    assert Path.cwd() == tmp_path
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("no clone of ocrkit here")
    title = re.search(r'\("(.*)"\)', last)[1]
    assert f"### {title}\n" in Path(__file__).parents[2].joinpath("README.md").read_text("utf-8")


def test_without_a_clone_a_missing_file_is_one_line(tmp_path):
    cells = [
        "import ocrkit; ocrkit.__file__ = '/no/clone/ocrkit/__init__.py'",
        "from ocrkit.notebooks import begin; begin(1)",
        "open('data/results/rows.csv')",
    ]
    nbformat.write(new_notebook(cells=[*map(new_code_cell, cells)]), tmp_path / "book.ipynb")
    with pytest.raises(OcrkitError, match="FileNotFoundError"):
        execute(tmp_path / "book.ipynb", tmp_path / "out.ipynb")
    (said,) = nbformat.read(tmp_path / "out.ipynb", 4).cells[-1].outputs
    (line,) = said["traceback"]
    told = "data/results/rows.csv: files of data/ lie in a clone of ocrkit; README.md says how"
    assert line.startswith(told)


def test_what_the_kernel_logs_of_itself_is_not_printed(tmp_path, capfd):
    """Such as "KeyboardInterrupt caught in kernel", when the end comes while it is still busy."""
    cell = new_code_cell("get_ipython().kernel.log.error('an interrupt, caught')")
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "in.ipynb")
    execute(tmp_path / "in.ipynb", tmp_path / "out.ipynb")
    assert capfd.readouterr() == ("", "")


def test_a_kernel_needs_no_home_and_heeds_no_settings_of_it(tmp_path, capfd, monkeypatch):
    """A home that cannot be written is not complained of."""
    startup = tmp_path / "home/.ipython/profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "mine.py").write_text("mine = 1")
    asks = new_notebook(cells=[new_code_cell("'mine' in globals()")])
    nbformat.write(asks, tmp_path / "in.ipynb")
    for home in (tmp_path / "home", "/dev/null"):
        monkeypatch.setenv("HOME", str(home))
        execute(tmp_path / "in.ipynb", tmp_path / "out.ipynb")
        (cell,) = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
        assert cell.outputs[0].data["text/plain"] == "False"
        assert capfd.readouterr() == ("", "")


def test_tidy_makes_images_smaller_once_and_keeps_a_thin_line(tmp_path):
    def saved() -> np.ndarray:
        data = nbformat.read(path, as_version=4).cells[0].outputs[0].data["image/png"]
        sizes.append(len(data))
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), int)

    rows, columns = np.mgrid[:90, :120]
    grain = np.random.default_rng(0).integers(0, 12, (90, 120))
    pixels = np.stack([rows * 2, columns * 2, rows + columns + grain], 2).astype(np.uint8)
    pixels[40, 20:30] = 255, 0, 0
    pixels[60:] = (columns[60:] + 8 * grain[60:])[..., None]
    png, sizes, path = io.BytesIO(), [], tmp_path / "one.ipynb"
    Image.fromarray(pixels).save(png, "PNG")
    data = {"image/png": base64.b64encode(png.getvalue()).decode()}
    cell = new_code_cell("draw()", outputs=[new_output("display_data", data)])
    nbformat.write(new_notebook(cells=[cell]), path)
    before = saved()
    for _ in range(2):
        tidy(path)
        after = saved()
        assert np.abs(after - before).max() < 40
        assert np.ptp(after[60:], axis=2).max() < 12, "grey stays grey"
    assert sizes[1] < sizes[0] / 2
    assert sizes[2] == sizes[1]


@pytest.mark.parametrize("coloured", [False, True])
def test_tidy_keeps_few_colours_where_no_eye_can_tell_and_many_where_it_could(coloured, tmp_path):
    pixels = np.random.default_rng(0).integers(180, 256, (90, 120, 3), np.uint8)
    if not coloured:
        pixels[:] = pixels[..., :1]
    png, path = io.BytesIO(), tmp_path / "one.ipynb"
    Image.fromarray(pixels).save(png, "PNG")
    data = {"image/png": base64.b64encode(png.getvalue()).decode()}
    cell = new_code_cell("draw()", outputs=[new_output("display_data", data)])
    nbformat.write(new_notebook(cells=[cell]), path)
    tidy(path)
    saved = nbformat.read(path, as_version=4).cells[0].outputs[0].data["image/png"]
    kept = Image.open(io.BytesIO(base64.b64decode(saved)))
    change = np.abs(np.asarray(kept.convert("RGB"), int) - pixels).max()
    if coloured:
        assert len(kept.getcolors()) > 64
    else:
        assert len(kept.getcolors()) <= 32
        assert change <= 8
