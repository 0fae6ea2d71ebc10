"""Which stage explains how much: an analysis of variance of the 24 accuracies."""

import math
from itertools import combinations

import numpy as np
import pandas as pd

from ocrkit import published
from ocrkit.results.statistics import Measured, interval

REST = "three stages or more"
_SHAPE = tuple(len(options) for options in published.STAGE_OPTIONS.values())
_AXES = tuple(range(len(_SHAPE)))


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
