"""From numbers to a verdict: the rules that all claims share.

A difference counts only when its interval leaves zero out; one that does not is open, and a claim
that rests on open differences is "not settled". "Cannot be checked": rows are missing, or what it
takes was never published. Notebook 70 tells what the verdicts mean.
"""

import math
from typing import NamedTuple

from ocrkit.results.statistics import Gains

REPRODUCED, DIFFERS, NOT_SETTLED = "reproduced", "differs", "not settled"
CANNOT, IN_PART = "cannot be checked", "holds in part"


class Finding(NamedTuple):
    """What the rows say of one claim."""

    verdict: str  # reproduced, differs, holds in part, not settled or cannot be checked
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


def settled(low: float, high: float) -> str:
    """The verdict on a difference that should be above zero, from its interval."""
    return REPRODUCED if low > 0 else DIFFERS if high < 0 else NOT_SETTLED


def judge_gains(gains: Gains, expected: int) -> Finding:
    """The verdict on "this option is better than that": for each pair, and on average.

    Holds in part: surely better in some pairs and surely worse in others. Reproduced: better on
    average, and surely worse in no pair. Differs: worse on average, and surely better in no pair.
    Else not settled.
    expected: pairs that a whole grid has.
    """
    table = gains.table
    if table.empty:
        return Finding(CANNOT, expected=expected)
    states = set(table["state"])
    worse = ", ".join(table.index[table["state"] == "fails"])
    names = f"holds: {(table['state'] == 'holds').sum()}" + (f"; fails: {worse}" if worse else "")
    verdict = settled(gains.low, gains.high)
    if {"holds", "fails"} <= states:
        verdict = IN_PART
    elif (verdict == REPRODUCED and "fails" in states) or (
        verdict == DIFFERS and "holds" in states
    ):
        verdict = NOT_SETTLED
    bounds = (gains.mean, gains.low, gains.high)
    return Finding(verdict, *bounds, len(table), expected, names)
