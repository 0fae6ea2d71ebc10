"""The claims on the grid and on sizes: one function a claim, from one side's rows to a judgement.

These rest on counts, not on accuracies: they have no noise.
"""

import math

import pandas as pd

from ocrkit import published
from ocrkit.report.judging import CANNOT, DIFFERS, NOT_SETTLED, REPRODUCED, Judgement, Side

TPS_PARAMETERS = 1.6  # millions, decimals cut, as the paper cuts them
MEAN_PARAMETERS = {"ResNet": 47.7, "VGG": 9.0, "RCNN": 5.3}  # millions, cut
_SAME_SIZE = 0.01  # millions: closer than this, two models are built alike
_COUNT_PRECISION = 0.0025  # millions: the plotted counts are known to a thousandth each


def grid_of_24(side: Side) -> Judgement:
    """2 x 3 x 2 x 2 options make 24 models."""
    counts = [side.merged[stage].nunique() for stage in published.STAGES]
    product = f"{' x '.join(map(str, counts))} = {math.prod(counts)}"
    found = f"{len(side.merged)} different models with results, {product} by their options."
    if side.is_paper:
        found += f" (The author's blog writes 2x3x3x2, which would be {2 * 3 * 3 * 2}: a slip.)"
    if len(side.merged) == math.prod(counts) == 24:
        return Judgement(REPRODUCED, found)
    # Runs that are missing say nothing against the count.
    return Judgement(DIFFERS if side.is_paper else CANNOT, found)


def tps_costs_the_same(side: Side) -> Judgement:
    """Whether TPS adds as many parameters in each pair."""
    added = _added_by_tps(side)
    if added.empty:
        return Judgement(CANNOT, "no parameter counts of models with and without TPS")
    told = f"TPS adds {added.min():.3f}M to {added.max():.3f}M over {len(added)} of 12 pairs."
    same = added.max() - added.min() < _COUNT_PRECISION
    return Judgement(REPRODUCED if same else DIFFERS, told)


def tps_costs_1_6_million(side: Side) -> Judgement:
    """How many parameters TPS adds."""
    added = _added_by_tps(side)
    if added.empty:
        return Judgement(CANNOT, "no parameter counts of models with and without TPS")
    told = f"TPS adds {added.mean():.3f}M on average"
    if _cut(added.mean(), 1) == TPS_PARAMETERS:
        return Judgement(REPRODUCED, f"{told}, which cut to one decimal is {TPS_PARAMETERS}M.")
    if narrow := _other_size(side):
        return Judgement(CANNOT, f"{told}: {narrow}.")
    return Judgement(DIFFERS, f"{told}.")


def mean_parameters(side: Side) -> Judgement:
    """Mean parameters by extractor."""
    if "params_millions" not in side.merged or side.merged["params_millions"].isna().any():
        return Judgement(CANNOT, "the rows carry no parameter counts")
    means = side.merged.groupby("feature")["params_millions"].mean()
    told = ", ".join(f"{name} {means[name]:.3f}M" for name in MEAN_PARAMETERS if name in means)
    if len(side.merged) < len(published.model_names()):
        return Judgement(CANNOT, f"{told}, over {len(side.merged)} of 24 models only.")
    if not side.is_paper and (narrow := _other_size(side)):
        order = " > ".join(means.sort_values(ascending=False).index)
        return Judgement(CANNOT, f"{told} ({order}): {narrow}.")
    same = all(_cut(means[name], 1) == said for name, said in MEAN_PARAMETERS.items())
    return Judgement(REPRODUCED if same else DIFFERS, f"{told} (the paper cuts to one decimal).")


def rcnn_is_region_proposal(side: Side) -> Judgement:
    """The paper explains RCNN as region proposals; the size tells what was built."""
    if not side.is_paper:
        return Judgement(
            CANNOT, "ours is built as the code is, so it tells nothing of the paper's."
        )
    plotted = side.merged.loc["None-RCNN-None-CTC", "params_millions"]
    built = _gated_recurrent_parameters() / 1e6
    told = (
        f"None-RCNN-None-CTC is plotted at {plotted:.3f}M parameters. A gated recurrent convolution"
        f" network (GRCNN) with a CTC head for 972 syllables has {built:.3f}M, and its code is what"
    )
    if abs(plotted - built) > 0.006:
        return Judgement(NOT_SETTLED, f"{told} is published: the sizes do not tell.")
    return Judgement(DIFFERS, f"{told} is published: the name is shared, the network is GRCNN.")


def _added_by_tps(side: Side) -> pd.Series:
    """Millions of parameters that TPS adds, for each pair of models that have a count."""
    sizes = side.merged.get("params_millions", pd.Series(dtype=float)).dropna()
    pairs = {name: "None" + name.removeprefix("TPS") for name in sizes.index if name[0] == "T"}
    added = {a: sizes[a] - sizes[b] for a, b in pairs.items() if b in sizes}
    return pd.Series(added, dtype=float)


def _other_size(side: Side) -> str:
    """Words for "these models are not of the paper's size", or "" when they are."""
    if side.is_paper:
        return ""
    paper = published.figures().set_index("model")["params_millions"]
    ours = side.merged["params_millions"].dropna()
    ratio = ours / paper[ours.index]
    if ((ours - paper[ours.index]).abs() < _SAME_SIZE).all():
        return ""
    low, high = round(100 * ratio.min()), round(100 * ratio.max())
    share = f"{low} %" if low == high else f"{low} to {high} %"
    return f"our models have {share} of the paper's parameters"


def _cut(value: float, decimals: int) -> float:
    """Decimals dropped, not rounded, as the paper writes its numbers."""
    return math.floor(value * 10**decimals + 1e-9) / 10**decimals


def _gated_recurrent_parameters(classes: int = 973) -> int:
    """Parameters of None-RCNN-None-CTC if RCNN is GRCNN's gated recurrent convolution.

    Wang and Hu (2017): a 3x3 convolution on the input and one on the state, a 1x1 gate for each,
    all without bias and shared by five iterations; batch norm once at first, then five times in
    each iteration.
    """
    total = 64 * 9 + 64  # the first convolution reads one grey channel
    for before, after in ((64, 64), (64, 128), (128, 256)):
        total += (9 + 1) * (before * after + after * after)
        total += (1 + 5 * 5) * 2 * after
    total += 256 * 512 * 4 + 2 * 512  # the 2x2 convolution that ends the extractor
    return total + 512 * classes + classes
