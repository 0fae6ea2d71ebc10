"""Verdicts follow from the rows: the paper's, and rows made to say the opposite."""

import dataclasses
import io

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from ocrkit import published
from ocrkit.errors import OcrkitError
from ocrkit.report.checks_of_size import _gated_recurrent_parameters
from ocrkit.report.claims import CLAIMS, Verdict, claims_table, verdicts
from ocrkit.report.reviewers import (
    CLEARER_COMPARISON,
    KNOWN_MODELS,
    MORE_ANALYSIS,
    answers_to_reviewers,
    existing_models,
)
from ocrkit.report.text import to_html, to_markdown, to_rich

NAMES = published.model_names()
WORDS = ("reproduced", "differs", "holds only when ", "not settled", "cannot be checked")


def judged(rows, claim):
    found = [v for v in verdicts(rows) if v.claim.startswith(claim)]
    assert len(found) == 1
    return found[0]


def rows_with(make_rows, accuracy, images=100_000):
    """Rows whose accuracy is a function of the model's name."""
    rows = make_rows()
    return rows.assign(accuracy=[accuracy(name) for name in rows["model"]], test_images=images)


def test_the_verdicts_on_the_published_rows():
    said = {v.claim: v.published_verdict for v in verdicts()}
    assert list(said.values()) == [
        "reproduced",  # 24 models
        "reproduced",  # TPS raises accuracy
        "reproduced",  # by up to 34 points
        "reproduced",  # TPS costs the same everywhere
        "reproduced",  # and that is 1.6M
        "reproduced",  # the best model
        "cannot be checked",  # 88.24 % of which test set
        "reproduced",  # better than the English best
        "holds only when transformation is TPS",  # VGG beats RCNN
        "reproduced",  # ResNet beats RCNN
        "holds only when transformation is TPS or feature is not VGG",  # BiLSTM, attention
        "reproduced",  # mean parameters
        "differs",  # Table 1 is the frontier
        "differs",  # Table 2 is the frontier
        "differs",  # RCNN is R-CNN
        "cannot be checked",  # three runs a model
    ]


def test_the_evidence_carries_the_numbers():
    said = {v.claim: v.published_evidence for v in verdicts()}
    evidence = "\n".join(said.values())
    for number in ("+11.3 to +35.0", "1.693M", "84.10 %", "2.9 %", "47.778M", "21 finished runs"):
        assert number in evidence
    assert "TPS-ResNet-BiLSTM-Attn is not on it: TPS-VGG-BiLSTM-Attn costs no more" in evidence
    assert "TPS-VGG-None-CTC is on it, but not printed" in evidence
    best = said["TPS-VGG-BiLSTM-Attn is the best of the 24."]
    assert best.endswith("Were the 2,700 sentences alone the test set: not settled.")


def test_without_rows_ours_cannot_be_checked():
    for verdict in verdicts(None):
        assert (verdict.our_verdict, verdict.our_evidence) == (
            "cannot be checked",
            "no run has results yet",
        )


def test_few_images_settle_what_is_large_and_not_what_is_small(make_rows):
    rows = make_rows()  # the paper's differences, on 1,000 images
    assert judged(rows, "TPS raises accuracy").our_verdict == "reproduced"
    best = judged(rows, "TPS-VGG-BiLSTM-Attn is the best")
    assert best.our_verdict == "not settled"
    assert "not of seeds" in best.our_evidence
    assert judged(rows, "On Korean").our_verdict == "not settled"
    many = rows.assign(test_images=1_000_000)
    assert judged(many, "TPS-VGG-BiLSTM-Attn is the best").our_verdict == "reproduced"
    assert judged(many, "On Korean").our_verdict == "reproduced"


def test_the_noise_of_seeds_unsettles_what_images_alone_would_settle(make_rows):
    rows = make_rows(seeds=(1, 2)).assign(test_images=1_000_000)
    assert judged(rows, "On Korean").our_verdict == "not settled"
    assert "noise of seeds" in judged(rows, "On Korean").our_evidence


def test_rows_that_say_the_opposite_differ(make_rows):
    rows = rows_with(make_rows, lambda n: 60.0 - 9 * ("TPS" in n) - 5 * ("BiLSTM" in n))
    for claim in ("TPS raises", "TPS's gain", "TPS-VGG-BiLSTM-Attn is the best", "BiLSTM helps"):
        assert judged(rows, claim).our_verdict == "differs", claim
    assert judged(rows, "ResNet beats RCNN").our_verdict == "not settled"


