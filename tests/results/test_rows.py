"""From runs to models: means, intervals, notes, and what is missing."""

import json
import math

import pandas as pd
import pytest

from ocrkit import published
from ocrkit.errors import OcrkitError
from ocrkit.results.rows import by_model, your_results

FIRST, SECOND = published.model_names()[:2]


@pytest.mark.parametrize("rows", [None, pd.DataFrame()])
def test_nothing_gives_an_empty_frame_with_the_columns(rows):
    merged = by_model(rows)
    assert merged.empty
    assert {"model", "seeds", "accuracy_percent", "time_ms", "note"} <= set(merged)


def test_one_seed_keeps_its_bootstrap_interval_and_the_papers_units(make_rows):
    rows = make_rows()
    merged = by_model(rows).set_index("model")
    raw = rows.set_index("model").loc[FIRST]
    assert merged.loc[FIRST, "accuracy_percent"] == pytest.approx(raw["accuracy"])
    assert merged.loc[FIRST, "accuracy_plus_minus"] == pytest.approx(1.5)  # the wider side
    assert merged.loc[FIRST, "time_ms"] == raw["latency_n_ms_median"]
    assert merged.loc[FIRST, "params_millions"] == pytest.approx(raw["params"] / 1e6)


def test_several_seeds_give_their_mean_and_standard_deviation(make_rows):
    merged = by_model(make_rows(seeds=(1, 2, 3))).set_index("model")
    paper = published.figures().set_index("model")["accuracy_percent"]
    assert merged.loc[FIRST, "seeds"] == 3
    assert merged.loc[FIRST, "accuracy_percent"] == pytest.approx(paper[FIRST] + 7)
    assert merged.loc[FIRST, "accuracy_plus_minus"] == pytest.approx(2.0)


def test_models_come_in_the_grids_order_whatever_the_rows_order(make_rows):
    shuffled = make_rows().sample(frac=1, random_state=0)
    assert tuple(by_model(shuffled)["model"]) == published.model_names()


def test_a_failed_model_is_a_row_without_numbers_and_with_its_reason(make_rows):
    row = by_model(make_rows(failed=(FIRST,))).set_index("model").loc[FIRST]
    assert math.isnan(row["accuracy_percent"])
    assert row["note"] == "failed: loss became <NaN> | step 7"


def test_one_failed_seed_of_two_is_said_and_the_other_counts(make_rows):
    rows = make_rows(seeds=(1, 2))
    rows.loc[(rows["model"] == FIRST) & (rows["seed"] == 2), ["status", "error"]] = ["failed", "x"]
    row = by_model(rows).set_index("model").loc[FIRST]
    assert row["seeds"] == 1
    assert row["note"] == "1 of 2 seeds failed: x"
    assert row["accuracy_plus_minus"] == pytest.approx(1.5)


def test_a_run_that_was_tried_again_counts_once(make_rows):
    first = make_rows(failed=(FIRST,))
    again = make_rows()
    merged = by_model(pd.concat([first, again[again["model"] == FIRST]])).set_index("model")
    assert merged.loc[FIRST, "seeds"] == 1
    assert merged.loc[FIRST, "note"] == ""


def test_a_grid_of_which_every_run_failed(make_rows):
    rows = make_rows(failed=published.model_names())
    assert "accuracy" not in rows
    assert by_model(rows)["accuracy_percent"].isna().all()


def test_rows_read_from_a_csv_give_the_same(make_rows, tmp_path):
    rows = make_rows(failed=(FIRST,))
    rows.to_csv(tmp_path / "runs.csv", index=False)
    read = pd.read_csv(tmp_path / "runs.csv")  # here "None" has become NaN: it must not matter
    pd.testing.assert_frame_equal(by_model(read), by_model(rows), check_dtype=False)


def test_the_papers_own_frame_passes_through():
    paper = published.figures()
    merged = by_model(paper)
    assert len(merged) == 24
    back = merged.set_index("model").loc[paper["model"], "accuracy_percent"]
    assert back.tolist() == paper["accuracy_percent"].tolist()


def test_an_unknown_model_is_refused_by_name(make_rows):
    rows = make_rows()
    rows.loc[0, "model"] = "TPS-VGG-GRU-CTC"
    with pytest.raises(OcrkitError, match="TPS-VGG-GRU-CTC"):
        by_model(rows)


def test_mixed_presets_are_refused(make_rows):
    with pytest.raises(OcrkitError, match="mini, smoke"):
        by_model(pd.concat([make_rows(), make_rows(preset="smoke")]))


def test_a_results_folder_is_read_from_its_rows_or_from_its_table(make_rows, tmp_path):
    assert your_results(tmp_path) is None
    make_rows().to_csv(tmp_path / "runs.csv", index=False)
    curves = pd.DataFrame({"model": [FIRST], "seed": [1], "step": [1]})
    curves.to_csv(tmp_path / "curves.csv", index=False)
    rows, curves = your_results(tmp_path)
    assert len(rows) == 24
    assert curves["model"].tolist() == [FIRST]
    (tmp_path / "rows").mkdir()
    row = {"model": SECOND, "seed": 3, "status": "ok", "history": [{"step": 7}]}
    (tmp_path / "rows" / "one.json").write_text(json.dumps(row))
    rows, curves = your_results(tmp_path)
    assert rows["model"].tolist() == [SECOND]
    assert curves["step"].tolist() == [7]
