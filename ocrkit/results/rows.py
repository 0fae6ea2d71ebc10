"""From result rows (one a run) to one row a model, with what is missing said in words."""

from pathlib import Path

import pandas as pd

from ocrkit import published
from ocrkit.errors import OcrkitError
from ocrkit.experiments.results import WORDS, assemble, read_results
from ocrkit.resources import resource

Results = tuple[pd.DataFrame, pd.DataFrame]
Rows = pd.DataFrame | None  # result rows (`runs.csv`), where there are any

# Result rows count parameters one by one and name the batched latency; a report compares them
# with the paper's columns, so it takes the paper's names and units.
_TO_PAPER_NAMES = {
    "accuracy": "accuracy_percent",
    "latency_n_ms_median": "time_ms",
    "params": "params_millions",
}
SCORES = ["accuracy_percent", "accuracy_plus_minus", "time_ms", "params_millions"]


def reference_results(preset: str) -> Results | None:
    """The rows and curves of a preset's committed reference run, or None where there is none."""
    try:
        return read_results(resource("results", preset))
    except OcrkitError:
        return None


def your_results(folder: str | Path) -> Results | None:
    """The rows and curves of a run's folder, or None where no run has ended."""
    if (Path(folder) / "rows").is_dir():
        assemble(folder)
    return read_results(folder)


def by_model(rows: Rows) -> pd.DataFrame:
    """One row a model: means over the seeds that ended well, in the order of the grid.

    rows: result rows (`runs.csv`), or a frame of `ocrkit.published` (returned with the same
    columns), or None.
    Returns columns model, the four stages, seeds (runs averaged), accuracy_percent,
    accuracy_plus_minus (points: the wider side of Wilson's 95 % interval for one seed, the
    standard deviation over several), time_ms, params_millions, note (why a model has no number, or
    fewer seeds), and the means of every other numeric column.
    Raises OcrkitError: a row names no model of the 24, or the rows mix presets.
    """
    if rows is None or rows.empty:
        words = pd.DataFrame(columns=["model", *published.STAGES, "note"], dtype=str)
        return words.join(pd.DataFrame(columns=["seeds", *SCORES], dtype=float))
    _check(rows)
    if "accuracy_percent" in rows:
        merged = rows.drop_duplicates("model").assign(seeds=1, note="", accuracy_plus_minus=None)
        merged = merged.drop(columns=list(published.STAGES), errors="ignore").set_index("model")
    else:
        merged = _average(rows)
    merged = merged.reindex([name for name in published.model_names() if name in merged.index])
    stages = pd.DataFrame(
        [name.split("-") for name in merged.index], merged.index, list(published.STAGES)
    )
    front = ["seeds", *SCORES, "note"]
    rest = [column for column in merged if column not in front]
    merged = merged.reindex(columns=[*front, *rest])
    merged[SCORES] = merged[SCORES].astype(float)
    return pd.concat([stages, merged], axis=1).rename_axis("model").reset_index()


def ended_well(rows: pd.DataFrame) -> pd.Series:
    """Which result rows carry a measured accuracy."""
    if "accuracy" not in rows:  # a grid of which every run failed
        return pd.Series(False, rows.index)
    measured = rows["accuracy"].notna()
    return measured & (rows["status"] == "ok") if "status" in rows else measured


def _check(rows: pd.DataFrame) -> None:
    unknown = set(rows["model"]) - set(published.model_names())
    if unknown:
        name = sorted(map(str, unknown))[0]
        raise OcrkitError(
            f"{name!r} is none of the paper's 24 models, which a report compares: remove its rows"
        )
    if "preset" in rows and rows["preset"].nunique() > 1:
        presets = ", ".join(sorted(map(str, rows["preset"].unique())))
        raise OcrkitError(f"these rows mix presets ({presets}): report one preset at a time")


def _average(rows: pd.DataFrame) -> pd.DataFrame:
    numbers = [column for column in rows if column not in WORDS]
    rows = rows.assign(**{c: pd.to_numeric(rows[c], errors="coerce") for c in numbers})
    if "accuracy" not in rows:
        rows["accuracy"] = float("nan")
    # A run tried again after a failure counts once, with its last result.
    best = rows[ended_well(rows)].drop_duplicates(["model", "seed"], keep="last")
    groups = best.drop(columns=[c for c in ("seed", *WORDS[1:]) if c in best]).groupby("model")
    merged = groups.mean(numeric_only=True).reindex(rows["model"].unique())
    merged["seeds"] = groups.size().reindex(merged.index, fill_value=0)
    merged["accuracy_plus_minus"] = _plus_minus(merged, groups["accuracy"].std(ddof=1))
    merged["note"] = [_note(rows[rows["model"] == name]) for name in merged.index]
    merged = merged.drop(columns=["accuracy_low", "accuracy_high"], errors="ignore")
    merged = merged.rename(columns=_TO_PAPER_NAMES)
    if "params_millions" in merged:
        merged["params_millions"] = merged["params_millions"] / 1e6
    return merged


def _plus_minus(merged: pd.DataFrame, spread: pd.Series) -> pd.Series:
    if not {"accuracy_low", "accuracy_high"} <= set(merged):
        return spread.reindex(merged.index)
    below = merged["accuracy"] - merged["accuracy_low"]
    above = merged["accuracy_high"] - merged["accuracy"]
    wider = below.combine(above, max)
    return wider.where(merged["seeds"] <= 1, spread.reindex(merged.index))


def _note(rows: pd.DataFrame) -> str:
    good = ended_well(rows)
    lost = set(rows.loc[~good, "seed"]) - set(rows.loc[good, "seed"])
    if not lost:
        return ""
    errors = rows.loc[~good, "error"].dropna() if "error" in rows else pd.Series(dtype=str)
    reason = " ".join(str(errors.iloc[-1]).split()) if len(errors) else "no error was recorded"
    if good.any():
        return f"{len(lost)} of {rows['seed'].nunique()} seeds failed: {reason}"
    return f"failed: {reason}"
