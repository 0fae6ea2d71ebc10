"""The map of the notebooks and their tables."""

import base64
import io
import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from ocrkit.errors import OcrkitError
from ocrkit.notebooks import contents, execute, show, tidy


def test_contents_reads_title_and_minutes_and_leaves_solutions_out(tmp_path):
    (tmp_path / "solutions").mkdir()
    for name, title, call in [
        ("01_second.ipynb", "# 01 · Second thing\n\nMore.", "begin(2.5, smoke=SMOKE)"),
        ("00_first.ipynb", "# First", "begin(minutes=1, smoke=SMOKE);"),
        ("solutions/00_solutions.ipynb", "# Solutions", "begin(minutes=9)"),
    ]:
        book = new_notebook(cells=[new_markdown_cell(title), new_code_cell(call)])
        nbformat.write(book, tmp_path / name)
    assert contents(tmp_path).to_numpy().tolist() == [
        ["00_first.ipynb", "First", 1.0],
        ["01_second.ipynb", "Second thing", 2.5],
    ]


def test_contents_of_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(OcrkitError, match="no notebooks"):
        contents(tmp_path)


BROKEN = [
    b"",
    b'{"cells": [',
    b"\xff\xfe{}",
    b"[]",
    b"{}",
    b'{"cells": 3, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    b'{"cells": [{"id": "a"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_notebook_is_one_line_that_names_it(tmp_path, refused, text):
    path = tmp_path / "00_cut.ipynb"
    path.write_bytes(text)
    with refused(r"00_cut\.ipynb is (broken|of another shape)"):
        execute(path, tmp_path / "out.ipynb")
    with refused(r"00_cut\.ipynb is (broken|of another shape)"):
        contents(tmp_path)
    assert [left.name for left in tmp_path.iterdir()] == [path.name]


def test_the_command_names_a_broken_notebook(tmp_path, monkeypatch, complains):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_cut.ipynb").write_bytes(BROKEN[1])
    assert "00_cut.ipynb is broken" in complains("notebooks")


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
        if "show(contents())" in cell.source
    )
    assert re.findall(r"\d\d_\w+\.ipynb", saved) == contents("notebooks")["notebook"].tolist()


def test_what_the_kernel_logs_of_itself_is_not_printed(tmp_path, capfd):
    """Such as "KeyboardInterrupt caught in kernel", when the end comes while it is still busy."""
    cell = new_code_cell("get_ipython().kernel.log.error('an interrupt, caught')")
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "in.ipynb")
    execute(tmp_path / "in.ipynb", tmp_path / "out.ipynb")
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
