"""How sure a number is: bootstrap intervals, gains of one option over another, rank correlation.

The bootstrap is hierarchical: it draws anew which seeds were run, then which images were tested.
It knows an image's result only as a part of the accuracy, so images are drawn as a binomial count
out of `test_images`. All seeds of a model read the same images: they are drawn once for their
mean. That two models read the same images is not used, which makes differences between models
look a little less sure than they are.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from ocrkit import published
from ocrkit.errors import OcrkitError
from ocrkit.experiments.scoring import PAPER_IMAGES
from ocrkit.results.rows import Rows, by_model, ended_well

# The paper never says which part of its test set its accuracies belong to, nor their spread.
PAPER_SENTENCES = PAPER_IMAGES["sentence"]
PAPER_MIX = sum(PAPER_IMAGES.values())
DRAWS = 2_000
REST = "three stages or more"  # a term of the analysis of variance
_SHAPE = tuple(len(options) for options in published.STAGE_OPTIONS.values())
_AXES = tuple(range(len(_SHAPE)))


@dataclass(frozen=True)
class Measured:
    """The accuracies of one source's models with their bootstrap draws."""

    means: pd.Series  # percent, one a model that has a result, in the grid's order
    draws: pd.DataFrame  # percent, models x draws
    seeds: pd.Series  # runs averaged, one a model
    spread: pd.Series  # standard deviation over seeds, points; NaN for one seed
    images: int | None  # the fewest test images behind an accuracy; None: not varied


@dataclass(frozen=True)
class Gains:
    """What one option of a stage gains over another, all other stages being equal."""

    # one row a pair, indexed by its models' name with "?" for the stage ("?-VGG-BiLSTM-CTC"): gain,
    # low, high (points) and state: "holds" (surely above 0), "fails" (surely below) or "open". The
    # intervals of all pairs together miss with 5 % (Bonferroni).
    table: pd.DataFrame
    draws: pd.DataFrame  # the gains' bootstrap draws, pairs x draws
    mean: float  # the mean gain and its 95 % interval, points
    low: float
    high: float


def measure(rows: Rows, images: int | None = None, draws: int = DRAWS, seed: int = 0) -> Measured:
    """Mean accuracies of the models, and how they might have come out.

    rows: result rows (`runs.csv`), a frame of `ocrkit.published`, or None.
    images: test images behind each accuracy of a published frame (None: not varied); result
        rows say it themselves in `test_images`.
    draws: bootstrap draws.

    A model's seeds are drawn with replacement, and their deviations from the mean stretched by
    sqrt(k / (k - 1)), for a plain bootstrap over k seeds shows a variance too small by that. A
    model with one seed borrows the pooled spread of those with several; where none has several, the
    noise of seeds is not in the draws.
    Raises OcrkitError: unknown models or mixed presets, as `rows.by_model`.
    """
    merged = by_model(rows).dropna(subset="accuracy_percent").set_index("model")
    runs = {name: ([row], images) for name, row in merged["accuracy_percent"].items()}
    if rows is not None and "accuracy_percent" not in rows and len(merged):
        runs = _runs(rows)
    spread = {name: np.std(scores, ddof=1) for name, (scores, _) in runs.items() if len(scores) > 1}
    pooled = float(np.sqrt(np.mean(np.square(list(spread.values()))))) if spread else 0.0
    grid = list(published.model_names())
    drawn = {
        # A stream of its own for each model: which others have a result changes nothing.
        name: _draw(*runs[name], pooled, draws, np.random.default_rng([seed, grid.index(name)]))
        for name in merged.index
    }
    return Measured(
        means=merged["accuracy_percent"],
        draws=pd.DataFrame(np.array([*drawn.values()]).reshape(-1, draws), merged.index),
        seeds=merged["seeds"].astype(int),
        spread=pd.Series(spread, dtype=float).reindex(merged.index),
        images=min((count for _, count in runs.values() if count), default=None),
    )


def interval(draws: np.ndarray | pd.Series) -> tuple[float, float]:
    """The 95 % percentile interval of bootstrap draws (NaN for none)."""
    if not len(draws):
        return float("nan"), float("nan")
    low, high = np.quantile(np.asarray(draws), [0.025, 0.975])
    return float(low), float(high)


