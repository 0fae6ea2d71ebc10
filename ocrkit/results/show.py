"""How a table of numbers is shown: in a terminal with rich, in a page with pandas' Styler."""

import hashlib
from itertools import chain, groupby

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

MISSING = "–"
SOURCES = ("paper", "reference", "yours")
# Columns whose cells are broken over lines.
_LONG = ("claim", "verdict", "evidence", "note", "reference", "yours")
_KEYS = ("rank", "source", "model", "fact", "claim")  # repeated in each part of a wide table
_THREE = "three decimals below 1"  # so that thin models do not all read 0.08

# A column's heading (a line break only counts in a terminal) and how its numbers are written.
_STYLES = {
    "accuracy_percent": ("acc. %", ".2f"),
    "accuracy_basic_skew": ("basic+skew", ".1f"),
    "accuracy_seen": ("basic+skew,\nseen words", ".1f"),
    "accuracy_five": ("mean of five", ".1f"),
    "accuracy_word": ("one word,\nstretched", ".1f"),
    "accuracy_syllable": ("one syllable,\nstretched", ".1f"),
    "accuracy_word_padded": ("one word,\nown shape", ".1f"),
    "accuracy_syllable_padded": ("one syllable,\nown shape", ".1f"),
    "accuracy_mix": ("the paper's\nmix", ".1f"),
    "time_ms": ("ms", _THREE),
    "params_millions": ("params M", _THREE),
    "cer": ("CER\n(lower)", ".4f"),
    "cer_spaces": ("CER with\nspaces", ".4f"),
    "jamo_error": ("jamo error\n(lower)", ".4f"),
    "norm_ed_icdar": ("norm_ED, ICDAR\n(higher)", ".4f"),
    "norm_ed_fork_sum": ("norm_ED, fork's sum\n(lower)", ".1f"),
    "train_seconds": ("training\ns", ",.0f"),
    "cpu_seconds": ("CPU\ns", ",.0f"),
    "latency_1_ms_median": ("1 image\nms", _THREE),
    "latency_1_ms_p95": ("1 image\np95 ms", _THREE),
    "latency_n_ms_median": ("batch\nms", _THREE),
    "latency_n_ms_p95": ("batch\np95 ms", _THREE),
}


def display(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as strings, with two rows of headings (group, name); a gap is written "–".

    A column `X_accuracy_plus_minus` is written into its accuracy: "95.1 ±0.8".
    """
    cells = {}
    for column in _written(frame):
        written = frame[column].map(lambda value, name=column: _write(name, value)).astype(object)
        interval = frame.get(column.replace("accuracy_percent", "accuracy_plus_minus"))
        if column.endswith("accuracy_percent") and interval is not None:
            written += interval.map(lambda value: "" if pd.isna(value) else f" ±{value:.1f}")
        cells[_heading(column)] = written
    return pd.DataFrame(cells, columns=pd.MultiIndex.from_tuples(list(cells)))


def to_rich(frame: pd.DataFrame, title: str, console: Console | None = None) -> None:
    """Print a table in the terminal; one too wide for it is printed in several parts.

    Columns of one group stay together. Wide characters are measured as the terminal draws them,
    so Korean text stays aligned.
    """
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, 120)  # a file or a pipe has no edge to keep
    if frame.empty:
        console.print(Text(f"{title}: nothing to show yet"))
        return
    shown, right = display(frame), _numeric(frame)
    keys = [i for i, column in enumerate(_written(frame)) if column in _KEYS]
    rest = [i for i in range(shown.shape[1]) if i not in keys]
    # A column without a group is a group of its own.
    groups = [list(part) for _, part in groupby(rest, lambda i: shown.columns[i][0] or i)]
    free = console.options.update(max_width=10_000)
    while True:
        for count in range(len(groups), -1, -1):
            table = _rich_table(shown, [*keys, *chain(*groups[:count])], right, title)
            if count <= 1 or Measurement.get(console, free, table).minimum <= console.width:
                break
        console.print(table)
        groups, title = groups[count:], f"{title.removesuffix(' (continued)')} (continued)"
        if not groups:
            return


def to_html(frame: pd.DataFrame) -> Styler:
    """The table for a page or a notebook: words left, numbers right; all text is escaped.

    The best accuracy of a column is bold in a table of more than ten rows of one source: all
    cells that read the same, and none where every cell does.
    """
    shown, right = display(frame), _numeric(frame)
    if not any(group for group, _ in shown.columns):
        shown = shown.droplevel(0, axis="columns")
    # Named by its content, so that the same table is written the same way every time.
    content = shown.to_csv() + str(shown.columns.tolist())
    styler = shown.style.set_uuid(hashlib.sha256(content.encode()).hexdigest()[:12])
    styler.hide(axis="index").format(escape="html").format_index(escape="html", axis="columns")
    bold = pd.DataFrame("", shown.index, shown.columns)
    for i, column in enumerate(_written(frame)):
        if "accuracy" in column and len(frame) > 10 and "source" not in frame:
            bold.loc[_best(frame[column]), shown.columns[i]] = "font-weight: bold"
    styler.apply(lambda _: bold, axis=None)
    styles = {}
    for name, on in zip(shown.columns, right, strict=True):
        heading = name if isinstance(name, str) else name[1]
        wraps = "normal" if heading.startswith(_LONG) else "nowrap"
        styles[name] = [
            {"selector": "", "props": f"text-align: {'right' if on else 'left'}"},
            {"selector": "td", "props": f"vertical-align: top; white-space: {wraps}"},
        ]
    styler.set_table_styles(styles)
    styler.cell_ids = False
    return styler


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 12.3 min, 1 h 05 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return (
        f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{seconds / 60:.1f} min"
    )


def _rich_table(shown: pd.DataFrame, columns: list[int], right: list[bool], title: str) -> Table:
    # One space left of nothing, one right: a table of eleven columns should fit 120 characters.
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    grouped, before = any(shown.columns[i][0] for i in columns), None
    for i in columns:
        group, name = shown.columns[i]
        head = f"{group if group != before else ''}\n{name}" if grouped else name
        before = group
        cells, wraps = shown.iloc[:, i], name.startswith(_LONG)
        table.add_column(
            Text(head),
            justify="right" if right[i] else "left",
            min_width=30 if wraps else max(map(cell_len, [*head.split("\n"), *cells])),
            no_wrap=not wraps,
            overflow="fold",
        )
    for row in shown.itertuples(index=False):
        table.add_row(*(Text(row[i]) for i in columns))
    return table


def _best(values: pd.Series) -> pd.Series:
    """Which numbers are written as the largest one is; of equal ones no one is best."""
    read = values.map(lambda value: _write(str(values.name), value))
    same = read == _write(str(values.name), values.max())
    return same & values.notna() & (not same[values.notna()].all())


def _written(frame: pd.DataFrame) -> list[str]:
    return [column for column in frame if not column.endswith("plus_minus")]


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
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return MISSING
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    source, _, rest = column.partition("_")
    if source == "paper":
        return f"{value:.2f}"  # as printed
    column = rest if source in SOURCES else column
    whole = isinstance(value, int | np.integer) or column.startswith("params_")
    default = ",.0f" if whole else ".1f"
    style = _STYLES.get(column, ("", default))[1]
    return f"{value:{style}}" if style != _THREE else f"{value:.{2 if value >= 1 else 3}f}"
