"""The sentences and the provenance of a report."""

import pytest

from ocrkit import published
from ocrkit.report.summary import failed_runs, in_short, run_facts, stage_gains, tps_gains


def test_tps_gains_of_the_paper_run_from_11_to_35_points():
    gains = tps_gains(published.figures())
    assert len(gains) == 12
    assert gains.min() == pytest.approx(11.27, abs=0.05)
    assert gains.max() == pytest.approx(34.99, abs=0.05)
    assert gains.idxmax() == "VGG-BiLSTM-Attn"


def test_a_pair_with_a_missing_half_has_no_gain(make_rows):
    gains = tps_gains(make_rows(missing=("TPS-VGG-None-CTC",)))
    assert len(gains) == 11
    assert "VGG-None-CTC" not in gains
    assert tps_gains(None).empty


def test_in_short_tells_of_all_three(make_rows):
    text = "\n".join(in_short(None, make_rows(missing=("None-VGG-None-CTC",))))
    assert "The reference run: no results yet." in text
    assert "Your run: 23 of 24" in text
    assert "TPS-VGG-BiLSTM-Attn with 88.24 %" in text
    assert "TPS-VGG-BiLSTM-Attn with 93.24 % (±1.5)" in text
    assert "rank correlation of 1.00" in text


def test_run_facts_name_seeds_machine_precision_and_time(make_rows):
    facts = run_facts(None, make_rows(seeds=(1, 2), failed=("None-VGG-None-CTC",)))
    yours = facts.set_index("fact")["yours"]
    assert yours["models with a result"] == "23 of 24"
    assert yours["runs that failed"] == "2"
    assert yours["seeds"] == "1, 2"
    assert yours["device"] == "a stand-in"
    assert yours["precision"] == "bf16"
    assert yours["training time in all"] == "1 h 32 min"
    assert yours["processor time in all"] == "3 h 04 min"
    assert facts["reference"].isna().all()


def test_failed_runs_lists_seed_and_error(make_rows):
    failed = failed_runs(make_rows(failed=("None-VGG-None-CTC",), seeds=(7,)))
    assert failed.to_dict("records") == [
        {"model": "None-VGG-None-CTC", "seed": "7", "note": "loss became <NaN> | step 7"}
    ]
    assert failed_runs(None).empty
    assert failed_runs(make_rows()).empty


def test_stage_gains_pair_models_that_differ_in_one_stage_alone():
    gains = stage_gains(published.figures(), "sequence", "BiLSTM", "None")
    scores = published.figures().set_index("model")["accuracy_percent"]
    assert len(gains) == 12
    expected = scores["None-VGG-BiLSTM-Attn"] - scores["None-VGG-None-Attn"]
    assert gains["None-VGG-Attn"] == expected < 0
    assert (gains < 0).sum() == 3
    assert stage_gains(None, "feature", "VGG", "RCNN").empty


def test_versions_are_told_without_their_json(make_rows):
    rows = make_rows().assign(versions='{"torch": "2.13", "python": "3.11"}')
    facts = run_facts(None, rows).set_index("fact")
    assert facts.loc["library versions", "yours"] == "torch 2.13, python 3.11"
