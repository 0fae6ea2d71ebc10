"""The paper's claims as predicates: each takes rows and returns a verdict with its numbers.

A difference counts only when its interval leaves zero out; one that does not is open, and a claim
that rests on open differences is "not settled". "Cannot be checked": rows are missing, or what it
takes was never published. Notebook 70 tells what the verdicts mean.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from ocrkit import published
from ocrkit.experiments.grid import count_parameters
from ocrkit.results import statistics, tables
from ocrkit.results.rows import Rows, by_model
from ocrkit.results.statistics import Gains, Measured, interval

# What the paper says, in points, percent and millions; it cuts decimals, it does not round.
BEST, ENGLISH_BEST = "TPS-VGG-BiLSTM-Attn", "TPS-ResNet-BiLSTM-Attn"
BEST_ACCURACY = 88.24
LARGEST_GAIN = 34
TPS_PARAMETERS = 1.6
MEAN_PARAMETERS = {"ResNet": 47.7, "VGG": 9.0, "RCNN": 5.3}
REPRODUCED, DIFFERS, NOT_SETTLED = "reproduced", "differs", "not settled"
CANNOT, IN_PART, MEAN_ONLY = "cannot be checked", "holds in part", "in the mean only"


class Finding(NamedTuple):
    """What the rows say of one claim."""

    verdict: str  # one of the six words above
    value: float = math.nan  # the number that the verdict rests on and its 95 % interval; NaN: none
    low: float = math.nan
    high: float = math.nan
    counted: int = 0  # of how many pairs or models the rows have results; 0: does not apply
    expected: int = 0
    names: str = ""  # the models or pairs that decide, or further numbers

    def evidence(self, unit: str) -> str:
        """The numbers in one line, such as "21.5 points (21.4 to 21.6); 12 of 12"."""
        decimals = 3 if unit.startswith("M") else 2
        value, low, high = (f"{round(n, decimals):g}" for n in (self.value, self.low, self.high))
        number = "" if value == "nan" else f"{value} {unit}"
        spread = "" if low == "nan" else f" ({low} to {high})"
        count = f"{self.counted} of {self.expected}" if self.expected else ""
        return "; ".join(filter(None, [number + spread, count, self.names]))


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
    side = Side(merged, statistics.measure(rows, images), is_paper=images is not None)
    smoke = rows is not None and "preset" in rows and bool((rows["preset"] == "smoke").any())
    findings = {}
    for claim in published.claims().itertuples():
        why = "no results" if merged.empty else ""
        if smoke and claim.rests_on == "accuracy":  # a few training steps: they say nothing
            why = why or "a smoke run"
        findings[claim.name] = Finding(CANNOT, names=why) if why else _JUDGES[claim.name](side)
    return findings


def claims_table(rows: Rows = None, who: str = "yours") -> pd.DataFrame:
    """Every claim, judged on the paper's 24 rows and on ours.

    rows: result rows (`runs.csv`), or None.
    who: whose rows they are, "yours" or "reference": the prefix of their columns.
    Returns columns claim, source, paper_verdict, paper_evidence, paper_verdict_sentences, then
    verdict and evidence with the prefix `who`. The paper's accuracies are taken to be of all 92,700
    test images that it describes; paper_verdict_sentences is for the 2,700 sentences alone.
    """
    table, sentences = published.claims(), _of_paper(statistics.PAPER_SENTENCES)
    names = table["name"]
    for source, found in {"paper": _of_paper(statistics.PAPER_MIX), who: judge(rows)}.items():
        table[f"{source}_verdict"] = [found[name].verdict for name in names]
        table[f"{source}_evidence"] = [found[c.name].evidence(c.unit) for c in table.itertuples()]
        if source == "paper":
            table["paper_verdict_sentences"] = [sentences[name].verdict for name in names]
    return table.drop(columns=["name", "unit", "rests_on"])


@cache  # the published rows do not change
def _of_paper(images: int) -> dict[str, Finding]:
    return judge(published.figures(), images)


def settled(low: float, high: float) -> str:
    """The verdict on a difference that should be above zero, from its interval."""
    return REPRODUCED if low > 0 else DIFFERS if high < 0 else NOT_SETTLED


def judge_gains(gains: Gains, expected: int) -> Finding:
    """The verdict on "this option is better than that": for each pair, and on average.

    Holds in part: surely better in some pairs, surely worse in others. Reproduced: surely better on
    average, better in half of the pairs or more, surely worse in none; where only the first is so,
    "in the mean only". Differs: as reproduced, with worse for better. Else not settled.
    expected: pairs that a whole grid has.
    """
    table = gains.table
    if table.empty:
        return Finding(CANNOT, expected=expected)
    better, worse = (table.index[table["state"] == state] for state in ("holds", "fails"))
    gaining, losing = (table["gain"] > 0).sum(), (table["gain"] < 0).sum()
    against = f"; surely worse: {', '.join(worse)}" if len(worse) else ""
    names = f"{gaining} of {len(table)} pairs gain, {len(better)} surely{against}"
    verdict = settled(gains.low, gains.high)
    if len(better) and len(worse):
        verdict = IN_PART
    elif verdict == REPRODUCED and (len(worse) or 2 * gaining < len(table)):
        verdict = MEAN_ONLY
    elif verdict == DIFFERS and (len(better) or 2 * losing < len(table)):
        verdict = NOT_SETTLED
    return Finding(verdict, gains.mean, gains.low, gains.high, len(table), expected, names)


def _gains(side: Side, stage: str, option: str, over: str, expected: int, **where: str) -> Finding:
    gains = statistics.stage_contrast(side.measured, stage, option, over, where)
    return judge_gains(gains, expected)


def _largest_tps_gain(side: Side) -> Finding:
    table = statistics.stage_contrast(side.measured, "transformation", "TPS", "None").table
    if table.empty:
        return Finding(CANNOT, expected=12)
    largest = table[table["gain"] == table["gain"].max()]
    gain, low, high = largest[["gain", "low", "high"]].iloc[0]
    pairs = "" if len(largest) == len(table) > 1 else ", ".join(largest.index)
    verdict = NOT_SETTLED if low < LARGEST_GAIN + 1 and high >= LARGEST_GAIN else DIFFERS
    verdict = REPRODUCED if math.floor(gain) == LARGEST_GAIN else verdict
    return Finding(verdict, gain, low, high, len(table), 12, pairs)


def _best_model(side: Side) -> Finding:
    """The value is the share of bootstrap draws in which the paper's best comes out first."""
    means, draws = side.measured.means, side.measured.draws
    if BEST not in means or len(means) < 2:
        return Finding(CANNOT, counted=len(means), expected=24)
    wins = float((draws.loc[BEST] > draws.drop(index=BEST).max()).mean())
    first = list(means.index[means == means.max()])
    verdict = DIFFERS if BEST not in first and wins <= 0.05 else NOT_SETTLED
    if first == [BEST] and wins >= 0.95:
        verdict = REPRODUCED if len(means) == len(published.model_names()) else CANNOT
    rank = int((means > means[BEST]).sum()) + 1
    best = "all tie" if len(first) == len(means) else f"best: {', '.join(first)}"
    names = f"{best}; the paper's best is number {rank}"
    return Finding(verdict, 100 * wins, counted=len(means), expected=24, names=names)


