"""The paper's claims as predicates: each takes rows and returns a verdict with its numbers."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd

from ocrkit import published
from ocrkit.experiments.grid import count_parameters
from ocrkit.results import tables
from ocrkit.results.rows import Rows, by_model
from ocrkit.results.statistics import (
    PAPER_MIX,
    PAPER_SENTENCES,
    Measured,
    interval,
    measure,
    stage_contrast,
)
from ocrkit.results.verdicts import (
    CANNOT,
    DIFFERS,
    NOT_SETTLED,
    REPRODUCED,
    Finding,
    judge_gains,
    settled,
)

# What the paper says, in points, percent and millions; it cuts decimals, it does not round.
BEST, ENGLISH_BEST = "TPS-VGG-BiLSTM-Attn", "TPS-ResNet-BiLSTM-Attn"
BEST_ACCURACY = 88.24
LARGEST_GAIN = 34
TPS_PARAMETERS = 1.6
MEAN_PARAMETERS = {"ResNet": 47.7, "VGG": 9.0, "RCNN": 5.3}


@dataclass(frozen=True)
class Side:
    """One side of the comparison: the paper's rows or ours."""

    merged: pd.DataFrame  # `rows.by_model` of the models that have an accuracy, indexed by model
    measured: Measured  # their accuracies with bootstrap draws
    is_paper: bool  # whether the rows are the published ones


def judge(rows: Rows, images: int | None = None) -> dict[str, Finding]:
    """Every claim of `published.claims`, judged on these rows.

    rows: result rows (`runs.csv`), one or more seeds, or `published.figures()`, or None.
    images: test images behind each accuracy of the published rows; marks rows as the paper's.
    Raises OcrkitError: rows that mix presets or name an unknown model.
    """
    merged = by_model(rows).dropna(subset="accuracy_percent").set_index("model")
    side = Side(merged, measure(rows, images), is_paper=images is not None)
    smoke = rows is not None and "preset" in rows and bool((rows["preset"] == "smoke").any())
    findings = {}
    for claim in published.claims().itertuples():
        if merged.empty:
            findings[claim.name] = Finding(CANNOT, names="no results")
        elif smoke and claim.rests_on == "accuracy":
            # A few training steps: its accuracies say nothing.
            findings[claim.name] = Finding(CANNOT, names="a smoke run")
        else:
            findings[claim.name] = _JUDGES[claim.name](side)
    return findings


def claims_table(rows: Rows = None, who: str = "yours") -> pd.DataFrame:
    """Every claim, judged on the paper's 24 rows and on ours.

    rows: result rows (`runs.csv`), or None.
    who: whose rows they are, "yours" or "reference": the prefix of their columns.
    Returns columns claim, source, paper_verdict, paper_evidence, paper_verdict_sentences, then
    verdict and evidence with the prefix `who`. The paper's accuracies are taken to come from all
    92,700 test images that it describes, the kindest reading; paper_verdict_sentences is the
    verdict were they of the 2,700 sentences alone.
    """
    (mix, sentences), ours = _of_paper(), judge(rows)
    table = published.claims()
    names, units = table["name"], table["unit"]
    sides = {"paper": mix, who: ours}
    for source, found in sides.items():
        table[f"{source}_verdict"] = [found[name].verdict for name in names]
        table[f"{source}_evidence"] = [
            found[name].evidence(unit) for name, unit in zip(names, units, strict=True)
        ]
        if source == "paper":
            table["paper_verdict_sentences"] = [sentences[name].verdict for name in names]
    return table.drop(columns=["name", "unit", "rests_on"])


@cache  # the published rows do not change
def _of_paper() -> tuple[dict[str, Finding], ...]:
    return tuple(judge(published.figures(), images) for images in (PAPER_MIX, PAPER_SENTENCES))


def _gains(side: Side, stage: str, option: str, over: str, expected: int, **where: str) -> Finding:
    return judge_gains(stage_contrast(side.measured, stage, option, over, where), expected)


def _largest_tps_gain(side: Side) -> Finding:
    table = stage_contrast(side.measured, "transformation", "TPS", "None").table
    if table.empty:
        return Finding(CANNOT, expected=12)
    largest = table[table["gain"] == table["gain"].max()]
    gain, low, high = largest[["gain", "low", "high"]].iloc[0]
    pairs = "" if len(largest) == len(table) > 1 else ", ".join(largest.index)
    reached = low < LARGEST_GAIN + 1 and high >= LARGEST_GAIN
    verdict = (
        REPRODUCED if math.floor(gain) == LARGEST_GAIN else NOT_SETTLED if reached else DIFFERS
    )
    return Finding(verdict, gain, low, high, len(table), 12, pairs)


