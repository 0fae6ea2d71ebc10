"""From numbers to a verdict: the rules that all claims share.

A difference counts only when its interval leaves zero out. One that does not is said to be open,
and a claim that rests on such differences is "not settled".
"""

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from ocrkit import published
from ocrkit.report.rows import by_model
from ocrkit.report.statistics import Gains, Measured, measure, normal_interval

REPRODUCED = "reproduced"
DIFFERS = "differs"
HOLDS_ONLY_WHEN = "holds only when"
NOT_SETTLED = "not settled"
CANNOT = "cannot be checked"


class Judgement(NamedTuple):
    """A verdict and the numbers it follows from, in one or two sentences."""

    verdict: str
    evidence: str


@dataclass(frozen=True)
class Side:
    """One side of the comparison: the paper's rows or ours.

    Attributes:
        merged: `rows.by_model` of the models that have an accuracy, indexed by model.
        measured: their accuracies with bootstrap draws.
        is_paper: whether the rows are the published ones.
    """

    merged: pd.DataFrame
    measured: Measured
    is_paper: bool


def side(rows: pd.DataFrame | None, images: int | None = None, is_paper: bool = False) -> Side:
    """A side from result rows, or from `published.figures()` with the images behind them."""
    merged = by_model(rows).dropna(subset="accuracy_percent").set_index("model")
    return Side(merged, measure(rows, images), is_paper)


def judge_gains(gains: Gains, expected: int) -> Judgement:
    """The verdict on "this option is better than that": for each pair, and on average.

    Holds only when: surely better in some pairs and surely worse in others, or surely better on
    average with one option of another stage and surely worse without it. Reproduced: better on
    average, and surely worse in no pair. Differs: worse on average, and surely better in no pair.
    Else not settled.

    Args:
        expected: pairs that a whole grid has.
    """
    if gains.table.empty:
        return Judgement(CANNOT, "no two models that differ in this stage alone have results")
    told = _told(gains, expected)
    if found := _condition(gains):
        said, met = found
        told += f" Where {said}: {_mean(gains, met)}; elsewhere: {_mean(gains, ~met)}."
        return Judgement(f"{HOLDS_ONLY_WHEN} {said}", told)
    states = set(gains.table["state"])
    if gains.low > 0 and "fails" not in states:
        return Judgement(REPRODUCED, told)
    return Judgement(DIFFERS if gains.high < 0 and "holds" not in states else NOT_SETTLED, told)


def _condition(gains: Gains) -> tuple[str, np.ndarray] | None:
    """What the other stages must be for the gain to hold, and the pairs that meet it.

    Where some pairs hold and others fail: one option of another stage, or two options joined by
    "and" or "or", met by every pair that holds and by none that fails (an open pair may lie on
    either side); where no such rule exists, the pairs that hold by name. Else: one option that
    parts the pairs into a group whose mean is surely above zero and one surely below. None when
    nothing has to be told apart. It describes these rows: with so few pairs, a rule of two parts
    may be chance.
    """
    state = gains.table["state"].to_numpy()
    atoms = _atoms(gains)
    if (state == "holds").any() and (state == "fails").any():
        rules = dict(atoms)
        for (one, met), (other, too) in combinations(atoms.items(), 2):
            rules |= {f"{one} and {other}": met & too, f"{one} or {other}": met | too}
        settled = state != "open"
        for said, met in rules.items():
            if (met == (state == "holds"))[settled].all():
                return said, met
        held = state == "holds"
        return "the models are " + " or ".join(gains.table.index[held]), held
    for said, met in atoms.items():
        # As many splits are tried as there are atoms: the level is shared among them.
        low, _ = _bounds(gains, met, 1 - 0.05 / len(atoms))[1:]
        _, high = _bounds(gains, ~met, 1 - 0.05 / len(atoms))[1:]
        if low > 0 > high:
            return said, met
    return None


def _atoms(gains: Gains) -> dict[str, np.ndarray]:
    """For each option of the other stages, which pairs have it ("feature is not VGG" as well)."""
    atoms = {}
    for place, (stage, options) in enumerate(published.STAGE_OPTIONS.items()):
        chosen = np.array([pair.split("-")[place] for pair in gains.table.index])
        if stage == gains.stage or len(set(chosen)) < 2:
            continue
        atoms |= {f"{stage} is {option}": chosen == option for option in options}
        if len(options) > 2:
            atoms |= {f"{stage} is not {option}": chosen != option for option in options}
    return {said: met for said, met in atoms.items() if met.any() and not met.all()}


def _bounds(gains: Gains, met: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """The mean gain of some pairs with its interval."""
    mean = float(gains.table["gain"][met].mean())
    return mean, *normal_interval(mean, gains.draws[met].mean(axis=0).to_numpy(), level)


def _mean(gains: Gains, met: np.ndarray) -> str:
    if not met.any():
        return "no pair"
    mean, low, high = _bounds(gains, met)
    return f"{mean:+.1f} points ({low:+.1f} to {high:+.1f})"


def _told(gains: Gains, expected: int) -> str:
    table = gains.table
    text = (
        f"{gains.option} against {gains.over}, all else equal: {table['gain'].min():+.1f} to"
        f" {table['gain'].max():+.1f} points, on average {gains.mean:+.1f}"
        f" ({gains.low:+.1f} to {gains.high:+.1f}), over {len(table)} of {expected} pairs"
    )
    counted = table["state"].value_counts()
    text += f"; surely better in {counted.get('holds', 0)}"
    for state, words in (("fails", "surely worse in"), ("open", "not settled in")):
        pairs = table.index[table["state"] == state]
        if len(pairs):
            text += f", {words} {len(pairs)} ({', '.join(pairs)})"
    return text + "."
