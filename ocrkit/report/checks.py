"""The claims on accuracy: one function a claim, from one side's rows to a judgement.

Each takes a `judging.Side` (the paper's rows or ours) and returns a `judging.Judgement`. What the
paper says is written here as a number; what the verdict is, the rows decide.
"""

from functools import cache

import numpy as np
import pandas as pd

from ocrkit import published
from ocrkit.report import tables
from ocrkit.report.judging import (
    CANNOT,
    DIFFERS,
    NOT_SETTLED,
    REPRODUCED,
    Judgement,
    Side,
    judge_gains,
)
from ocrkit.report.statistics import PAPER_MIX, PAPER_SENTENCES, interval, stage_contrast

BEST, ENGLISH_BEST = "TPS-VGG-BiLSTM-Attn", "TPS-ResNet-BiLSTM-Attn"
BEST_ACCURACY = 88.24
LARGEST_GAIN = 34  # points, decimals cut, as the paper cuts them


def tps_raises_accuracy(side: Side) -> Judgement:
    """TPS against none, 12 pairs."""
    return judge_gains(stage_contrast(side.measured, "transformation", "TPS", "None"), 12)


def by_up_to_34_points(side: Side) -> Judgement:
    """The largest of TPS's gains."""
    table = stage_contrast(side.measured, "transformation", "TPS", "None").table
    if table.empty:
        return Judgement(CANNOT, "no pair of models with and without TPS has results")
    pair = table["gain"].idxmax()
    gain, low, high = table.loc[pair, ["gain", "low", "high"]]
    by_feature = table["gain"].groupby([name.split("-")[1] for name in table.index]).mean()
    features = ", ".join(f"{name} {mean:+.1f}" for name, mean in by_feature.items())
    told = (
        f"the largest gain is {gain:+.2f} points ({low:.1f} to {high:.1f}), {pair}; mean gain by"
        f" extractor: {features}; {len(table)} of 12 pairs measured."
    )
    if LARGEST_GAIN <= gain < LARGEST_GAIN + 1:
        return Judgement(REPRODUCED, told)
    reached = low < LARGEST_GAIN + 1 and high >= LARGEST_GAIN
    return Judgement(NOT_SETTLED if reached else DIFFERS, told)


def best_model(side: Side) -> Judgement:
    """Which model is the most accurate, and in how many draws."""
    means, draws = side.measured.means, side.measured.draws
    if BEST not in means:
        return Judgement(CANNOT, f"{BEST} has no result")
    order = means.sort_values(ascending=False)
    if len(order) < 2:
        return Judgement(CANNOT, "no other model has a result")
    first, second = order.index[:2]
    wins = float((draws.loc[BEST] > draws.drop(index=BEST).max()).mean())
    places = int((means > means[BEST]).sum()) + 1
    told = (
        f"the most accurate is {first} with {means[first]:.2f} %, then {second} with"
        f" {means[second]:.2f} %; {BEST} is number {places} of {len(order)} and comes out first in"
        f" {100 * wins:.0f} % of the bootstrap draws."
    )
    if places == 1 and wins >= 0.95:
        if len(order) < len(published.model_names()):
            return Judgement(CANNOT, f"{told} The other models have no result.")
        return Judgement(REPRODUCED, told)
    return Judgement(DIFFERS if places > 1 and wins <= 0.05 else NOT_SETTLED, told)


def beats_the_english_best(side: Side) -> Judgement:
    """The paper's best against the best of the English study, on Korean."""
    means, draws = side.measured.means, side.measured.draws
    absent = [name for name in (BEST, ENGLISH_BEST) if name not in means]
    if absent:
        return Judgement(CANNOT, f"{' and '.join(absent)}: no result")
    gain = means[BEST] - means[ENGLISH_BEST]
    low, high = interval(draws.loc[BEST] - draws.loc[ENGLISH_BEST])
    told = (
        f"{BEST} {means[BEST]:.2f} %, {ENGLISH_BEST} {means[ENGLISH_BEST]:.2f} %: {gain:+.2f}"
        f" points ({low:+.1f} to {high:+.1f})."
    )
    return Judgement(REPRODUCED if low > 0 else DIFFERS if high < 0 else NOT_SETTLED, told)


def reads_88_percent(side: Side) -> Judgement:
    """The paper's best accuracy: the number can be found again, its test set cannot."""
    if BEST not in side.measured.means:
        return Judgement(CANNOT, f"{BEST} has no result")
    value = side.measured.means[BEST]
    low, high = interval(side.measured.draws.loc[BEST])
    if not side.is_paper:
        told = f"ours reads {value:.2f} % ({low:.1f} to {high:.1f}) of our own sentences"
        return Judgement(CANNOT, f"{told}: the paper's test set was never published.")
    printed = published.tables().set_index("model").loc[BEST, "accuracy_percent"]
    share = 100 * PAPER_SENTENCES / PAPER_MIX
    told = (
        f"printed as {printed.max():.2f} % and plotted at {value:.2f} %, but on which test set is"
        f" not said: of the images described, {share:.1f} % are sentences, the others single words"
        " and characters; the one log of the final experiment peaks at"
        f" {_public_logs()[0]:.2f} % on validation."
    )
    return Judgement(CANNOT if abs(value - BEST_ACCURACY) < 0.05 else DIFFERS, told)


