"""The paper's claims, each with a verdict on its own rows and on ours.

A verdict is "reproduced", "differs", "holds only when ..." (the condition that the rows show),
"not settled" (the difference is within the noise of seeds and test images) or "cannot be checked"
(the evidence says why). Every verdict is computed from the rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import pandas as pd

from ocrkit import published
from ocrkit.report import checks, checks_of_size
from ocrkit.report.judging import CANNOT, Judgement, Side, side
from ocrkit.report.statistics import PAPER_MIX, PAPER_SENTENCES


@dataclass(frozen=True)
class Verdict:
    """One claim and what the published rows and ours say of it."""

    claim: str
    source: str
    published_verdict: str
    published_evidence: str
    our_verdict: str
    our_evidence: str


class _Claim(NamedTuple):
    text: str
    source: str
    judge: Callable[[Side], Judgement]
    of_accuracy: bool = True  # whether it rests on accuracies, which a smoke run does not have


CLAIMS = (
    _Claim(
        "Four stages with 2 x 3 x 2 x 2 options make 24 models.",
        "the paper's model grid",
        checks_of_size.grid_of_24,
        of_accuracy=False,
    ),
    _Claim("TPS raises accuracy.", "Figures 4 and 5", checks.tps_raises_accuracy),
    _Claim("TPS's gain goes up to 34 points.", "Figures 4 and 5", checks.by_up_to_34_points),
    _Claim(
        "TPS costs every model the same number of parameters.",
        "Figure 5",
        checks_of_size.tps_costs_the_same,
        of_accuracy=False,
    ),
    _Claim(
        f"TPS costs {checks_of_size.TPS_PARAMETERS}M parameters.",
        "Figure 5",
        checks_of_size.tps_costs_1_6_million,
        of_accuracy=False,
    ),
    _Claim(f"{checks.BEST} is the best of the 24.", "Tables 1 and 2", checks.best_model),
    _Claim(
        f"{checks.BEST} reads {checks.BEST_ACCURACY} % of the test set.",
        "Tables 1 and 2",
        checks.reads_88_percent,
    ),
    _Claim(
        f"On Korean, {checks.BEST} beats {checks.ENGLISH_BEST}, the best on English.",
        "Table 1 and the English study (Baek et al., 2019)",
        checks.beats_the_english_best,
    ),
    _Claim("VGG beats RCNN.", "Figures 4 and 5", checks.vgg_beats_rcnn),
    _Claim("ResNet beats RCNN.", "Figures 4 and 5", checks.resnet_beats_rcnn),
    _Claim("BiLSTM helps attention.", "Figures 4 and 5", checks.bilstm_helps_attention),
    _Claim(
        "Mean parameters: "
        + ", ".join(f"{name} {size}M" for name, size in checks_of_size.MEAN_PARAMETERS.items())
        + ".",
        "Figure 5",
        checks_of_size.mean_parameters,
        of_accuracy=False,
    ),
    _Claim(
        "Table 1 is the frontier of Figure 4 (accuracy against time).",
        "Table 1, Figure 4",
        checks.table1_is_the_frontier,
    ),
    _Claim(
        "Table 2 is the frontier of Figure 5 (accuracy against parameters).",
        "Table 2, Figure 5",
        checks.table2_is_the_frontier,
    ),
    _Claim(
        "RCNN is the R-CNN of region proposals.",
        "the paper's description of the extractors",
        checks_of_size.rcnn_is_region_proposal,
        of_accuracy=False,
    ),
    _Claim(
        "Each model was trained three times, and the mean is reported.",
        "the paper's recipe",
        checks.three_runs_a_model,
        of_accuracy=False,
    ),
)


def verdicts(rows: pd.DataFrame | None = None) -> list[Verdict]:
    """Judge every claim on the published 24 rows and on ours.

    The published rows are judged as if each accuracy came from all 92,700 test images that the
    paper describes, the kindest reading; where the 2,700 sentences alone would give another
    verdict, the evidence says so.

    Args:
        rows: result rows (`runs.csv`), one or more seeds, or None.

    Raises:
        OcrkitError: rows that mix presets or name an unknown model.
    """
    ours, smoke = side(rows), _is_smoke(rows)
    return [
        Verdict(claim.text, claim.source, *paper, *_of_ours(claim, ours, smoke))
        for claim, paper in zip(CLAIMS, _of_paper(), strict=True)
    ]


def claims_table(rows: pd.DataFrame | None = None, who: str = "yours") -> pd.DataFrame:
    """The verdicts as a table for a terminal, Markdown or HTML (`ocrkit.report.text`).

    Args:
        rows: as for `verdicts`.
        who: whose rows they are, "yours" or "reference": the prefix of their columns.

    Returns:
        Columns claim (with its source), paper_verdict, paper_evidence, then verdict and evidence
        with the prefix `who`.
    """
    lines = [
        {
            "claim": f"{verdict.claim} ({verdict.source})",
            "paper_verdict": verdict.published_verdict,
            "paper_evidence": verdict.published_evidence,
            f"{who}_verdict": verdict.our_verdict,
            f"{who}_evidence": verdict.our_evidence,
        }
        for verdict in verdicts(rows)
    ]
    return pd.DataFrame(lines)


@cache  # the published rows do not change while a report is written
def _of_paper() -> tuple[Judgement, ...]:
    mix, sentences = (
        side(published.figures(), images, is_paper=True) for images in (PAPER_MIX, PAPER_SENTENCES)
    )
    judged = []
    for claim in CLAIMS:
        said, alone = claim.judge(mix), claim.judge(sentences)
        if said.verdict != alone.verdict:
            more = f" Were the {PAPER_SENTENCES:,} sentences alone the test set: {alone.verdict}."
            said = Judgement(said.verdict, said.evidence + more)
        judged.append(said)
    return tuple(judged)


def _of_ours(claim: _Claim, ours: Side, smoke: bool) -> Judgement:
    if ours.merged.empty:
        return Judgement(CANNOT, "no run has results yet")
    if smoke and claim.of_accuracy:
        return Judgement(CANNOT, "a smoke run trains a few steps only: its accuracies say nothing")
    verdict, told = claim.judge(ours)
    if claim.of_accuracy and verdict != CANNOT:
        told += f" ({ours.measured.noise[:1].upper()}{ours.measured.noise[1:]}.)"
    return Judgement(verdict, told)


def _is_smoke(rows: pd.DataFrame | None) -> bool:
    return rows is not None and "preset" in rows and (rows["preset"] == "smoke").any()