def _best_model(side: Side) -> Finding:
    """The value is the share of bootstrap draws in which the paper's best comes out first."""
    means, draws = side.measured.means, side.measured.draws
    if BEST not in means or len(means) < 2:
        return Finding(CANNOT, counted=len(means), expected=24)
    wins = float((draws.loc[BEST] > draws.drop(index=BEST).max()).mean())
    first = list(means.index[means == means.max()])
    if first == [BEST] and wins >= 0.95:
        verdict = REPRODUCED if len(means) == len(published.model_names()) else CANNOT
    else:
        verdict = DIFFERS if BEST not in first and wins <= 0.05 else NOT_SETTLED
    rank = int((means > means[BEST]).sum()) + 1
    best = "all tie" if len(first) == len(means) else f"best: {', '.join(first)}"
    names = f"{best}; the paper's best is number {rank}"
    return Finding(verdict, 100 * wins, counted=len(means), expected=24, names=names)


def _beats_the_english_best(side: Side) -> Finding:
    means, draws = side.measured.means, side.measured.draws
    if not {BEST, ENGLISH_BEST} <= set(means.index):
        return Finding(CANNOT)
    low, high = interval(draws.loc[BEST] - draws.loc[ENGLISH_BEST])
    return Finding(settled(low, high), means[BEST] - means[ENGLISH_BEST], low, high)


def _reads_88_percent(side: Side) -> Finding:
    """Nobody can check it: which test set it belongs to is not said, and none is public."""
    if BEST not in side.measured.means:
        return Finding(CANNOT)
    value, bounds = side.measured.means[BEST], interval(side.measured.draws.loc[BEST])
    same = not side.is_paper or abs(value - BEST_ACCURACY) < 0.05
    return Finding(CANNOT if same else DIFFERS, value, *bounds)


def _three_runs_a_model(side: Side) -> Finding:
    """Models of which the final experiment's logs show three finished runs; ours cannot tell."""
    logs = published.training_curves().query("experiment == 'exp2'")
    last = logs.groupby(["model", "seed"])["iteration"].max()
    runs = (last >= 300_000).groupby("model").sum() if side.is_paper else side.measured.seeds
    whole = side.is_paper and int((runs >= 3).sum()) == 24
    return Finding(REPRODUCED if whole else CANNOT, counted=int((runs >= 3).sum()), expected=24)


def _frontier(side: Side, cost: str, table: int) -> Finding:
    column, printed = tables.COSTS[cost], published.tables().query(f"table == {table}")["model"]
    known = side.merged.reindex(columns=["accuracy_percent", column]).dropna()
    if len(known) < len(published.model_names()):
        return Finding(CANNOT, counted=len(known), expected=24)
    true = set(tables.frontier(known, column).index)
    off, extra = sorted(set(printed) - true), sorted(true - set(printed))
    names = [f"not on it: {', '.join(off)}"] * bool(off)
    names += [f"on it, not printed: {', '.join(extra)}"] * bool(extra)
    if side.is_paper:  # a table of plotted points is right or wrong by the plot, without noise
        verdict = DIFFERS if names else REPRODUCED
    else:
        same = _frontier_share(known[column], side.measured.draws.loc[known.index], printed)
        verdict = REPRODUCED if same >= 0.95 else DIFFERS if same <= 0.05 else NOT_SETTLED
        if (verdict == DIFFERS) != bool(names):
            verdict = NOT_SETTLED
    on = len(set(printed) & true)
    return Finding(verdict, on, counted=len(known), expected=24, names="; ".join(names))


def _frontier_share(cost: pd.Series, draws: pd.DataFrame, printed: pd.Series) -> float:
    """The share of draws in which the frontier is the printed models and no other."""
    costs, drawn = cost.to_numpy(), draws.to_numpy()
    on = np.empty(drawn.shape, dtype=bool)
    for i in range(len(costs)):
        cheap, better = (costs <= costs[i])[:, None], drawn >= drawn[i]
        strictly = (costs < costs[i])[:, None] | (drawn > drawn[i])
        on[i] = ~(cheap & better & strictly).any(axis=0)
    return float((on == cost.index.isin(printed)[:, None]).all(axis=0).mean())


