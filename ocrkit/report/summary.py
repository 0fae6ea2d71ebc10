"""What the numbers say in a few sentences, and what they were made with."""

import json

import pandas as pd

from ocrkit import published
from ocrkit.report.rows import by_model, coverage, ended_well, rank_agreement

WHO = {"paper": "The paper", "reference": "The reference run", "yours": "Your run"}
# Facts worth telling of a run, and the column of the result rows they come from.
_FACTS = {
    "preset": "preset",
    "recipe": "recipe",
    "seeds": "seed",
    "training steps a model": "steps",
    "training images a model": "images",
    "test images": "test_images",
    "device": "device",
    "precision": "precision",
    "dataset fingerprint": "dataset",
    "library versions": "versions",
}


def in_short(reference: pd.DataFrame | None, yours: pd.DataFrame | None) -> list[str]:
    """The report's first sentences: coverage, the best model, what TPS adds, the order of models.

    Args:
        reference, yours: result rows, or None.
    """
    paper = published.figures()
    rows = {"paper": paper, "reference": reference, "yours": yours}
    sentences = [coverage(rows[source], WHO[source]) for source in ("reference", "yours")]
    for source, frame in rows.items():
        merged = by_model(frame).dropna(subset="accuracy_percent")
        if len(merged):
            sentences.append(f"{WHO[source]}: {_best(merged)}{_tps_gain(merged)}.")
    for source in ("reference", "yours"):
        rho, shared = rank_agreement(paper, rows[source])
        if shared >= 3 and rho == rho:  # NaN is not equal to itself
            sentences.append(
                f"{WHO[source]} puts {shared} models in an order that agrees with the paper's by a"
                f" rank correlation of {rho:.2f} (1 is the same order, 0 no relation)."
            )
    return sentences


def stage_gains(rows: pd.DataFrame | None, stage: str, option: str, over: str) -> pd.Series:
    """Accuracy points that one option of a stage has over another, all other stages being equal.

    Args:
        stage: a column of `published.STAGES`, such as "sequence".
        option, over: two options of that stage, such as "BiLSTM" and "None".

    Returns:
        One gain a pair of models that both have a result, indexed by the other three stages
        ("TPS-VGG-CTC").
    """
    merged = by_model(rows).dropna(subset="accuracy_percent")
    others = [name for name in published.STAGES if name != stage]
    scores = merged.assign(rest=merged[others].agg("-".join, axis=1)) if len(merged) else merged
    if not len(scores):
        return pd.Series(dtype=float)
    beside = scores.pivot(index="rest", columns=stage, values="accuracy_percent")
    beside = beside.reindex(index=scores["rest"].unique(), columns=[option, over])
    return (beside[option] - beside[over]).dropna().rename_axis(None)


def tps_gains(rows: pd.DataFrame | None) -> pd.Series:
    """Accuracy points that TPS adds, for each pair of models that differ in nothing else.

    Returns:
        Up to 12 gains, indexed by the last three stages ("VGG-BiLSTM-CTC").
    """
    return stage_gains(rows, "transformation", "TPS", "None")


def run_facts(reference: pd.DataFrame | None, yours: pd.DataFrame | None) -> pd.DataFrame:
    """What each run was made with: columns fact, reference, yours (text; "–" when there is none).

    Args:
        reference, yours: result rows, or None.
    """
    facts = {source: _facts(rows) for source, rows in (("reference", reference), ("yours", yours))}
    names = list(dict.fromkeys([*facts["reference"], *facts["yours"]]))
    columns = {source: [said.get(name) for name in names] for source, said in facts.items()}
    return pd.DataFrame({"fact": names, **columns}, dtype=object)


def failed_runs(rows: pd.DataFrame | None) -> pd.DataFrame:
    """The runs without a result: columns model, seed, note (the recorded error)."""
    if rows is None or rows.empty:
        return pd.DataFrame(columns=["model", "seed", "note"])
    lost = rows[~ended_well(rows)]
    errors = lost["error"] if "error" in lost else pd.Series(None, lost.index, dtype=object)
    failed = lost[["model"]].assign(seed=lost["seed"].astype(str))
    return failed.assign(note=errors.fillna("no error was recorded")).reset_index(drop=True)


def _best(merged: pd.DataFrame) -> str:
    best = merged.loc[merged["accuracy_percent"].idxmax()]
    text = f"the most accurate model is {best['model']} with {best['accuracy_percent']:.2f} %"
    if pd.notna(best["accuracy_plus_minus"]):
        text += f" (±{best['accuracy_plus_minus']:.1f})"
    return text


def _tps_gain(merged: pd.DataFrame) -> str:
    gains = tps_gains(merged)
    if gains.empty:
        return ""
    span = f"{gains.min():+.1f} to {gains.max():+.1f} points"
    return f"; TPS changes accuracy by {span} over {len(gains)} pairs of models"


def _facts(rows: pd.DataFrame | None) -> dict[str, str]:
    if rows is None or rows.empty:
        return {}
    good = rows[ended_well(rows)]
    facts = {"models with a result": f"{good['model'].nunique()} of 24"}
    facts["runs that failed"] = str(len(rows) - len(good))
    for name, column in _FACTS.items():
        if column in rows:
            facts[name] = _joined(
                rows[column].map(_plain) if column == "versions" else rows[column]
            )
    # The clock runs on while other work has the processor; processor time does not.
    for name, column in (("training time", "train_seconds"), ("processor time", "cpu_seconds")):
        if column in good:
            facts[f"{name} in all"] = duration(float(good[column].sum()))
    if "finished" in good and good["finished"].notna().any():
        days = good["finished"].dropna().astype(str)
        facts["finished"] = " to ".join(dict.fromkeys([days.min(), days.max()]))
    return facts


def _plain(versions: object) -> object:
    """`{"torch": "2.13"}` as torch 2.13; what is no JSON object stays as it is."""
    try:
        return ", ".join(f"{name} {number}" for name, number in json.loads(versions).items())
    except (TypeError, ValueError, AttributeError):
        return versions


def _joined(values: pd.Series, most: int = 4) -> str:
    unique = values.dropna().unique()
    if pd.api.types.is_numeric_dtype(values):
        unique = [f"{value:,.0f}" if value >= 10_000 else f"{value:g}" for value in sorted(unique)]
    shown = [str(value) for value in unique[:most]]
    more = f" and {len(unique) - most} more" if len(unique) > most else ""
    return ", ".join(shown) + more if shown else "not recorded"


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 12.3 min, 1 h 05 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return (
        f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{seconds / 60:.1f} min"
    )
