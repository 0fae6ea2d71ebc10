"""Which stage explains how much: an analysis of variance of the 24 accuracies.

The grid is balanced (every option meets every other equally often), so the sum of squares splits
without ambiguity into the four stages, their six interactions two by two, and a rest.
"""

from itertools import combinations

import numpy as np
import pandas as pd

from ocrkit import published
from ocrkit.report.statistics import Measured, interval

REST = "three stages or more"
_SHAPE = tuple(len(options) for options in published.STAGE_OPTIONS.values())
_AXES = tuple(range(len(_SHAPE)))


def variance_shares(measured: Measured) -> pd.DataFrame:
    """The share of the 24 accuracies' variance that each stage and pair of stages explains.

    Returns:
        Columns term ("feature", "transformation x feature", ...), degrees (of freedom),
        share_percent (sums to 100), low_95 and high_95 (bootstrap), noise_percent: the share that
        noise alone would be expected to give the term. A share no larger than that is nothing.
        No rows unless all 24 models have a result and they differ: with a gap, the parts overlap
        and no single split exists.
    """
    columns = ["term", "degrees", "share_percent", "low_95", "high_95", "noise_percent"]
    names = list(published.model_names())
    if len(measured.means) < len(names) or measured.means.nunique() == 1:
        return pd.DataFrame(columns=columns)
    means = measured.means[names].to_numpy(float).reshape(*_SHAPE, 1)
    draws = measured.draws.loc[names].to_numpy().reshape(*_SHAPE, -1)
    squares, drawn = _sums_of_squares(means), _sums_of_squares(draws)
    total, totals = sum(squares.values()).item(), sum(drawn.values())
    noise = float(measured.draws.var(axis=1, ddof=0).mean())
    rows = []
    for axes, square in squares.items():
        degrees = _degrees(axes)
        part = np.divide(drawn[axes], totals, out=np.zeros_like(totals), where=totals > 0)
        low, high = interval(100 * part)
        share, by_noise = 100 * square.item() / total, 100 * degrees * noise / total
        rows.append([_term(axes), degrees, share, low, high, by_noise])
    return pd.DataFrame(rows, columns=columns)


def _sums_of_squares(grid: np.ndarray) -> dict[tuple[int, ...], np.ndarray]:
    """Sums of squares by term for accuracies of shape (2, 3, 2, 2, draws); () is the rest."""
    centred = grid - grid.mean(axis=_AXES, keepdims=True)
    effects: dict[tuple[int, ...], np.ndarray] = {}
    squares: dict[tuple[int, ...], np.ndarray] = {}
    for size in (1, 2):
        for axes in combinations(_AXES, size):
            others = tuple(axis for axis in _AXES if axis not in axes)
            effect = centred.mean(axis=others, keepdims=True)
            # What a pair does together is what its two stages do not do alone.
            effects[axes] = effect - sum(effects[(axis,)] for axis in axes if size > 1)
            repeats = int(np.prod([_SHAPE[axis] for axis in others]))
            squares[axes] = repeats * (effects[axes] ** 2).sum(axis=_AXES)
    rest = (centred**2).sum(axis=_AXES) - sum(squares.values())
    return squares | {(): rest.clip(0)}


def _degrees(axes: tuple[int, ...]) -> int:
    if axes:
        return int(np.prod([_SHAPE[axis] - 1 for axis in axes]))
    explained = (_degrees(a) for size in (1, 2) for a in combinations(_AXES, size))
    return int(np.prod(_SHAPE)) - 1 - sum(explained)


def _term(axes: tuple[int, ...]) -> str:
    return " x ".join(published.STAGES[axis] for axis in axes) or REST