# Counts and sizes: these have no noise


def _grid_of_24(side: Side) -> Finding:
    options = math.prod(side.merged[stage].nunique() for stage in published.STAGES)
    whole = len(side.merged) == options == 24
    missing = DIFFERS if side.is_paper else CANNOT  # runs that are missing say nothing against it
    return Finding(REPRODUCED if whole else missing, counted=len(side.merged), expected=24)


def _tps_costs_the_same(side: Side) -> Finding:
    added = _added_by_tps(side)
    if added.empty:
        return Finding(CANNOT, expected=12)
    spread = added.max() - added.min()
    same = spread < 0.0025  # the plotted counts are known to a thousandth each
    return Finding(REPRODUCED if same else DIFFERS, spread, counted=len(added), expected=12)


def _tps_costs_1_6_million(side: Side) -> Finding:
    added = _added_by_tps(side)
    if added.empty:
        return Finding(CANNOT, expected=12)
    verdict = REPRODUCED if _cut(added.mean()) == TPS_PARAMETERS else DIFFERS
    verdict = CANNOT if verdict == DIFFERS and not _of_the_papers_size(side) else verdict
    return Finding(verdict, added.mean(), counted=len(added), expected=12)


def _mean_parameters(side: Side) -> Finding:
    if side.merged.get("params_millions", pd.Series(math.nan)).isna().any():
        return Finding(CANNOT, expected=24)
    means = side.merged.groupby("feature")["params_millions"].mean()
    names = ", ".join(f"{name} {means[name]:.3f} M" for name in MEAN_PARAMETERS if name in means)
    same = all(_cut(means.get(name, 0)) == printed for name, printed in MEAN_PARAMETERS.items())
    fair = len(side.merged) == 24 and _of_the_papers_size(side)
    verdict = CANNOT if not fair else REPRODUCED if same else DIFFERS
    return Finding(verdict, counted=len(side.merged), expected=24, names=names)


def _rcnn_is_region_proposal(side: Side) -> Finding:
    """The paper explains RCNN as region proposals; the plotted size is that of GRCNN."""
    if not side.is_paper:
        return Finding(CANNOT)
    plotted = side.merged.loc["None-RCNN-None-CTC", "params_millions"]
    built = sum(count_parameters("None-RCNN-None-CTC", 973).values()) / 1e6
    same = abs(plotted - built) <= 0.006
    return Finding(DIFFERS if same else NOT_SETTLED, plotted, names=f"GRCNN has {built:.3f} M")


def _added_by_tps(side: Side) -> pd.Series:
    """Millions of parameters that TPS adds, for each pair of models that have a count."""
    sizes = side.merged.get("params_millions", pd.Series(dtype=float)).dropna()
    pairs = {name: "None" + name.removeprefix("TPS") for name in sizes.index if name[0] == "T"}
    added = {a: sizes[a] - sizes[b] for a, b in pairs.items() if b in sizes}
    return pd.Series(added, dtype=float)


def _of_the_papers_size(side: Side) -> bool:
    paper = published.figures().set_index("model")["params_millions"]
    sizes = side.merged["params_millions"].dropna()
    return bool(((sizes - paper[sizes.index]).abs() < 0.01).all())


def _cut(value: float) -> float:
    """One decimal, the others dropped."""
    return math.floor(value * 10 + 1e-9) / 10


_JUDGES: dict[str, Callable[[Side], Finding]] = {
    "grid": _grid_of_24,
    "tps": partial(_gains, stage="transformation", option="TPS", over="None", expected=12),
    "largest_gain": _largest_tps_gain,
    "tps_same": _tps_costs_the_same,
    "tps_size": _tps_costs_1_6_million,
    "best": _best_model,
    "best_accuracy": _reads_88_percent,
    "english_best": _beats_the_english_best,
    "vgg": partial(_gains, stage="feature", option="VGG", over="RCNN", expected=8),
    "resnet": partial(_gains, stage="feature", option="ResNet", over="RCNN", expected=8),
    "bilstm": partial(
        _gains, stage="sequence", option="BiLSTM", over="None", expected=6, prediction="Attn"
    ),
    "mean_sizes": _mean_parameters,
    "frontier_time": partial(_frontier, cost="time", table=1),
    "frontier_parameters": partial(_frontier, cost="parameters", table=2),
    "rcnn": _rcnn_is_region_proposal,
    "three_runs": _three_runs_a_model,
}
