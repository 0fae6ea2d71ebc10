"""Tables 1 and 2 as printed, the true frontiers, and the whole grid."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit import published
from ocrkit.errors import OcrkitError
from ocrkit.results import tables

# Few distinct values, so that ties are common.
points = st.lists(
    st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 5))), min_size=0, max_size=14
)


@given(points)
def test_the_frontier_is_what_a_comparison_of_all_pairs_finds(pairs):
    frame = pd.DataFrame(pairs, columns=["cost", "value"], dtype=float)
    known = [(c, v) for c, v in pairs if v is not None]
    expected = sorted(
        (c, v)
        for c, v in known
        if not any(a <= c and b >= v and (a < c or b > v) for a, b in known)
    )
    found = tables.frontier(frame, "cost", "value")
    assert list(found[["cost", "value"]].itertuples(index=False, name=None)) == expected


def test_the_true_frontiers_of_the_paper():
    time = tables.frontier(published.figures(), "time")
    assert time["model"].tolist() == [
        "None-VGG-None-CTC",
        "None-VGG-BiLSTM-CTC",
        "TPS-VGG-BiLSTM-CTC",
        "TPS-VGG-BiLSTM-Attn",
    ]
    parameters = tables.frontier(published.figures(), "parameters")
    assert len(parameters) == 6
    assert "TPS-VGG-None-CTC" in set(parameters["model"])


def test_the_remarks_say_where_the_printed_tables_differ():
    time = tables.frontiers("time").set_index("model")
    t5 = time.loc["TPS-ResNet-BiLSTM-Attn"]
    assert not t5["on_frontier"]
    assert "T5" in t5["remark"]
    assert "T4 (TPS-VGG-BiLSTM-Attn) is faster and more accurate" in t5["remark"]
    assert time["on_frontier"].sum() == 4

    parameters = tables.frontiers("parameters").set_index("model")
    assert parameters["on_frontier"].sum() == 6
    assert "leaves it out" in parameters.loc["TPS-VGG-None-CTC", "remark"]
    said = parameters["remark"].drop("TPS-VGG-None-CTC")
    assert said.tolist() == [f"printed as P{i}" for i in (1, 2, 3, 4, 5)]


def test_frontiers_of_our_runs_stand_below_the_papers(make_rows):
    rows = make_rows(failed=("TPS-VGG-BiLSTM-Attn",))
    table = tables.frontiers("parameters", None, rows)
    assert table["source"].unique().tolist() == ["paper", "yours"]
    mine = table[table["source"] == "yours"]
    # Without the best model the next one on its left ends the frontier.
    assert "TPS-VGG-BiLSTM-Attn" not in set(mine["model"])
    assert mine["accuracy_percent"].is_monotonic_increasing


def test_an_unknown_cost_is_refused():
    with pytest.raises(OcrkitError, match="time, parameters"):
        tables.frontiers("money")


@pytest.mark.parametrize(("make", "number"), [(tables.table1, 1), (tables.table2, 2)])
def test_the_papers_columns_are_the_printed_values(make, number):
    table = make()
    printed = published.tables().query(f"table == {number}")
    assert table["rank"].tolist() == printed["rank"].tolist()
    for column in ("accuracy_percent", "time_ms", "params_millions"):
        assert table[f"paper_{column}"].tolist() == printed[column].tolist()
        assert table[f"reference_{column}"].isna().all()
        assert table[f"yours_{column}"].isna().all()


def test_our_columns_belong_to_the_same_models(make_rows):
    lost = "TPS-VGG-BiLSTM-CTC"
    table = tables.table1(make_rows(shift=1), make_rows(failed=(lost,))).set_index("model")
    paper = published.figures().set_index("model")
    for model in table.index:
        assert table.loc[model, "reference_accuracy_percent"] == pytest.approx(
            paper.loc[model, "accuracy_percent"] + 1
        )
        assert table.loc[model, "yours_time_ms"] == pytest.approx(
            paper.loc[model, "time_ms"] / 10, nan_ok=True
        ) or (model == lost)
    assert table.loc[lost].filter(like="yours_").isna().all()


def test_all_models_has_24_rows_and_says_why_one_is_missing(make_rows):
    lost = "None-VGG-None-CTC"
    table = tables.all_models(None, make_rows(failed=(lost,)))
    assert len(table) == 24
    assert table["paper_accuracy_percent"].is_monotonic_decreasing
    notes = table.set_index("model")["note"]
    assert notes[lost] == "yours: failed: loss became <NaN> | step 7"
    assert (notes.drop(lost) == "").all()
    assert table["reference_accuracy_percent"].isna().all()


def test_notes_of_both_runs_stand_side_by_side(make_rows):
    lost = "None-VGG-None-CTC"
    table = tables.all_models(make_rows(failed=(lost,)), make_rows(failed=(lost,)))
    note = table.set_index("model").loc[lost, "note"]
    assert note.startswith("reference: failed: ")
    assert "; yours: failed: " in note


def test_kinds_table_sorts_by_accuracy_and_keeps_the_kinds_apart(make_rows):
    rows = make_rows()
    table = tables.kinds_table(rows)
    assert table.columns.tolist() == [
        "model",
        *(f"accuracy_{kind}" for kind in tables.KINDS),
        "accuracy_five",
        "accuracy_basic_skew",
        "accuracy_seen",
    ]
    assert table["model"].iloc[0] == "TPS-VGG-BiLSTM-Attn"
    assert table["accuracy_blur"].iloc[0] == pytest.approx(88.24 + 5 - 30)


def scores(rows):
    return tables.measures(rows, ["accuracy_percent", "cer", "train_seconds"])


@pytest.mark.parametrize("make", [tables.kinds_table, scores])
def test_tables_of_no_run_are_empty_and_of_odd_rows_have_gaps(make, make_rows):
    assert make(None).empty
    bare = make_rows()[["model", "seed", "status", "accuracy"]]
    table = make(bare)
    assert len(table) == 24
    assert table.drop(columns="model").isna().any(axis=None)
