"""Tables 1 and 2 as printed, the true frontiers, and the whole grid."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit import published
from ocrkit.errors import OcrkitError
from ocrkit.experiments.scoring import paper_weighted
from ocrkit.results import tables

# Few distinct values, so that ties are common.
points = st.lists(
    st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 5))), min_size=0, max_size=14
)


@given(points)
def test_the_frontier_is_what_a_comparison_of_all_pairs_finds(pairs):
    frame = pd.DataFrame(pairs, columns=["cost", "accuracy_percent"], dtype=float)
    known = [(c, v) for c, v in pairs if v is not None]
    expected = sorted(
        (c, v)
        for c, v in known
        if not any(a <= c and b >= v and (a < c or b > v) for a, b in known)
    )
    found = tables.frontier(frame, "cost")
    assert list(found[["cost", "accuracy_percent"]].itertuples(index=False, name=None)) == expected


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


def test_what_the_printed_tables_hold_stands_beside_the_frontier():
    time = tables.frontiers("time").set_index("model")
    t5 = time.loc["TPS-ResNet-BiLSTM-Attn"]
    assert (t5["on_frontier"], t5["printed"]) == (False, "T5")
    assert time["on_frontier"].sum() == 4

    parameters = tables.frontiers("parameters").set_index("model")
    assert parameters["on_frontier"].sum() == 6
    assert pd.isna(parameters.loc["TPS-VGG-None-CTC", "printed"])
    printed = parameters["printed"].drop("TPS-VGG-None-CTC")
    assert printed.tolist() == ["P1", "P2", "P3", "P4", "P5"]


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


MODELS = [f"{t}-VGG-BiLSTM-{p}" for t in ("None", "TPS") for p in ("CTC", "Attn")]


def mix_rows() -> pd.DataFrame:
    """Made-up rows of three seeds, in which TPS adds 30 points on all but sentences, there 2."""
    made = []
    for model in MODELS:
        tps = model.startswith("TPS")
        for seed in (1, 2, 3):
            row = dict.fromkeys(tables.MIX.values(), 40.0 + (seed - 2) + 30 * tps)
            row["accuracy_five"] = 60.0 + (seed - 2) + 2 * tps
            parts = {p: row[tables.MIX[p]] for p in ("sentence", "word", "syllable")}
            row |= {"accuracy_mix": paper_weighted(parts), "accuracy": row["accuracy_five"]}
            made.append(row | {"model": model, "seed": seed, "preset": "mix", "status": "ok"})
    return pd.DataFrame(made)


def test_the_parts_of_the_mix_side_by_side():
    table = tables.mix_table(mix_rows())
    assert table["model"].str.startswith("TPS").tolist() == [True, True, False, False]
    assert table["accuracy_word"].tolist() == pytest.approx([70, 70, 40, 40])
    assert table["accuracy_mix"][0] == pytest.approx((2_700 * 62 + 90_000 * 70) / 92_700)
    assert table["seeds"].tolist() == ["3"] * 4


def test_rows_without_the_mix():
    assert not tables.has_mix(None)
    assert not tables.has_mix(mix_rows().drop(columns="accuracy_word"))
    assert tables.has_mix(mix_rows())