def vgg_beats_rcnn(side: Side) -> Judgement:
    """VGG against RCNN, 8 pairs."""
    return judge_gains(stage_contrast(side.measured, "feature", "VGG", "RCNN"), 8)


def resnet_beats_rcnn(side: Side) -> Judgement:
    """ResNet against RCNN, 8 pairs."""
    return judge_gains(stage_contrast(side.measured, "feature", "ResNet", "RCNN"), 8)


def bilstm_helps_attention(side: Side) -> Judgement:
    """BiLSTM against none before attention, 6 pairs; beside it, before CTC."""
    attention, ctc = (
        stage_contrast(side.measured, "sequence", "BiLSTM", "None", {"prediction": head})
        for head in ("Attn", "CTC")
    )
    verdict, told = judge_gains(attention, 6)
    if len(ctc.table):
        told += f" With CTC the mean gain is {ctc.mean:+.1f} ({ctc.low:+.1f} to {ctc.high:+.1f})."
    return Judgement(verdict, told)


def table1_is_the_frontier(side: Side) -> Judgement:
    """Table 1's models against the true frontier of accuracy and time."""
    return _frontier("time", side)


def table2_is_the_frontier(side: Side) -> Judgement:
    """Table 2's models against the true frontier of accuracy and parameters."""
    return _frontier("parameters", side)


def three_runs_a_model(side: Side) -> Judgement:
    """How many finished runs a model the logs, or our rows, show."""
    if not side.is_paper:
        seeds = side.measured.seeds
        count = f"{seeds.min()}" if seeds.nunique() == 1 else f"{seeds.min()} to {seeds.max()}"
        return Judgement(CANNOT, f"it tells of the paper's own runs (ours: {count} a model).")
    _, first, final = _public_logs()
    told = (
        f"of the final experiment {len(final)} model's log is public; of the first, {first.sum()}"
        f" finished runs, and {(first >= 3).sum()} of 24 models with three. No spread over runs is"
        " given."
    )
    return Judgement(REPRODUCED if (final.reindex(side.merged.index) >= 3).all() else CANNOT, told)


def _frontier(cost: str, side: Side) -> Judgement:
    column = tables.cost_column(cost)
    printed = published.tables()
    printed = printed[printed["table"] == (1 if cost == "time" else 2)]["model"].tolist()
    if column not in side.merged or side.merged[column].isna().all():
        return Judgement(CANNOT, f"the rows carry no {cost}")
    known = side.merged.dropna(subset=column)
    whole = len(known) == len(published.model_names())
    true = tables.frontier(known, column).index.tolist()
    off = [name for name in printed if name in known.index and name not in true]
    rivals = [_better_and_cheaper(known, column, name) for name in off]
    apart = [
        f"{name} is not on it: {rival} costs no more and reads better"
        for name, rival in zip(off, rivals, strict=True)
    ]
    apart += [f"{name} is on it, but not printed" for name in true if name not in printed]
    told = (
        f"the true frontier has {len(true)} models; of the {len(printed)} printed,"
        f" {len(set(printed) & set(true))} are on it"
    )
    told += f" ({'; '.join(apart)})" if apart else ""
    if side.is_paper:  # a table of plotted points is right or wrong by the plot, without noise
        return Judgement(DIFFERS if apart else REPRODUCED, f"{told}.")
    same = _frontier_draws(known[column], side.measured.draws.loc[known.index], printed)
    told += f"; in {100 * same:.0f} % of the bootstrap draws they are the frontier exactly."
    if not whole:
        return Judgement(CANNOT, f"only {len(known)} of 24 models can be compared: {told}")
    if not apart and same >= 0.95:
        return Judgement(REPRODUCED, told)
    return Judgement(DIFFERS if apart and same <= 0.05 else NOT_SETTLED, told)


def _better_and_cheaper(known: pd.DataFrame, cost: str, name: str) -> str:
    """The most accurate model that keeps `name` off the frontier."""
    cheap = known[cost] <= known.loc[name, cost]
    good = known["accuracy_percent"] >= known.loc[name, "accuracy_percent"]
    return known.loc[cheap & good & (known.index != name), "accuracy_percent"].idxmax()


def _frontier_draws(cost: pd.Series, draws: pd.DataFrame, printed: list[str]) -> float:
    """The share of draws in which the frontier is the printed models and no other."""
    costs, drawn = cost.to_numpy(), draws.to_numpy()
    on = np.empty(drawn.shape, dtype=bool)
    for i in range(len(costs)):
        cheap, better = (costs <= costs[i])[:, None], drawn >= drawn[i]
        strictly = (costs < costs[i])[:, None] | (drawn > drawn[i])
        on[i] = ~(cheap & better & strictly).any(axis=0)
    wanted = np.isin(cost.index, printed)[:, None]
    return float((on == wanted).all(axis=0).mean()) if set(printed) <= set(cost.index) else 0.0


@cache
def _public_logs() -> tuple[float, pd.Series, pd.Series]:
    """The final experiment's best validation accuracy; finished seeds a model, first and final."""
    logs = published.training_curves()
    peak = logs.loc[logs["experiment"] == "exp2", "valid_accuracy_percent"].max()
    last = logs.groupby(["experiment", "model", "seed"])["iteration"].max()
    finished = (last >= 300_000).groupby(["experiment", "model"]).sum()
    return float(peak), finished["exp1"], finished["exp2"]