def intervals(rows: Rows) -> pd.DataFrame:
    """Columns model, seeds, accuracy_percent, sd_over_seeds, low_95, high_95; the best first."""
    measured = measure(rows)
    table = pd.DataFrame({"seeds": measured.seeds.astype(str), "accuracy_percent": measured.means})
    table["sd_over_seeds"] = measured.spread
    bounds = [interval(measured.draws.loc[name]) for name in table.index]
    table[["low_95", "high_95"]] = np.reshape(bounds, (-1, 2))
    table = table.rename_axis("model").reset_index()
    return table.sort_values("accuracy_percent", ascending=False, ignore_index=True)


def stage_gains(rows: Rows, stage: str, option: str, over: str) -> pd.Series:
    """Accuracy points that one option of a stage has over another, all other stages being equal.

    Returns one gain a pair of models that both have a result, indexed by the other three stages
    ("TPS-VGG-CTC").
    """
    gain = stage_contrast(measure(rows, draws=1), stage, option, over).table["gain"]
    return gain.rename(lambda pair: "-".join(s for s in pair.split("-") if s != "?")).rename(None)


def stage_contrast(
    measured: Measured, stage: str, option: str, over: str, where: Mapping[str, str] | None = None
) -> Gains:
    """Gains of `option` over `over`, pair by pair and on average.

    stage: a column of `published.STAGES`.
    where: only pairs with these options of other stages, such as {"prediction": "Attn"}.
    Raises OcrkitError: no such stage.
    """
    pairs = _pairs(measured.means.index, stage, option, over, where or {})
    firsts, seconds = [a for a, _ in pairs.values()], [b for _, b in pairs.values()]
    gain = measured.means[firsts].to_numpy() - measured.means[seconds].to_numpy()
    drawn = measured.draws.loc[firsts].to_numpy() - measured.draws.loc[seconds].to_numpy()
    return make_gains(pd.Series(gain, list(pairs), dtype=float), pd.DataFrame(drawn, list(pairs)))


def make_gains(gain: pd.Series, draws: pd.DataFrame) -> Gains:
    """Gains by pair (points) and their bootstrap draws (pairs x draws), with their intervals."""
    # As many bootstrap standard errors to each side as a normal curve needs for all pairs together.
    reach = stats.norm.ppf(1 - 0.025 / max(len(gain), 1)) * draws.std(axis=1, ddof=0)
    table = gain.to_frame("gain").assign(low=gain - reach, high=gain + reach)
    table["state"] = np.select([table["low"] > 0, table["high"] < 0], ["holds", "fails"], "open")
    mean = interval(draws.mean() if len(gain) else [])
    return Gains(table, draws, float(gain.mean()), *mean)


def rank_correlation(ours: Rows, paper: Rows = None) -> tuple[float, float, float, int]:
    """Spearman's rank correlation of our accuracies with the paper's.

    ours: result rows.
    paper: `published.figures()`, or None for it.
    Returns rho, the ends of its 95 % interval (bootstrap over models), and the number of shared
    models; NaN but the number for fewer than three shared models, or where one side is constant.
    """
    sides = [by_model(ours), by_model(published.figures() if paper is None else paper)]
    scores = [rows.set_index("model")["accuracy_percent"] for rows in sides]
    pairs = pd.concat(scores, axis=1).astype(float).dropna().to_numpy()
    if len(pairs) < 3 or (np.ptp(pairs, axis=0) == 0).any():
        return float("nan"), float("nan"), float("nan"), len(pairs)
    picks = np.random.default_rng(0).integers(len(pairs), size=(len(pairs), DRAWS)).T
    # A draw of one single model, or of ties alone, has no order to compare.
    drawn = [pick for pick in pairs[picks] if (np.ptp(pick, axis=0) > 0).all()]
    ranks = stats.rankdata(drawn, axis=1)
    rhos = stats.pearsonr(ranks[..., 0], ranks[..., 1], axis=1).statistic
    return float(stats.spearmanr(pairs).statistic), *interval(rhos), len(pairs)


