"""What the reviewers of 2019 asked for, answered from the numbers of the paper and of our runs.

They asked for (1) more analysis of the experiments and (2) a clearer comparison with existing OCR
models. What the rows cannot answer is said to be so.
"""

import pandas as pd

from ocrkit import published
from ocrkit.report.judging import CANNOT
from ocrkit.report.rows import by_model
from ocrkit.report.statistics import (
    PAPER_MIX,
    Measured,
    interval,
    measure,
    rank_correlation,
    stage_contrast,
)
from ocrkit.report.tables import KINDS
from ocrkit.report.variance import variance_shares

MORE_ANALYSIS = "More analysis of the experiments"
CLEARER_COMPARISON = "A clearer comparison with existing OCR models"
# Which of the 24 an earlier paper had proposed, as Baek et al. (2019) place it in the framework.
KNOWN_MODELS = {
    "None-VGG-BiLSTM-CTC": "CRNN (Shi et al., 2017)",
    "None-RCNN-None-Attn": "R2AM (Lee and Osindero, 2016)",
    "None-RCNN-BiLSTM-CTC": "GRCNN (Wang and Hu, 2017)",
    "None-ResNet-None-CTC": "Rosetta (Borisyuk et al., 2018)",
    "TPS-VGG-BiLSTM-Attn": "RARE (Shi et al., 2016)",
    "TPS-ResNet-BiLSTM-CTC": "STAR-Net (Liu et al., 2016)",
    "TPS-ResNet-BiLSTM-Attn": "the best of Baek et al. (2019)",
}
_PAPER, _OURS = "The paper's 24", "Our runs"


def answers_to_reviewers(rows: pd.DataFrame | None = None) -> list[tuple[str, list[str]]]:
    """Each request of the reviewers with sentences that answer it.

    Args:
        rows: result rows (`runs.csv`), or None; a smoke run's accuracies are left out.

    Raises:
        OcrkitError: rows that mix presets or name an unknown model.
    """
    if rows is not None and "preset" in rows and (rows["preset"] == "smoke").any():
        rows = None
    paper, ours = measure(published.figures(), PAPER_MIX), measure(rows)
    return [
        (MORE_ANALYSIS, _analysis(rows, paper, ours)),
        (CLEARER_COMPARISON, _comparison(rows, paper, ours)),
    ]


def existing_models(rows: pd.DataFrame | None = None, who: str = "yours") -> pd.DataFrame:
    """The seven of the 24 that are existing models under another name; the paper's best first.

    Args:
        rows: result rows, or None.
        who: whose rows they are, "yours" or "reference".

    Returns:
        Columns known_as, model, then accuracy_percent and place (among the models with a result)
        with the prefix paper_ and that of `who`.
    """
    table = pd.DataFrame({"known_as": KNOWN_MODELS.values(), "model": KNOWN_MODELS.keys()})
    for source, frame in (("paper", published.figures()), (who, rows)):
        scores = by_model(frame).set_index("model")["accuracy_percent"].dropna().astype(float)
        places = scores.rank(ascending=False, method="min").astype(int).astype(str)
        table[f"{source}_accuracy_percent"] = table["model"].map(scores).astype(float)
        table[f"{source}_place"] = table["model"].map(places)
    return table.sort_values("paper_accuracy_percent", ascending=False, ignore_index=True)


def _analysis(rows: pd.DataFrame | None, paper: Measured, ours: Measured) -> list[str]:
    said = [_variance(_PAPER, paper), _variance(_OURS, ours)]
    for who, measured in ((_PAPER, paper), (_OURS, ours)):
        said += _effects(who, measured)
    rho, low, high, shared = rank_correlation(rows)
    if rho == rho:  # NaN is not equal to itself
        said.append(
            f"Our order of the {shared} shared models agrees with the paper's by a rank"
            f" correlation of {rho:.2f} (95 % interval {low:.2f} to {high:.2f})."
        )
    said += [_seeds(ours), _kinds(rows)]
    said.append(
        "What cannot be answered: the paper's spread over its three runs, its errors by kind of"
        " image and the part of sentences in its test accuracy were not published, and its test"
        " set is not public."
    )
    return [sentence for sentence in said if sentence]


