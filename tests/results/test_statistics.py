"""Spread, bootstrap, gains, rank correlation and analysis of variance, against slow versions."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrkit import published
from ocrkit.errors import OcrkitError
from ocrkit.results.statistics import (
    PAPER_MIX,
    REST,
    interval,
    intervals,
    measure,
    rank_correlation,
    stage_contrast,
    stage_gains,
    variance_shares,
)

NAMES = published.model_names()


def paper_with(accuracies):
    """The published rows with other accuracies, in the grid's order."""
    return pd.DataFrame({"model": NAMES, "accuracy_percent": list(accuracies)})


def test_one_seed_varies_as_a_binomial_count_does(make_rows):
    measured = measure(make_rows(), draws=20_000)
    for name in NAMES[:3]:
        p = measured.means[name] / 100
        expected = 100 * math.sqrt(p * (1 - p) / 1000)
        assert measured.draws.loc[name].std() == pytest.approx(expected, rel=0.03)
        assert measured.draws.loc[name].mean() == pytest.approx(100 * p, abs=0.05)
    assert measured.spread.isna().all()


def test_several_seeds_add_the_variance_of_their_mean(make_rows):
    rows = make_rows(seeds=(1, 2, 3))  # two points apart: the standard deviation is 2
    measured = measure(rows, draws=20_000)
    p = measured.means[NAMES[0]] / 100
    expected = math.sqrt(2.0**2 / 3 + 100**2 * p * (1 - p) / 1000)
    assert measured.draws.loc[NAMES[0]].std() == pytest.approx(expected, rel=0.03)
    assert measured.spread[NAMES[0]] == pytest.approx(2.0)
    assert measured.images == 1000


def test_a_model_with_one_seed_borrows_the_spread_of_the_others(make_rows):
    alone = make_rows()
    mixed = pd.concat([alone.head(1), make_rows(seeds=(1, 2, 3)).iloc[3:]])
    name = alone["model"].iloc[0]
    narrow, wide = (measure(rows).draws.loc[name].std() for rows in (alone, mixed))
    assert wide == pytest.approx(math.hypot(narrow, 2.0), rel=0.1)
    assert measure(mixed).seeds[name] == 1


def test_a_models_draws_do_not_depend_on_which_others_have_results(make_rows):
    whole, part = make_rows(), make_rows(missing=NAMES[:5], failed=NAMES[5:9])
    measured = measure(part)
    assert list(measured.means.index) == list(NAMES[9:])
    pd.testing.assert_frame_equal(measure(whole).draws.loc[NAMES[9] :], measured.draws)


def test_published_rows_vary_only_by_the_images_they_are_given():
    assert measure(published.figures()).draws.nunique(axis=1).max() == 1
    spread = measure(published.figures(), PAPER_MIX).draws.std(axis=1)
    assert 0.09 < spread.min() < spread.max() < 0.18


def test_nothing_measured_gives_empty_results(make_rows):
    for rows in (None, make_rows(failed=NAMES)):
        measured = measure(rows)
        assert measured.means.empty
        assert measured.draws.empty
        assert intervals(rows).empty
        assert stage_contrast(measured, "feature", "VGG", "RCNN").table.empty
        assert rank_correlation(rows)[3] == 0


def test_interval_is_the_percentile_interval():
    assert interval(np.arange(201)) == pytest.approx((5.0, 195.0))
    assert all(map(math.isnan, interval([])))


def test_intervals_hold_the_mean_and_the_spread(make_rows):
    table = intervals(make_rows(seeds=(1, 2)))
    assert len(table) == 24
    assert table["accuracy_percent"].is_monotonic_decreasing
    assert (table["low_95"] < table["accuracy_percent"]).all()
    assert (table["accuracy_percent"] < table["high_95"]).all()
    assert table["sd_over_seeds"].tolist() == pytest.approx([math.sqrt(2)] * 24)
    assert intervals(make_rows())["sd_over_seeds"].isna().all()


def test_tps_gains_of_the_paper_run_from_11_to_35_points():
    gains = stage_gains(published.figures(), "transformation", "TPS", "None")
    assert len(gains) == 12
    assert gains.min() == pytest.approx(11.27, abs=0.05)
    assert gains.max() == pytest.approx(34.99, abs=0.05)
    assert gains.idxmax() == "VGG-BiLSTM-Attn"


def test_stage_gains_pair_models_that_differ_in_one_stage_alone(make_rows):
    gains = stage_gains(published.figures(), "sequence", "BiLSTM", "None")
    scores = published.figures().set_index("model")["accuracy_percent"]
    assert len(gains) == 12
    expected = scores["None-VGG-BiLSTM-Attn"] - scores["None-VGG-None-Attn"]
    assert gains["None-VGG-Attn"] == expected < 0
    assert (gains < 0).sum() == 3
    assert stage_gains(None, "feature", "VGG", "RCNN").empty
    half = stage_gains(make_rows(missing=(NAMES[-1],)), "transformation", "TPS", "None")
    assert len(half) == 11
    assert NAMES[-1].removeprefix("TPS-") not in half


@pytest.mark.parametrize(
    ("stage", "option", "over"),
    [("sequence", "BiLSTM", "None"), ("feature", "VGG", "RCNN"), ("transformation", "TPS", "None")],
)
def test_gains_are_those_of_the_plain_differences(make_rows, stage, option, over):
    rows = make_rows(missing=NAMES[:1])
    gains = stage_contrast(measure(rows), stage, option, over)
    slow = stage_gains(rows, stage, option, over)
    assert sorted(gains.table["gain"]) == pytest.approx(sorted(slow))
    assert gains.mean == pytest.approx(slow.mean())
    assert gains.low < gains.mean < gains.high
    # A pair's interval is wider than the mean's: fewer images, and several pairs at once.
    assert (gains.table["high"] - gains.table["low"]).min() > gains.high - gains.low