@pytest.mark.parametrize(
    ("helps", "said"),
    [
        (lambda n: "RCNN" in n, "feature is RCNN"),
        (lambda n: "RCNN" not in n, "feature is not RCNN"),
        (lambda n: "TPS" in n and "VGG" not in n, "transformation is TPS and feature is not VGG"),
        (lambda n: "TPS" in n or "VGG" in n, "transformation is TPS or feature is VGG"),
        (
            lambda n: ("TPS" in n) == ("VGG" in n),
            "the models are None-RCNN-?-Attn or None-ResNet-?-Attn or TPS-VGG-?-Attn",
        ),
    ],
)
def test_the_condition_is_found_from_the_rows(make_rows, helps, said):
    rows = rows_with(
        make_rows, lambda n: 50.0 + ("BiLSTM" in n) * (4.0 if helps(n) else -4.0) + ("TPS" in n)
    )
    verdict = judged(rows, "BiLSTM helps attention")
    assert verdict.our_verdict == f"holds only when {said}"
    assert "+4.0 points" in verdict.our_evidence
    assert "elsewhere: -4.0 points" in verdict.our_evidence


def test_a_condition_no_single_pair_can_settle_is_found_from_their_mean(make_rows):
    rows = rows_with(
        make_rows,
        lambda n: 50.0 + ("VGG" in n) * (3.0 if "TPS" in n else -3.0),
        images=2_500,
    )
    verdict = judged(rows, "VGG beats RCNN")
    assert verdict.our_verdict == "holds only when transformation is TPS"
    assert "not settled in 8" in verdict.our_evidence


def test_sizes_are_compared_only_with_models_of_the_papers_size(make_rows):
    thin = make_rows()
    assert judged(thin, "TPS costs every model").our_verdict == "reproduced"
    assert judged(thin, "TPS costs 1.6M").our_verdict == "cannot be checked"
    assert "10 % of the paper's" in judged(thin, "Mean parameters").our_evidence
    whole = thin.assign(params=thin["params"] * 10)
    assert judged(whole, "TPS costs 1.6M").our_verdict == "reproduced"
    assert judged(whole, "Mean parameters").our_verdict == "reproduced"
    odd = whole.assign(params=whole["params"] + 500_000 * (whole["model"] == NAMES[-1]))
    assert judged(odd, "TPS costs every model").our_verdict == "differs"


def test_a_frontier_as_printed_is_reproduced(make_rows):
    # Only the five printed models read at all, each dearer one better than the one before.
    printed = published.tables().query("table == 2").set_index("model")["accuracy_percent"]
    rows = rows_with(make_rows, lambda n: printed.get(n, 1.0))
    assert judged(rows, "Table 2 is the frontier").our_verdict == "reproduced"
    assert judged(rows, "Table 1 is the frontier").our_verdict == "differs"
    rows = rows.drop(columns="latency_n_ms_median")
    assert judged(rows, "Table 1 is the frontier").our_verdict == "cannot be checked"


def test_an_incomplete_grid_is_not_called_whole(make_rows):
    rows = make_rows(missing=("TPS-VGG-BiLSTM-CTC",), failed=("None-VGG-None-CTC",))
    rows = rows.assign(test_images=1_000_000)
    for claim in ("Four stages", "TPS-VGG-BiLSTM-Attn is the best", "Table 1", "Table 2"):
        assert judged(rows, claim).our_verdict == "cannot be checked", claim
    assert "10 of 12 pairs" in judged(rows, "TPS raises").our_evidence
    alone = make_rows(missing=NAMES[1:])
    assert {v.our_verdict for v in verdicts(alone)} == {"cannot be checked"}


def test_a_smoke_run_claims_nothing_of_accuracy(make_rows):
    for claim, verdict in zip(CLAIMS, verdicts(make_rows(preset="smoke")), strict=True):
        if claim.of_accuracy:
            assert verdict.our_verdict == "cannot be checked"
            assert "smoke" in verdict.our_evidence


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.sampled_from([None, 0.0, 0.1, 50.0, 99.9, 100.0]), min_size=24, max_size=24),
    st.sampled_from([1, 16, 1000]),
)
def test_any_rows_get_a_verdict_with_evidence(accuracies, images):
    rows = pd.DataFrame({"model": NAMES, "accuracy": accuracies}, dtype=object)
    rows = rows.assign(seed=1, status="ok", params=1_000, test_images=images)
    for verdict in verdicts(rows):
        assert verdict.our_verdict.startswith(WORDS)
        assert verdict.our_evidence
        assert "nan" not in verdict.our_evidence