def _beats_the_english_best(side: Side) -> Finding:
    means, draws = side.measured.means, side.measured.draws
    if not {BEST, ENGLISH_BEST} <= set(means.index):
        return Finding(CANNOT)
    bounds = interval(draws.loc[BEST] - draws.loc[ENGLISH_BEST])
    return Finding(settled(*bounds), means[BEST] - means[ENGLISH_BEST], *bounds)


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


def _grid_of_24(side: Side) -> Finding:
    options = math.prod(side.merged[stage].nunique() for stage in published.STAGES)
    whole = len(side.merged) == options == 24
    missing = DIFFERS if side.is_paper else CANNOT  # runs that are missing say nothing against it
    return Finding(REPRODUCED if whole else missing, counted=len(side.merged), expected=24)


def _added_by_tps(side: Side, same: bool) -> Finding:
    """Does TPS add as many parameters to each model (`same`), or on average the printed number?"""
    sizes = side.merged.get("params_millions", pd.Series(dtype=float)).dropna()
    pairs = {name: "None" + name.removeprefix("TPS") for name in sizes.index if name[0] == "T"}
    added = np.array([sizes[a] - sizes[b] for a, b in pairs.items() if b in sizes])
    if not len(added):
        return Finding(CANNOT, expected=12)
    if same:  # the plotted counts are known to a thousandth each
        value, failed = np.ptp(added), DIFFERS
        holds = value < 0.0025
    else:
        value, failed = added.mean(), DIFFERS if _of_the_papers_size(side) else CANNOT
        holds = _cut(value) == TPS_PARAMETERS
    return Finding(REPRODUCED if holds else failed, value, counted=len(added), expected=12)


def _mean_parameters(side: Side) -> Finding:
    if side.merged.get("params_millions", pd.Series(math.nan)).isna().any():
        return Finding(CANNOT, expected=24)
    means = side.merged.groupby("feature")["params_millions"].mean()
    names = ", ".join(f"{name} {means[name]:.3f} M" for name in MEAN_PARAMETERS if name in means)
    same = all(_cut(means.get(name, 0)) == printed for name, printed in MEAN_PARAMETERS.items())
    verdict = REPRODUCED if same else DIFFERS
    if len(side.merged) < 24 or not _of_the_papers_size(side):
        verdict = CANNOT
    return Finding(verdict, counted=len(side.merged), expected=24, names=names)


def _rcnn_is_region_proposal(side: Side) -> Finding:
    """The paper explains RCNN as region proposals; the plotted size is that of GRCNN."""
    if not side.is_paper:
        return Finding(CANNOT)
    plotted = side.merged.loc["None-RCNN-None-CTC", "params_millions"]
    built = sum(count_parameters("None-RCNN-None-CTC", 973).values()) / 1e6
    same = abs(plotted - built) <= 0.006
    return Finding(DIFFERS if same else NOT_SETTLED, plotted, names=f"GRCNN has {built:.3f} M")


def _of_the_papers_size(side: Side) -> bool:
    paper = published.figures().set_index("model")["params_millions"]
    return bool(((side.merged["params_millions"] - paper).dropna().abs() < 0.01).all())


def _cut(value: float) -> float:
    """One decimal, the others dropped."""
    return math.floor(value * 10 + 1e-9) / 10


_JUDGES: dict[str, Callable[[Side], Finding]] = {
    "grid": _grid_of_24,
    "tps": partial(_gains, stage="transformation", option="TPS", over="None", expected=12),
    "largest_gain": _largest_tps_gain,
    "tps_same": partial(_added_by_tps, same=True),
    "tps_size": partial(_added_by_tps, same=False),
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
