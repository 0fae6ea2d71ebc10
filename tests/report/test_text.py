"""Tables as words: what is written, and that it can be read at any width."""

import io
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from rich.cells import cell_len
from rich.console import Console

from ocrkit.report import tables


def printed(frame: pd.DataFrame, width: int) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    tables.to_rich(frame, "A title", console)
    return out.getvalue()


class Cells(HTMLParser):
    """The text of a table's cells, and the tags that were opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data.strip("\n")


def test_markdown_holds_the_printed_values_and_dashes_for_gaps():
    lines = tables.to_markdown(tables.table1()).splitlines()
    cells = [cell.strip() for cell in lines[6].strip("|").split("|")]
    assert cells == [
        "T5",
        "TPS-ResNet-BiLSTM-Attn",
        "87.43",
        "6.84",
        "50.75",
        *["–"] * 6,
    ]
    assert len({line.count("|") for line in lines}) == 1


def test_an_interval_is_written_into_its_accuracy(make_rows):
    text = tables.to_markdown(tables.table1(None, None, make_rows()))
    assert "| 93.24 ±1.5 |" in text  # T4: 88.24 + 5
    assert "plus_minus" not in text


def test_hostile_text_stays_in_its_cell(make_rows):
    lost = "TPS-VGG-BiLSTM-Attn"
    table = tables.all_models(None, None, make_rows(failed=(lost,)))
    first = tables.to_markdown(table).splitlines()[2]
    assert "loss became <NaN> \\| step 7" in first
    html = Cells(tables.to_html(table))
    assert "yours: failed: loss became <NaN> | step 7" in html.cells
    assert "nan" not in html.tags


@pytest.mark.parametrize("width", [70, 80, 100, 120, 200])
def test_every_number_is_printed_whole_at_every_width(width, make_rows):
    table = tables.table1(None, make_rows(seeds=(1, 2)), make_rows())
    text = printed(table, width)
    assert all(cell_len(line) <= width for line in text.splitlines())
    for cell in tables.to_markdown(table).replace("|", "\n").splitlines()[-60:]:
        assert cell.strip() in text
    # In parts, each part repeats the model's name.
    assert text.count("TPS-ResNet-BiLSTM-Attn") == (1 if width >= 120 else text.count("rank"))


def test_a_wide_enough_terminal_gets_one_table(make_rows):
    text = printed(tables.table1(None, make_rows(), make_rows()), 120)
    assert "(continued)" not in text
    assert "(continued)" in printed(tables.table1(None, make_rows(), make_rows()), 80)


def test_korean_text_keeps_the_columns_aligned():
    frame = pd.DataFrame({"model": ["학교", "ab"], "time_ms": [1.0, 22.5]})
    lines = [line for line in printed(frame, 80).splitlines() if "1.00" in line or "22.50" in line]
    ends = {cell_len(line.rstrip()) for line in lines}
    assert len(lines) == 2
    assert len(ends) == 1


def test_an_empty_table_says_so():
    assert "nothing to show yet" in printed(tables.kinds_table(None), 80)


def test_html_marks_the_best_accuracy_of_a_long_table(make_rows):
    html = tables.to_html(tables.all_models(None, None, make_rows()))
    assert '<td class="num best">88.24</td>' in html
    assert html.count("best") == 2  # the paper's and yours; the reference has none
    assert "best" not in tables.to_html(tables.table1())


def test_html_headings_cover_every_column(make_rows):
    frame = tables.costs_table(make_rows())
    html = tables.to_html(frame)
    assert html.count("<td") == len(frame) * frame.shape[1]
    groups, names = html.split("</tr>")[:2]
    assert names.count("</th>") == frame.shape[1]
    assert sum(int(n) for n in re.findall(r'colspan="(\d+)"', groups)) == frame.shape[1]


def test_small_costs_keep_three_decimals():
    frame = pd.DataFrame({"model": ["a", "b"], "params_millions": [0.0834, 12.04]})
    text = tables.to_markdown(frame)
    assert "0.083" in text
    assert "12.04" in text