def variance_shares(measured: Measured) -> pd.DataFrame:
    """What each stage and each pair of stages explains of the variance of the balanced grid.

    Returns columns term ("feature", "transformation x feature", ...), degrees (of freedom),
    share_percent (sums to 100), low_95 and high_95 (bootstrap), noise_percent: the share that noise
    alone would be expected to give the term. No rows unless all 24 models have a result and they
    differ.
    """
    columns = ["term", "degrees", "share_percent", "low_95", "high_95", "noise_percent"]
    names = list(published.model_names())
    if len(measured.means) < len(names) or measured.means.nunique() == 1:
        return pd.DataFrame(columns=columns)
    means = measured.means[names].to_numpy(float).reshape(*_SHAPE, 1)
    squares = _sums_of_squares(means)
    drawn = _sums_of_squares(measured.draws.loc[names].to_numpy().reshape(*_SHAPE, -1))
    total, totals = sum(squares.values()).item(), sum(drawn.values())
    noise = float(measured.draws.var(axis=1, ddof=0).mean())
    rows, left = [], len(names) - 1
    for axes, square in squares.items():
        degrees = int(np.prod([_SHAPE[axis] - 1 for axis in axes])) if axes else left
        left -= degrees
        part = np.divide(drawn[axes], totals, out=np.zeros_like(totals), where=totals > 0)
        term = " x ".join(published.STAGES[axis] for axis in axes) or REST
        bounds = interval(100 * part)
        rows.append(
            [term, degrees, 100 * square.item() / total, *bounds, 100 * degrees * noise / total]
        )
    return pd.DataFrame(rows, columns=columns)


def _pairs(
    names: pd.Index, stage: str, option: str, over: str, where: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Pairs of models that differ in one stage alone, by their name with "?" for that stage."""
    if stage not in published.STAGES:
        raise OcrkitError(f"no stage is called {stage!r}: use one of {', '.join(published.STAGES)}")
    pairs = {}
    for name in names:
        parts = dict(zip(published.STAGES, name.split("-"), strict=True))
        wanted = all(parts[other] == kept for other, kept in where.items())
        rival = "-".join((parts | {stage: over}).values())
        if parts[stage] == option and rival in names and wanted:
            pairs["-".join((parts | {stage: "?"}).values())] = (name, rival)
    return pairs


def _runs(rows: pd.DataFrame) -> dict[str, tuple[list[float], int | None]]:
    """For each model its accuracies, one a seed, and the images behind each of them."""
    # A run tried again after a failure counts once, with its last result.
    good = rows[ended_well(rows)].drop_duplicates(["model", "seed"], keep="last")
    runs = {}
    for name, group in good.groupby("model"):
        counts = group["test_images"].dropna() if "test_images" in group else []
        scores = group["accuracy"].astype(float).tolist()
        runs[name] = (scores, int(min(counts)) if len(counts) else None)
    return runs


def _draw(
    scores: list[float], images: int | None, pooled: float, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Accuracies (percent) that a model's runs might have had."""
    mean, k = float(np.mean(scores)), len(scores)
    if k > 1:
        deviations = np.asarray(scores)[rng.integers(k, size=(draws, k))].mean(1) - mean
        expected = mean + deviations * np.sqrt(k / (k - 1))
    else:
        expected = mean + pooled * rng.standard_normal(draws)
    expected = expected.clip(0, 100)
    return 100 * rng.binomial(images, expected / 100) / images if images else expected


def _sums_of_squares(grid: np.ndarray) -> dict[tuple[int, ...], np.ndarray]:
    """Sums of squares by term for accuracies of shape (2, 3, 2, 2, draws); () is the rest."""
    squares: dict[tuple[int, ...], np.ndarray] = {}
    for axes in [(axis,) for axis in _AXES] + list(combinations(_AXES, 2)):
        # In a balanced grid: the variance of the means over all other stages.
        means = grid.mean(axis=tuple(set(_AXES) - set(axes)), keepdims=True)
        explained = math.prod(_SHAPE) * means.var(axis=_AXES)
        # What a pair does together is what its two stages do not do alone.
        squares[axes] = explained - sum(squares[(axis,)] for axis in axes if len(axes) > 1)
    rest = math.prod(_SHAPE) * grid.var(axis=_AXES) - sum(squares.values())
    return squares | {(): rest.clip(0)}