def test_gains_can_be_kept_to_one_option_of_another_stage():
    measured = measure(published.figures(), PAPER_MIX)
    gains = stage_contrast(measured, "sequence", "BiLSTM", "None", {"prediction": "Attn"})
    states = gains.table["state"]
    assert len(states) == 6
    assert states.index[states == "fails"].tolist() == ["None-VGG-?-Attn"]
    assert (states == "holds").sum() == 5
    with pytest.raises(OcrkitError, match="'head'"):
        stage_contrast(measured, "head", "Attn", "CTC")


def test_rank_correlation_of_the_same_the_reverse_and_too_few(make_rows):
    assert rank_correlation(make_rows()) == pytest.approx((1, 1, 1, 24))
    upside_down = make_rows()
    upside_down["accuracy"] = 100 - upside_down["accuracy"]
    assert rank_correlation(upside_down) == pytest.approx((-1, -1, -1, 24))
    rho, low, high, shared = rank_correlation(make_rows(missing=NAMES[2:]))
    assert (math.isnan(rho), math.isnan(low), math.isnan(high), shared) == (True, True, True, 2)
    assert math.isnan(rank_correlation(paper_with([50.0] * 24))[0])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 10), min_size=24, max_size=24))
def test_rank_correlation_is_spearmans_with_ties(accuracies):
    rows = paper_with(map(float, accuracies))
    rho, low, high, shared = rank_correlation(rows)
    paper = published.figures().set_index("model")["accuracy_percent"]
    expected = paper.rank().corr(rows.set_index("model")["accuracy_percent"].rank())
    assert rho == pytest.approx(expected, nan_ok=True)
    assert shared == 24
    if rho == rho:
        assert -1 <= low <= high <= 1
        assert low <= rho + 0.2
        assert rho - 0.2 <= high


def projected_shares(values):
    """The same analysis by least squares: what each term adds to the fit of those before it."""
    levels = [[name.split("-")[i] for name in NAMES] for i in range(4)]
    centred = np.asarray(values) - np.mean(values)
    design, fitted, shares = np.ones((24, 1)), 0.0, {}
    for size in (1, 2):
        for axes in itertools.combinations(range(4), size):
            cells = list(zip(*(levels[a] for a in axes), strict=True))
            columns = [[cell == kind for cell in cells] for kind in sorted(set(cells))]
            design = np.column_stack([design, np.array(columns, dtype=float).T])
            now = design @ np.linalg.lstsq(design, centred, rcond=None)[0]
            explained = float((now**2).sum())
            shares[" x ".join(published.STAGES[a] for a in axes)] = explained - fitted
            fitted = explained
    total = float((centred**2).sum())
    return {term: 100 * part / total for term, part in (shares | {REST: total - fitted}).items()}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=24, max_size=24).filter(lambda x: len(set(x)) > 1))
def test_shares_are_those_of_least_squares(tenths):
    accuracies = [value / 10 for value in tenths]
    table = variance_shares(measure(paper_with(accuracies), draws=2))
    expected = projected_shares(accuracies)
    assert table["term"].tolist() == list(expected)
    assert table["share_percent"].tolist() == pytest.approx(list(expected.values()), abs=1e-6)
    assert table["share_percent"].sum() == pytest.approx(100)
    assert table["degrees"].sum() == 23


def test_what_adds_up_has_no_interaction_and_what_does_not_has():
    added = [10.0 * ("TPS" in n) + 5.0 * ("VGG" in n) + 40 for n in NAMES]
    table = variance_shares(measure(paper_with(added))).set_index("term")["share_percent"]
    assert table["transformation"] + table["feature"] == pytest.approx(100)
    together = [40.0 + 10 * (("TPS" in n) == n.endswith("CTC")) for n in NAMES]
    table = variance_shares(measure(paper_with(together))).set_index("term")["share_percent"]
    assert table["transformation x prediction"] == pytest.approx(100)


def test_the_papers_variance_is_mostly_tps():
    table = variance_shares(measure(published.figures(), PAPER_MIX)).set_index("term")
    assert table["share_percent"].idxmax() == "transformation"
    assert table.loc["transformation", "share_percent"] == pytest.approx(75.1, abs=0.1)
    assert (table["low_95"] <= table["share_percent"]).all()
    assert (table["share_percent"] <= table["high_95"]).all()


def test_noise_alone_explains_what_noise_is_said_to_explain(make_rows):
    # All 24 models read equally well: what differs are 400 images drawn by chance.
    rng = np.random.default_rng(0)
    rows = make_rows().assign(test_images=400, accuracy=rng.binomial(400, 0.5, 24) / 4)
    table = variance_shares(measure(rows))
    assert table["noise_percent"].sum() == pytest.approx(100, rel=0.6)
    assert (table["low_95"] < table["noise_percent"]).sum() >= 9


def test_shares_need_all_24_and_a_difference(make_rows):
    assert variance_shares(measure(make_rows(missing=NAMES[:1]))).empty
    assert variance_shares(measure(paper_with([50.0] * 24))).empty
    assert variance_shares(measure(None)).empty
