"""Measuring on real lines."""

import runpy
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import reader_lines
from PIL import Image
from reader_lines import confusions, read_table
from reader_rows import confidence_table

from ocrkit.metrics import rates
from ocrkit.reader.lines import LineText


@pytest.fixture
def page(tmp_path):
    pixels = np.full((50, 80), 255, np.uint8)
    pixels[10:20, 5:45] = 0
    Image.fromarray(pixels).save(tmp_path / "page.jpg", quality=95)
    return tmp_path / "page_lines.tsv"


def test_rows_with_and_without_a_name_are_cut_from_their_image(page):
    page.write_text("5\t10\t40\t10\t가 나\npage.jpg\t5\t10\t40\t10\t다\n", encoding="utf-8")
    first, second = read_table(page)
    assert (first.text, second.text) == ("가 나", "다")
    assert first.image.shape == (10, 40)
    assert first.image.mean() < 20
    assert read_table(page, margin=0.5)[0].image.shape == (20, 50)


def test_rows_that_do_not_fit_are_named(page, refused):
    for row, said in [("5\t10\t가", "row 1: give"), ("90\t10\t4\t4\t가", "row 1: the box")]:
        page.write_text(row + "\n", encoding="utf-8")
        with refused(said):
            read_table(page)


@pytest.mark.parametrize("encoding", ["cp949", "utf-8-sig", "utf-16"])
def test_a_table_may_come_in_what_an_editor_saves(page, encoding):
    page.write_text("5\t10\t40\t10\t가 나\n\n", encoding=encoding)
    (line,) = read_table(page)
    assert line.text == "가 나"


def test_a_table_that_is_no_text_is_refused(page, refused):
    page.write_bytes(b"5\t10\t40\t10\t\xff\xff\n")
    with refused("line 1 is neither UTF-8 nor CP949"):
        read_table(page)


def test_rates_without_spaces_and_with():
    without, with_spaces = rates(["가나 다", "x"], ["가 나다", "가"])
    assert without == pytest.approx(1 / 4)
    assert with_spaces == pytest.approx(3 / 5)


def test_confusions_name_what_was_read_as_what():
    assert confusions(["가 너", "다라"], ["가나", "라"]) == {("나", "너"): 1, ("", "다"): 1}


def test_a_band_counts_its_characters_and_how_many_are_right():
    read = [
        LineText("가나 다", 1, [], [0.995, 0.6, 0.95, 0.995]),  # 나 is wrong
        LineText("라", 1, [], [0.2]),  # nothing stands there
    ]
    table = confidence_table(read, ["가너 다", ""]).set_index("above")
    assert table.characters.sum() == 5
    assert table.loc[0.99, ["characters", "right"]].tolist() == [2, 1]
    assert table.loc[0.99, "mean_confidence"] == pytest.approx(0.995)
    assert table.loc[[0, 0.5], "right"].tolist() == [0, 0]
    assert table.loc[0.97, "characters"] == 0
    assert np.isnan(table.loc[0.97, "right"])


def test_a_table_without_lines_is_refused(page, refused):
    page.write_text("")
    with refused("page_lines.tsv holds no line"):
        read_table(page)


def test_the_command_prints_the_rates_the_wrong_lines_and_the_confusions(page, monkeypatch, capsys):
    page.write_text("5\t10\t40\t10\t가 나\n5\t10\t40\t10\t다라\n", encoding="utf-8")
    read = [SimpleNamespace(text=text) for text in ("가나", "다마")]
    stand_in = SimpleNamespace(read_lines=lambda images: read[: len(images)])
    monkeypatch.setattr(reader_lines, "load_reader", lambda name: stand_in)
    monkeypatch.setattr("sys.argv", ["measure", str(page), "--errors"])
    reader_lines.main()
    printed = capsys.readouterr().out
    rates = "2 lines, character error rate 25.00% without spaces, 40.00% with"
    assert printed.startswith(f"page_lines.tsv: {rates}\n")
    assert "  가 나\n  가나\n" in printed
    assert printed.endswith("\n라>마:1\n")
    monkeypatch.setattr("sys.argv", ["measure"])
    with pytest.raises(SystemExit):
        reader_lines.main()
    assert "give tables of lines, or --drawn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("reader_lines", ["gone.tsv"]),
        ("reader_train", ["--steps", "1", "--start", "gone"]),
    ],
)
def test_what_a_user_can_mend_is_one_line(module, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [module, *words])
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(SystemExit, match=r"^gone\S* is missing$"):
        runpy.run_module(module, run_name="__main__")
