"""Verdicts follow from the rows: the paper's, and rows made to say the opposite."""

import io

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from ocrkit import published
from ocrkit.errors import OcrkitError
from ocrkit.results.claims import CANNOT, Finding, claims_table, judge
from ocrkit.results.show import to_html, to_rich
from ocrkit.results.statistics import PAPER_MIX, PAPER_SENTENCES

NAMES = published.model_names()
WORDS = (
    *("reproduced", "differs", "holds in part", "in the mean only"),
    *("not settled", "cannot be checked"),
)


def rows_with(make_rows, accuracy, images=100_000):
    """Rows whose accuracy is a function of the model's name."""
    rows = make_rows()
    return rows.assign(accuracy=[accuracy(name) for name in rows["model"]], test_images=images)


def verdict(rows, claim):
    return judge(rows)[claim].verdict


def test_the_verdicts_on_the_published_rows():
    found = judge(published.figures(), PAPER_MIX)
    assert {name: said.verdict for name, said in found.items()} == {
        "grid": "reproduced",
        "tps": "reproduced",
        "largest_gain": "reproduced",
        "tps_same": "reproduced",
        "tps_size": "reproduced",
        "best": "reproduced",
        "best_accuracy": "cannot be checked",  # on which test set is not said
        "english_best": "reproduced",
        "vgg": "holds in part",
        "resnet": "reproduced",
        "bilstm": "holds in part",
        "mean_sizes": "reproduced",
        "frontier_time": "differs",
        "frontier_parameters": "differs",
        "rcnn": "differs",
        "three_runs": "cannot be checked",
    }
    assert judge(published.figures(), PAPER_SENTENCES)["best"].verdict == "not settled"


def test_the_numbers_behind_the_verdicts():
    found = judge(published.figures(), PAPER_MIX)
    assert found["tps"].value == pytest.approx(18.73, abs=0.01)
    assert found["tps"].low < found["tps"].value < found["tps"].high
    assert (found["tps"].counted, found["tps"].expected) == (12, 12)
    assert found["largest_gain"].value == pytest.approx(34.99, abs=0.01)
    assert found["tps_size"].value == pytest.approx(1.693, abs=0.001)
    assert found["best"].value > 95  # percent of the draws
    assert found["frontier_time"].names == "not on it: TPS-ResNet-BiLSTM-Attn"
    assert found["frontier_parameters"].names == "on it, not printed: TPS-VGG-None-CTC"
    assert "ResNet 47.778 M" in found["mean_sizes"].names
    assert found["rcnn"].names == f"GRCNN has {found['rcnn'].value:.3f} M"


def test_evidence_is_the_numbers_in_one_line():
    assert Finding("differs", -1.25, -2, -0.5, 7, 12, "1 pair").evidence("points") == (
        "-1.25 points (-2 to -0.5); 7 of 12; 1 pair"
    )
    assert Finding("reproduced", 1.6934).evidence("M") == "1.693 M"
    assert Finding(CANNOT).evidence("points") == ""


def test_without_rows_ours_cannot_be_checked():
    assert set(judge(None).values()) == {Finding(CANNOT, names="no results")}


def test_few_images_settle_what_is_large_and_not_what_is_small(make_rows):
    rows = make_rows()  # the paper's differences, on 1,000 images
    assert verdict(rows, "tps") == "reproduced"
    assert verdict(rows, "best") == "not settled"
    assert verdict(rows, "english_best") == "not settled"
    many = rows.assign(test_images=1_000_000)
    assert verdict(many, "best") == "reproduced"
    assert verdict(many, "english_best") == "reproduced"


@pytest.mark.parametrize("accuracy", [0.0, 100.0])
def test_where_all_models_tie_none_is_named_the_best(make_rows, accuracy):
    found = judge(rows_with(make_rows, lambda _: accuracy))
    assert found["best"].verdict == "not settled"
    assert found["best"].names == "all tie; the paper's best is number 1"
    assert found["largest_gain"].names == ""


def test_models_that_share_the_first_place_are_all_named(make_rows):
    shared = ("TPS-VGG-BiLSTM-Attn", "TPS-VGG-None-CTC")
    found = judge(rows_with(make_rows, lambda n: 100.0 * (n in shared)))
    assert found["best"].verdict == "not settled"
    assert found["best"].names.startswith("best: TPS-VGG-None-CTC, TPS-VGG-BiLSTM-Attn;")


def test_the_noise_of_seeds_unsettles_what_images_alone_would_settle(make_rows):
    rows = make_rows(seeds=(1, 2)).assign(test_images=1_000_000)
    assert verdict(rows, "english_best") == "not settled"


def test_rows_that_say_the_opposite_differ(make_rows):
    rows = rows_with(make_rows, lambda n: 60.0 - 9 * ("TPS" in n) - 5 * ("BiLSTM" in n))
    for claim in ("tps", "largest_gain", "best", "bilstm"):
        assert verdict(rows, claim) == "differs", claim
    assert verdict(rows, "resnet") == "not settled"


