"""Tables as words: what is written, and that it can be read at any width."""

import io
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from rich.cells import cell_len
from rich.console import Console

from ocrkit.results import tables
from ocrkit.results.show import MISSING, display, duration, to_html, to_rich


def printed(frame: pd.DataFrame, width: int) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    to_rich(frame, "A title", console)
    return out.getvalue()


class Cells(HTMLParser):
    """The text of a table's cells, and the tags that were opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.cells = [cell.strip() for cell in self.cells]

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data


def test_the_printed_values_are_written_as_printed_and_gaps_as_dashes():
    cells = display(tables.table1()).iloc[4].tolist()
    assert cells == ["T5", "TPS-ResNet-BiLSTM-Attn", "87.43", "6.84", "50.75", *[MISSING] * 6]


def test_an_interval_is_written_into_its_accuracy(make_rows):
    table = display(tables.table1(None, make_rows()))
    assert table["yours"]["acc. %"].tolist()[3] == "93.24 ±1.5"  # T4: 88.24 + 5
    assert "plus_minus" not in str(table.columns.tolist())


def test_hostile_text_stays_in_its_cell(make_rows):
    lost = "TPS-VGG-BiLSTM-Attn"
    html = Cells(to_html(tables.all_models(None, make_rows(failed=(lost,)))).to_html())
    assert "yours: failed: loss became <NaN> | step 7" in html.cells
    assert "nan" not in html.tags
    names = pd.DataFrame({"<b>head</b>": ["<i>"], "model": ["TPS&VGG"]})
    html = Cells(to_html(names).to_html())
    assert html.cells == ["<i>", "TPS&VGG"]
    assert not {"b", "i"} & set(html.tags)


@pytest.mark.parametrize("width", [70, 80, 100, 120, 200])
def test_every_number_is_printed_whole_at_every_width(width, make_rows):
    table = tables.table1(make_rows(seeds=(1, 2)), make_rows())
    text = printed(table, width)
    assert all(cell_len(line) <= width for line in text.splitlines())
    for cell in display(table).to_numpy().ravel():
        assert cell in text
    # In parts, each part repeats the model's name.
    assert text.count("TPS-ResNet-BiLSTM-Attn") == (1 if width >= 120 else text.count("rank"))


def test_a_wide_enough_terminal_gets_one_table(make_rows):
    text = printed(tables.table1(make_rows(), make_rows()), 120)
    assert "(continued)" not in text
    assert "(continued)" in printed(tables.table1(make_rows(), make_rows()), 80)


def test_korean_text_keeps_the_columns_aligned():
    frame = pd.DataFrame({"model": ["학교", "ab"], "time_ms": [1.0, 22.5]})
    lines = [line for line in printed(frame, 80).splitlines() if "1.00" in line or "22.50" in line]
    ends = {cell_len(line.rstrip()) for line in lines}
    assert len(lines) == 2
    assert len(ends) == 1


def test_an_empty_table_says_so():
    assert "nothing to show yet" in printed(pd.DataFrame(columns=["model"]), 80)


def test_html_marks_the_best_accuracy_of_a_long_table(make_rows):
    html = to_html(tables.all_models(None, make_rows())).to_html()
    (ids,) = re.findall(r"([^}]*) {\s*font-weight: bold", html)
    cells = [
        re.search(rf'id="{one[1:]}"[^>]*>([^<]*)<', html)[1] for one in re.findall(r"#\w+", ids)
    ]
    assert cells == ["88.24", "93.24 ±1.5"]  # the paper's and yours; the reference has none
    assert "bold" not in to_html(tables.table1()).to_html()


def bold_cells(accuracies: list[float]) -> list[str]:
    rows = {"model": [f"m{i}" for i in range(len(accuracies))], "accuracy_basic": accuracies}
    html = to_html(pd.DataFrame(rows)).to_html()
    ids = re.findall(r"([^}]*) {\s*font-weight: bold", html)
    cells = re.findall(r"#\w+", "".join(ids))
    return [re.search(rf'id="{one[1:]}"[^>]*>([^<]*)<', html)[1] for one in cells]


def test_what_reads_the_same_is_marked_the_same():
    worse = [90.0] * 10
    # To the digit that is shown; by the digits behind it one of them would be best by accident.
    assert bold_cells([95.11, *worse, 95.14]) == ["95.1", "95.1"]
    assert bold_cells([float("nan"), 95.1, *worse]) == ["95.1"]


@pytest.mark.parametrize("tie", [0.0, 100.0, float("nan")])
def test_where_all_tie_none_is_best(tie):
    assert bold_cells([tie] * 11) == []
    assert bold_cells([float("nan"), *[tie] * 11]) == []


def test_html_has_numbers_right_and_words_left(make_rows):
    costs = make_rows()[["model", "cer", "train_seconds", "steps"]]
    aligned = dict(re.findall(r"\.col(\d) {\s*text-align: (\w+)", to_html(costs).to_html()))
    assert aligned == {"0": "left", "1": "right", "2": "right", "3": "right"}


def test_the_same_table_is_the_same_html(make_rows):
    assert to_html(tables.table1()).to_html() == to_html(tables.table1()).to_html()
    one, other = (to_html(make()).to_html() for make in (tables.table1, tables.table2))
    assert re.search(r"T_\w+", one)[0] != re.search(r"T_\w+", other)[0]


def test_small_costs_keep_three_decimals():
    frame = pd.DataFrame({"model": ["a", "b"], "params_millions": [0.0834, 12.04]})
    assert display(frame).iloc[:, 1].tolist() == ["0.083", "12.04"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(45, "45 s"), (738, "12.3 min"), (3900, "1 h 05 min"), (3599, "1 h 00 min")],
)
def test_a_duration_is_told_as_people_say_it(seconds, said):
    assert duration(seconds) == said


def test_what_is_counted_is_written_without_a_decimal():
    shown = display(pd.DataFrame({"lines": [74, 1200], "order": [1.0, 0.5]}))
    assert shown.to_numpy().tolist() == [["74", "1.0"], ["1,200", "0.5"]]
