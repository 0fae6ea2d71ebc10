"""How a table of numbers is written: in a terminal, in Markdown, in HTML."""

import html
from collections.abc import Callable

import numpy as np
import pandas as pd
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

MISSING = "–"
SOURCES = ("paper", "reference", "yours")
_PROSE = ("claim", "verdict", "evidence")  # columns of sentences
_LONG = ("note", "remark", "reference", "yours", *_PROSE)  # cells that may be broken over lines
_KEYS = ("rank", "source", "model", "fact", "claim")


def _cost(value: float) -> str:
    """Small costs keep three decimals, so that thin models do not all read 0.08."""
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


# A column's heading (a line break only counts in a terminal) and how its numbers are written.
_STYLES: dict[str, tuple[str, Callable[[float], str]]] = {
    "accuracy_percent": ("acc. %", "{:.2f}".format),
    "accuracy_basic_skew": ("basic+skew", "{:.1f}".format),
    "accuracy_seen": ("basic+skew,\nseen words", "{:.1f}".format),
    "accuracy_five": ("mean of five", "{:.1f}".format),
    "accuracy_word": ("one word,\nstretched", "{:.1f}".format),
    "accuracy_syllable": ("one syllable,\nstretched", "{:.1f}".format),
    "accuracy_word_padded": ("one word,\nown shape", "{:.1f}".format),
    "accuracy_syllable_padded": ("one syllable,\nown shape", "{:.1f}".format),
    "accuracy_mix": ("the paper's\nmix", "{:.1f}".format),
    "gflops_per_image": ("GFLOP\nan image", "{:.1f}".format),
    "pflops": ("PFLOP\nin all", "{:,.0f}".format),
    "images": ("images", "{:,.0f}".format),
    "least_hours": ("hours, at\nthe ceiling", "{:.2f}".format),
    "expected_hours": ("hours,\nexpected", "{:.2f}".format),
    "time_ms": ("ms", _cost),
    "params_millions": ("params M", _cost),
    "cer": ("CER\n(lower)", "{:.4f}".format),
    "jamo_error": ("jamo error\n(lower)", "{:.4f}".format),
    "norm_ed_icdar": ("norm_ED, ICDAR\n(higher)", "{:.4f}".format),
    "norm_ed_fork_sum": ("norm_ED, fork's sum\n(lower)", "{:.1f}".format),
    "train_seconds": ("training\ns", "{:,.0f}".format),
    "cpu_seconds": ("CPU\ns", "{:,.0f}".format),
    "latency_1_ms_median": ("1 image\nms", _cost),
    "latency_1_ms_p95": ("1 image\np95 ms", _cost),
    "latency_n_ms_median": ("batch\nms", _cost),
    "latency_n_ms_p95": ("batch\np95 ms", _cost),
}