def _variance(who: str, measured: Measured) -> str:
    shares = variance_shares(measured)
    if shares.empty:
        reason = (
            f"{len(measured.means)} of 24 models have results"
            if len(measured.means)
            else ("no results yet")
        )
        return f"{who}: the variance cannot be split by stage ({reason}; it takes all 24)."
    order = shares.sort_values("share_percent", ascending=False)
    clear = order[order["low_95"] > order["noise_percent"]]
    parts = [
        f"{row.term} {row.share_percent:.1f} % ({row.low_95:.1f} to {row.high_95:.1f})"
        for row in clear.itertuples()
        if row.share_percent >= 1
    ]
    rest = 100 - clear.loc[clear["share_percent"] >= 1, "share_percent"].sum()
    noise = shares["noise_percent"].sum()
    return (
        f"{who}: of the variance of the accuracies, {', '.join(parts) or 'no part is clear'};"
        f" everything else {rest:.1f} %. Noise alone would make {noise:.1f} % in all"
        f" ({measured.noise})."
    )


def _effects(who: str, measured: Measured) -> list[str]:
    """One sentence a stage: its options' mean gains, and for TPS those by extractor."""
    if measured.means.empty:
        return []
    said = []
    for stage, option, over in (
        ("transformation", "TPS", "None"),
        ("feature", "ResNet", "VGG"),
        ("feature", "VGG", "RCNN"),
        ("sequence", "BiLSTM", "None"),
        ("prediction", "Attn", "CTC"),
    ):
        gains = stage_contrast(measured, stage, option, over)
        if len(gains.table):
            said.append(
                f"{option} against {'no ' + stage if over == 'None' else over} {gains.mean:+.1f}"
                f" ({gains.low:+.1f} to {gains.high:+.1f}{_open(gains.low, gains.high)})"
            )
    return [f"{who}, mean gains in points, all else equal: {'; '.join(said)}."] if said else []


def _open(low: float, high: float) -> str:
    return ": not settled" if low <= 0 <= high else ""


def _seeds(ours: Measured) -> str:
    if ours.means.empty:
        return "Spread over seeds: no run of ours has results yet."
    several = ours.spread.dropna()
    if several.empty:
        return (
            "Spread over seeds: ours have one seed a model, so the noise of seeds cannot be seen;"
            " run further seeds before trusting small differences."
        )
    return (
        f"Spread over seeds: the standard deviation is {several.median():.1f} points in the middle"
        f" of {len(several)} models with several seeds, at most {several.max():.1f}"
        f" ({several.idxmax()})."
    )


def _kinds(rows: pd.DataFrame | None) -> str:
    merged = by_model(rows).dropna(subset="accuracy_percent")
    known = [kind for kind in KINDS if f"accuracy_{kind}" in merged]
    if merged.empty or not known:
        return ""
    means = {kind: float(merged[f"accuracy_{kind}"].mean()) for kind in known}
    listed = ", ".join(f"{kind} {mean:.1f} %" for kind, mean in means.items())
    return f"Our errors by kind of image, mean accuracy over {len(merged)} models: {listed}."


def _comparison(rows: pd.DataFrame | None, paper: Measured, ours: Measured) -> list[str]:
    table = existing_models(rows).dropna(subset="paper_accuracy_percent")
    listed = "; ".join(
        f"{row.known_as} is {row.model}, {row.paper_accuracy_percent:.2f} %,"
        f" place {row.paper_place}"
        for row in table.itertuples()
    )
    best = paper.means.idxmax()
    said = [
        f"{len(table)} of the 24 are existing models under another name, as Baek et al. (2019)"
        f" place them. On the paper's rows: {listed}."
    ]
    if best in KNOWN_MODELS:
        said.append(
            f"So the paper's best, {best}, is itself an existing model, {KNOWN_MODELS[best]}."
        )
    said.append(_against_known(_PAPER, paper))
    said.append(_against_known(_OURS, ours))
    said.append(
        "What cannot be answered from these rows: how OCR products and engines outside the grid"
        " read the same images. The paper ran none, and result rows hold only the 24."
    )
    return said


def _against_known(who: str, measured: Measured) -> str:
    """The best model that is new in the grid against the best existing one."""
    known = [name for name in measured.means.index if name in KNOWN_MODELS]
    new = [name for name in measured.means.index if name not in KNOWN_MODELS]
    if not known or not new:
        return f"{who}: {CANNOT}, no results of both existing and new combinations."
    old, fresh = measured.means[known].idxmax(), measured.means[new].idxmax()
    gain = measured.means[fresh] - measured.means[old]
    low, high = interval(measured.draws.loc[fresh] - measured.draws.loc[old])
    if low <= 0 <= high:
        verdict = "not settled which is better"
    else:
        verdict = "the new one is better" if gain > 0 else "no new one is better"
    return (
        f"{who}: the best existing model is {KNOWN_MODELS[old]}, {old},"
        f" {measured.means[old]:.2f} %; the best new combination is {fresh},"
        f" {measured.means[fresh]:.2f} %: {gain:+.2f} points ({low:+.1f} to {high:+.1f}),"
        f" {verdict}."
    )
