"""From numbers to a verdict: the rules that all claims share.

A difference counts only when its interval leaves zero out; one that does not is open, and a claim
that rests on open differences is "not settled". "Cannot be checked": rows are missing, or what it
takes was never published. Notebook 70 tells what the verdicts mean.
"""

import math
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ocrkit import published
from ocrkit.results.statistics import Gains, normal_interval

REPRODUCED, DIFFERS, NOT_SETTLED = "reproduced", "differs", "not settled"
CANNOT, HOLDS_ONLY_WHEN = "cannot be checked", "holds only when"


class Finding(NamedTuple):
    """What the rows say of one claim.

    Attributes:
        verdict: reproduced, differs, holds only when ..., not settled or cannot be checked.
        value, low, high: the number that the verdict rests on and its 95 % interval; NaN: none.
        counted, expected: of how many pairs or models the rows have results; 0: does not apply.
        names: the models or pairs that decide, or further numbers.
    """

    verdict: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    counted: int = 0
    expected: int = 0
    names: str = ""

    def evidence(self, unit: str) -> str:
        """The numbers in one line, such as "21.5 points (21.4 to 21.6); 12 of 12"."""
        decimals = 3 if unit.startswith("M") else 2
        value, low, high = (f"{round(n, decimals):g}" for n in (self.value, self.low, self.high))
        number = "" if value == "nan" else f"{value} {unit}"
        spread = "" if low == "nan" else f" ({low} to {high})"
        count = f"{self.counted} of {self.expected}" if self.expected else ""
        return "; ".join(filter(None, [number + spread, count, self.names]))


def settled(low: float, high: float) -> str:
    """The verdict on a difference that should be above zero, from its interval."""
    return REPRODUCED if low > 0 else DIFFERS if high < 0 else NOT_SETTLED


def judge_gains(gains: Gains, expected: int) -> Finding:
    """The verdict on "this option is better than that": for each pair, and on average.

    Holds only when: surely better in some pairs and surely worse in others, or surely better on
    average with one option of another stage and surely worse without it. Reproduced: better on
    average, and surely worse in no pair. Differs: worse on average, and surely better in no pair.
    Else not settled.

    Args:
        expected: pairs that a whole grid has.
    """
    table = gains.table
    if table.empty:
        return Finding(CANNOT, expected=expected)
    states = set(table["state"])
    worse = ", ".join(table.index[table["state"] == "fails"])
    names = f"holds: {(table['state'] == 'holds').sum()}" + (f"; fails: {worse}" if worse else "")
    verdict = settled(gains.low, gains.high)
    if condition := _condition(gains):
        verdict = f"{HOLDS_ONLY_WHEN} {condition}"
    elif (verdict == REPRODUCED and "fails" in states) or (
        verdict == DIFFERS and "holds" in states
    ):
        verdict = NOT_SETTLED
    bounds = (gains.mean, gains.low, gains.high)
    return Finding(verdict, *bounds, len(table), expected, names)


def _condition(gains: Gains) -> str:
    """What the other stages must be for the gain to hold; "" when nothing has to be told apart.

    Where some pairs hold and others fail: one option of another stage, or two joined by "and" or
    "or", that parts them, or else the pairs that hold by name. Else one option that parts the pairs
    into a group whose mean is surely above zero and one surely below.
    """
    state, atoms = gains.table["state"].to_numpy(), _atoms(gains)
    held, known = state == "holds", state != "open"
    if held.any() and (state == "fails").any():
        rules = dict(atoms)
        for (one, met), (other, too) in combinations(atoms.items(), 2):
            rules |= {f"{one} and {other}": met & too, f"{one} or {other}": met | too}
        fitting = (said for said, met in rules.items() if (met == held)[known].all())
        return next(fitting, "the models are " + " or ".join(gains.table.index[held]))
    # As many splits are tried as there are atoms: the level is shared among them.
    level = 1 - 0.05 / max(len(atoms), 1)
    for said, met in atoms.items():
        inside, outside = (
            normal_interval(gains.table["gain"][part].mean(), gains.draws[part].mean(), level)
            for part in (met, ~met)
        )
        if inside[0] > 0 > outside[1]:
            return said
    return ""


def _atoms(gains: Gains) -> dict[str, np.ndarray]:
    """For each option of the other stages, which pairs have it ("feature is not VGG" as well)."""
    atoms = {}
    for place, (stage, options) in enumerate(published.STAGE_OPTIONS.items()):
        chosen = np.array([pair.split("-")[place] for pair in gains.table.index])
        if stage != gains.stage:
            atoms |= {f"{stage} is {option}": chosen == option for option in options}
        if stage != gains.stage and len(options) > 2:
            atoms |= {f"{stage} is not {option}": chosen != option for option in options}
    return {said: met for said, met in atoms.items() if met.any() and not met.all()}