def test_verdicts_are_frozen_and_mixed_presets_refused(make_rows):
    first = verdicts()[0]
    assert isinstance(first, Verdict)
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.claim = "another"
    with pytest.raises(OcrkitError, match="mix presets"):
        verdicts(pd.concat([make_rows(), make_rows(preset="smoke")]))


def test_the_gated_recurrent_network_has_the_golden_count(pytestconfig):
    golden = pytestconfig.rootpath / "tests" / "golden" / "parameters_24.csv"
    counts = pd.read_csv(golden, keep_default_na=False)
    row = counts[counts[list(published.STAGES)].agg("-".join, axis=1) == "None-RCNN-None-CTC"]
    assert row["parameters"].tolist() == [_gated_recurrent_parameters()]


def test_the_table_is_written_in_a_terminal_in_markdown_and_in_html(make_rows):
    table = claims_table(make_rows(), "reference")
    assert list(table) == [
        *("claim", "paper_verdict", "paper_evidence"),
        *("reference_verdict", "reference_evidence"),
    ]
    assert len(to_markdown(table).splitlines()) == len(CLAIMS) + 2
    assert to_html(table).count('<td class="prose">') == 5 * len(CLAIMS)
    console = Console(width=120, record=True, file=io.StringIO())
    to_rich(table, "The paper's claims", console)
    shown = console.export_text()
    assert max(map(len, shown.splitlines())) <= 120
    # VGG against RCNN on both sides; BiLSTM before attention on the paper's many images only.
    assert shown.count("holds only when") == 3


def test_the_reviewers_are_answered_from_the_numbers(make_rows):
    answers = dict(answers_to_reviewers(make_rows(seeds=(1, 2))))
    assert list(answers) == [MORE_ANALYSIS, CLEARER_COMPARISON]
    analysis, comparison = map("\n".join, answers.values())
    assert "The paper's 24: of the variance of the accuracies, transformation 75.1 %" in analysis
    assert "rank correlation of 1.00" in analysis
    assert "standard deviation is 1.4 points" in analysis
    assert "What cannot be answered" in analysis
    assert "the paper's best, TPS-VGG-BiLSTM-Attn, is itself an existing model, RARE" in comparison
    assert "What cannot be answered" in comparison


def test_the_answers_change_with_the_rows(make_rows):
    rows = rows_with(make_rows, lambda n: 50.0 + 20.0 * n.endswith("Attn") + 5.0 * ("RCNN" in n))
    analysis, comparison = (sentences for _, sentences in answers_to_reviewers(rows))
    ours = next(s for s in analysis if s.startswith("Our runs: of the variance"))
    assert "accuracies, prediction " in ours
    assert "TPS against no transformation +0.0" in "\n".join(analysis)
    assert any("best existing model is R2AM" in s for s in comparison)


@pytest.mark.parametrize("rows", [None, "smoke", "failed", "one"])
def test_the_answers_say_what_is_missing(make_rows, rows):
    rows = {
        None: lambda: None,
        "smoke": lambda: make_rows(preset="smoke"),
        "failed": lambda: make_rows(failed=NAMES),
        "one": lambda: make_rows(missing=NAMES[1:]),
    }[rows]()
    analysis, comparison = (sentences for _, sentences in answers_to_reviewers(rows))
    assert "Our runs: the variance cannot be split by stage" in "\n".join(analysis)
    assert any(s.startswith("Our runs: cannot be checked") for s in comparison)


def test_existing_models_are_of_the_24_with_their_places(make_rows):
    assert set(KNOWN_MODELS) <= set(NAMES)
    table = existing_models(make_rows(missing=("None-VGG-BiLSTM-CTC",)), "reference")
    assert table["paper_place"].tolist() == ["1", "3", "5", "13", "18", "19", "22"]
    crnn = table[table["known_as"].str.startswith("CRNN")].iloc[0]
    assert pd.isna(crnn["reference_accuracy_percent"])
    assert "–" in to_markdown(table)