def display(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as strings, with two rows of headings (group, name); a gap is written "–".

    A column `X_accuracy_plus_minus` is written into its accuracy: "95.1 ±0.8".
    """
    cells, headings = [], []
    for column in frame.columns:
        if column.endswith("plus_minus"):
            continue
        group, name = _heading(column)
        values = frame[column]
        written = [MISSING if pd.isna(value) else _write(column, value) for value in values]
        interval = frame.get(column.replace("accuracy_percent", "accuracy_plus_minus"))
        if column.endswith("accuracy_percent") and interval is not None:
            added = ["" if pd.isna(value) else f" ±{value:.1f}" for value in interval]
            written = [cell + more for cell, more in zip(written, added, strict=True)]
        cells.append(pd.Series(written, frame.index, dtype=object))
        headings.append((group, name))
    table = pd.concat(cells, axis=1)
    table.columns = pd.MultiIndex.from_tuples(headings, names=["group", "name"])
    return table


def to_rich(frame: pd.DataFrame, title: str, console: Console | None = None) -> None:
    """Print a table in the terminal; one too wide for it is printed in several parts.

    Wide characters are measured as the terminal draws them, so Korean text stays aligned.
    """
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, 120)  # a file or a pipe has no edge to keep
    if frame.empty:
        console.print(Text(f"{title}: nothing to show yet"))
        return
    shown, numeric = display(frame), _numeric(frame)
    keys = [i for i, column in enumerate(_written(frame)) if column in _KEYS]
    blocks = _blocks([i for i in range(shown.shape[1]) if i not in keys], shown)
    part: list[int] = []
    while blocks:
        part += blocks.pop(0)
        if blocks:
            tried = _rich_table(shown, [*keys, *part, *blocks[0]], numeric, title)
            free = console.options.update(max_width=10_000)
            if Measurement.get(console, free, tried).minimum <= console.width:
                continue
        console.print(_rich_table(shown, [*keys, *part], numeric, title))
        title, part = f"{title} (continued)" if "(continued)" not in title else title, []


def to_markdown(frame: pd.DataFrame) -> str:
    """The table in GitHub's Markdown; numbers are aligned to the right."""
    shown, numeric = display(frame), _numeric(frame)
    heads = [" ".join(filter(None, head)) for head in shown.columns]
    lines = [heads, ["---:" if right else ":---" for right in numeric]]
    lines += shown.to_numpy().tolist()
    escaped = ([str(c).replace("|", "\\|").replace("\n", " ") for c in line] for line in lines)
    return "\n".join("| " + " | ".join(line) + " |" for line in escaped) + "\n"


def to_html(frame: pd.DataFrame) -> str:
    """The table in HTML; the best accuracy of each column is marked when there are many rows."""
    shown, numeric, columns = display(frame), _numeric(frame), _written(frame)
    best = {
        i: frame[column].max()
        for i, column in enumerate(columns)
        if "accuracy" in column and len(frame) > 10 and "source" not in columns
    }
    lines = ["<table>", "<thead>", *_html_heads(shown, numeric), "</thead>", "<tbody>"]
    for index, row in enumerate(shown.itertuples(index=False)):
        cells = []
        for i, cell in enumerate(row):
            is_best = i in best and frame[columns[i]].iloc[index] == best[i]
            prose = shown.columns[i][1] in _PROSE
            marks = (("num", numeric[i]), ("best", is_best), ("prose", prose))
            kinds = [k for k, on in marks if on]
            mark = f' class="{" ".join(kinds)}"' if kinds else ""
            cells.append(f"<td{mark}>{html.escape(str(cell))}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "\n".join([*lines, "</tbody>", "</table>"])


def _html_heads(shown: pd.DataFrame, numeric: list[bool]) -> list[str]:
    newline = "\n"
    names = [
        f"<th{' class=num' if right else ''}>{html.escape(name).replace(newline, '<br>')}</th>"
        for (_, name), right in zip(shown.columns, numeric, strict=True)
    ]
    groups = []
    for block in _blocks(list(range(shown.shape[1])), shown):
        group = html.escape(shown.columns[block[0]][0])
        groups.append(f'<th colspan="{len(block)}" class="group">{group}</th>')
    grouped = any(group for group, _ in shown.columns)
    rows = [groups, names] if grouped else [names]
    return [f"<tr>{''.join(row)}</tr>" for row in rows]


def _rich_table(shown: pd.DataFrame, columns: list[int], numeric: list[bool], title: str) -> Table:
    # One space left of nothing, one right: a table of eleven columns should fit 120 characters.
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    before = None
    for i in columns:
        group, name = shown.columns[i]
        grouped = any(shown.columns[j][0] for j in columns)
        head = f"{group if group != before else ''}\n{name}" if grouped else name
        before = group
        cells = shown.iloc[:, i]
        wraps = name in _LONG
        width = 30 if wraps else max(map(cell_len, [*head.split("\n"), *cells]))
        table.add_column(
            Text(head),
            justify="right" if numeric[i] else "left",
            vertical="top",
            min_width=width,
            no_wrap=not wraps,
            overflow="fold",
        )
    for row in shown.itertuples(index=False):
        table.add_row(*(Text(row[i]) for i in columns))
    return table


def _blocks(columns: list[int], shown: pd.DataFrame) -> list[list[int]]:
    """Columns that stay together: neighbours of one group; a column without a group is alone."""
    blocks: list[list[int]] = []
    for i in columns:
        group = shown.columns[i][0]
        if blocks and group and shown.columns[blocks[-1][-1]][0] == group:
            blocks[-1].append(i)
        else:
            blocks.append([i])
    return blocks


def _written(frame: pd.DataFrame) -> list[str]:
    return [column for column in frame.columns if not column.endswith("plus_minus")]


def _numeric(frame: pd.DataFrame) -> list[bool]:
    numbers = (frame[column] for column in _written(frame))
    return [pd.api.types.is_numeric_dtype(v) and not pd.api.types.is_bool_dtype(v) for v in numbers]


def _heading(column: str) -> tuple[str, str]:
    source, _, rest = column.partition("_")
    if source in SOURCES and rest:
        return source, _heading(rest)[1]
    if column in _STYLES:
        return "", _STYLES[column][0]
    if source == "params":
        return "parameters", rest
    return "", column.removeprefix("accuracy_").replace("_", " ")


def _write(column: str, value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    source, _, rest = column.partition("_")
    if source == "paper":
        return f"{value:.2f}"  # as printed
    column = rest if source in SOURCES else column
    if column in _STYLES:
        return _STYLES[column][1](value)
    return f"{value:,.0f}" if column.startswith("params_") else f"{value:.1f}"