def test_what_helps_some_and_harms_others_holds_in_part(make_rows):
    rows = rows_with(make_rows, lambda n: 50.0 + ("BiLSTM" in n) * (4.0 if "RCNN" in n else -4.0))
    found = judge(rows)["bilstm"]
    assert found.verdict == "holds in part"
    fails = ("None-VGG", "None-ResNet", "TPS-VGG", "TPS-ResNet")
    surely_worse = ", ".join(f"{name}-?-Attn" for name in fails)
    assert found.names == f"2 of 6 pairs gain, 2 surely; surely worse: {surely_worse}"


def test_a_gain_of_few_pairs_is_one_in_the_mean_only(make_rows):
    gaining = ("None-VGG-BiLSTM-Attn", "None-RCNN-BiLSTM-Attn")
    rows = rows_with(make_rows, lambda n: 90.0 if n in gaining else 50.0)
    found = judge(rows)["bilstm"]
    assert found.verdict == "in the mean only"
    assert found.names == "2 of 6 pairs gain, 2 surely"
    losing = rows_with(make_rows, lambda n: 10.0 if n in gaining else 50.0)
    assert verdict(losing, "bilstm") == "not settled"  # most pairs lose nothing


def test_sizes_are_compared_only_with_models_of_the_papers_size(make_rows):
    thin = make_rows()
    assert verdict(thin, "tps_same") == "reproduced"
    assert verdict(thin, "tps_size") == "cannot be checked"
    assert verdict(thin, "mean_sizes") == "cannot be checked"
    whole = thin.assign(params=thin["params"] * 10)
    assert verdict(whole, "tps_size") == "reproduced"
    assert verdict(whole, "mean_sizes") == "reproduced"
    odd = whole.assign(params=whole["params"] + 500_000 * (whole["model"] == NAMES[-1]))
    assert verdict(odd, "tps_same") == "differs"


def test_a_frontier_as_printed_is_reproduced(make_rows):
    # Only the five printed models read at all, each dearer one better than the one before.
    printed = published.tables().query("table == 2").set_index("model")["accuracy_percent"]
    rows = rows_with(make_rows, lambda n: printed.get(n, 1.0))
    assert verdict(rows, "frontier_parameters") == "reproduced"
    assert verdict(rows, "frontier_time") == "differs"
    rows = rows.drop(columns="latency_n_ms_median")
    assert verdict(rows, "frontier_time") == "cannot be checked"


def test_an_incomplete_grid_is_not_called_whole(make_rows):
    rows = make_rows(missing=("TPS-VGG-BiLSTM-CTC",), failed=("None-VGG-None-CTC",))
    rows = rows.assign(test_images=1_000_000)
    for claim in ("grid", "best", "frontier_time", "frontier_parameters"):
        assert verdict(rows, claim) == "cannot be checked", claim
    assert judge(rows)["tps"].counted == 10
    alone = make_rows(missing=NAMES[1:])
    assert {said.verdict for said in judge(alone).values()} == {"cannot be checked"}


def test_a_smoke_run_claims_nothing_of_accuracy(make_rows):
    found = judge(make_rows(preset="smoke"))
    for claim in published.claims().query("rests_on == 'accuracy'")["name"]:
        assert found[claim] == Finding(CANNOT, names="a smoke run")
    assert found["grid"].verdict == "reproduced"


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.sampled_from([None, 0.0, 0.1, 50.0, 99.9, 100.0]), min_size=24, max_size=24),
    st.sampled_from([1, 16, 1000]),
)
def test_any_rows_get_a_verdict_with_evidence(accuracies, images):
    rows = pd.DataFrame({"model": NAMES, "accuracy": accuracies}, dtype=object)
    rows = rows.assign(seed=1, status="ok", params=1_000, test_images=images)
    table = claims_table(rows)
    assert table["yours_verdict"].str.startswith(WORDS).all()
    assert not table["yours_evidence"].str.contains("nan").any()


def test_mixed_presets_are_refused(make_rows):
    with pytest.raises(OcrkitError, match="mix presets"):
        judge(pd.concat([make_rows(), make_rows(preset="smoke")]))


def test_the_table_is_written_in_a_terminal_and_in_html(make_rows):
    table = claims_table(make_rows(), "reference")
    assert list(table) == [
        *("claim", "source", "paper_verdict", "paper_evidence", "paper_verdict_sentences"),
        *("reference_verdict", "reference_evidence"),
    ]
    assert to_html(table).to_html().count("<td") == 7 * 16
    console = Console(width=120, record=True, file=io.StringIO())
    to_rich(table, "The paper's claims", console)
    shown = console.export_text()
    assert max(map(len, shown.splitlines())) <= 120
    assert shown.count("holds in part") >= 3
