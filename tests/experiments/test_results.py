"""Rows and curves: written one by one, put together, read back."""

import pandas as pd
import pytest

from ocrkit.experiments import results
from ocrkit.experiments.grid import Run
from ocrkit.experiments.results import (
    ALONE_COLUMNS,
    COLUMNS,
    assemble,
    read_results,
    read_row,
    reference_seconds,
    row_path,
    write_row,
)

GOOD, BAD = Run("None-VGG-None-CTC", 1), Run("TPS-VGG-None-CTC", 2)
ROWS = {
    GOOD: {
        **{"model": GOOD.model, "transformation": "None", "feature": "VGG", "sequence": "None"},
        **{"prediction": "CTC", "seed": 1, "status": "ok", "error": "", "cpu_seconds": 12.5},
        "accuracy": 95.25,
        "history": [{"step": 5, "valid_accuracy": 10.0}, {"step": 10, "valid_accuracy": 20.0}],
    },
    BAD: {
        **{"model": BAD.model, "transformation": "TPS", "seed": 2, "status": "failed"},
        "error": 'OcrkitError: the loss became nan, "quoted", 한글\nand more',
    },
}


@pytest.fixture
def folder(tmp_path):
    for run, row in ROWS.items():
        write_row(tmp_path, run, row)
    return tmp_path


def test_a_row_comes_back(folder):
    assert read_row(folder, GOOD) == ROWS[GOOD]
    assert read_row(folder, Run("None-VGG-None-CTC", 9)) is None
    assert row_path(folder, GOOD) == folder / "rows" / "None-VGG-None-CTC-s1.json"


DAMAGED = {
    "{": "broken",
    "[]": "the whole file: should be",
    '{"history": [1]}': "model: Field required",
    '{"model": "None-VGG-None-CTC", "seed": 1}': "status: Field required",
    '{"model": "None-VGG-CTC", "seed": 1, "status": "ok"}': "model: ",
    '{"model": "None-VGG-None-CTC", "seed": 1, "status": "ok", "accuracy": "98"}': "accuracy: ",
    '{"model": "None-VGG-None-CTC", "seed": 1, "status": "ok", "accuracy": 982}': "accuracy: ",
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_row_is_named_and_stops_nothing(folder, damage):
    row_path(folder, GOOD).write_text(damage, encoding="utf-8")
    said = rf"left out: .*None-VGG-None-CTC-s1\.json is .*{DAMAGED[damage]}"
    with pytest.warns(UserWarning, match=said):
        assert read_row(folder, GOOD) is None  # a sweep trains it again
    with pytest.warns(UserWarning, match=said):
        table, curves = assemble(folder)
    assert (list(table["model"]), len(curves)) == ([BAD.model], 0)


@pytest.mark.parametrize(
    ("column", "cell"),
    [("model", "VGG"), ("seed", "one"), ("status", "fine"), ("accuracy", "9z"), ("cer", "a lot")],
)
def test_a_row_of_a_table_that_cannot_be_right_is_left_out(folder, column, cell):
    assemble(folder)
    table = pd.read_csv(folder / "runs.csv", dtype=str, keep_default_na=False)
    table.loc[0, column] = cell
    table.to_csv(folder / "runs.csv", index=False)
    with pytest.warns(UserWarning, match=rf"runs.csv, row 1 is of another shape: {column}: "):
        rows, curves = read_results(folder)
    assert (list(rows["model"]), rows["seed"][0], len(curves)) == ([BAD.model], 2, 2)


def test_a_row_with_too_many_cells_is_left_out(folder):
    assemble(folder)
    with (folder / "runs.csv").open("a", encoding="utf-8") as table:
        table.write(f"{GOOD.model}{',1' * 60}\n")
    with pytest.warns(UserWarning, match="runs.csv, row 3 has too many cells"):
        rows, _ = read_results(folder)
    assert list(rows["model"]) == [GOOD.model, BAD.model]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\xfa", b'a,b\n1,2\n"1', b"a,b\n1,2\n"])
def test_what_is_no_table_is_one_line(folder, refused, content):
    assemble(folder)
    (folder / "runs.csv").write_bytes(content)
    with refused(r"runs\.csv is broken \(.*\): make it again"):
        read_results(folder)


def test_rows_and_curves_are_put_together(folder):
    table, curves = assemble(folder)
    assert list(table.columns) == [name for name in COLUMNS if name not in ALONE_COLUMNS]
    assert list(table["model"]) == [GOOD.model, BAD.model]
    assert list(table["status"]) == ["ok", "failed"]
    assert curves[["model", "seed", "step", "valid_accuracy"]].values.tolist() == [
        [GOOD.model, 1, 5, 10.0],
        [GOOD.model, 1, 10, 20.0],
    ]


def test_what_is_written_reads_back(folder):
    assemble(folder)
    table, curves = read_results(folder)
    # A stage called "None" is no missing value; a missing accuracy is.
    assert list(table["transformation"]) == ["None", "TPS"]
    assert table["sequence"][0] == "None"
    assert table["accuracy"][0] == 95.25
    assert pd.isna(table["accuracy"][1])
    assert table["error"][1] == ROWS[BAD]["error"]
    assert list(curves["step"]) == [5, 10]


def test_nothing_has_ended(tmp_path):
    assert read_results(tmp_path) is None
    table, curves = assemble(tmp_path)
    assert (len(table), len(curves)) == (0, 0)
    assert list(table.columns) == [name for name in COLUMNS if name not in ALONE_COLUMNS]


def test_columns_are_those_that_reports_read():
    assert len(set(COLUMNS)) == len(COLUMNS)
    assert {"accuracy_five", "norm_ed_icdar", "norm_ed_fork_sum", "latency_n"} <= set(COLUMNS)


def test_the_eta_knows_the_reference_run(folder, monkeypatch):
    assemble(folder)
    monkeypatch.setattr(results, "resource", lambda *parts: folder / parts[-1])
    # A failed run has no seconds, and must not spoil the others'.
    assert reference_seconds("mini") == {GOOD.model: 12.5}


def test_no_reference_run():
    assert reference_seconds("no such preset") == {}
