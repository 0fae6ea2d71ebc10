"""Tables 1 and 2, the true frontiers, and the whole grid: the paper's, the reference's, yours.

Every table is a frame of numbers; `ocrkit.results.show` writes it for a terminal or a page.
`reference` and `yours` are result rows (`runs.csv`), or None when there is no such run: their
columns are then empty (NaN).
"""

import pandas as pd

from ocrkit import published
from ocrkit.errors import OcrkitError
from ocrkit.experiments.presets import KINDS
from ocrkit.results.rows import by_model

COSTS = {"time": "time_ms", "parameters": "params_millions"}
_TABLE_OF_COST = {"time_ms": 1, "params_millions": 2}
_SCORES = ["accuracy_percent", "accuracy_plus_minus", "time_ms", "params_millions"]


def frontier(rows: pd.DataFrame, cost: str, value: str = "accuracy_percent") -> pd.DataFrame:
    """The rows that no other row beats: as cheap or cheaper, as good or better, and not equal.

    Args:
        rows: any frame with the columns `cost` (less is better) and `value` (more is better);
            rows where either is missing are left out.
        cost: a column, or "time" / "parameters" for `COSTS`.

    Returns:
        The Pareto frontier, cheapest first; rows equal in both columns stay together.
    """
    cost = COSTS.get(cost, cost)
    known = rows.dropna(subset=[cost, value]).sort_values([cost, value], kind="stable")
    best_at = known.groupby(cost)[value].max()
    best_cheaper = best_at.cummax().shift(fill_value=float("-inf"))
    best_here = known[value] == known[cost].map(best_at)
    return known[best_here & (known[value] > known[cost].map(best_cheaper))]


def table1(
    reference: pd.DataFrame | None = None, yours: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Table 1 (accuracy against time): the five printed rows, and the same models run here.

    Args:
        reference, yours: result rows, or None.

    Returns:
        Columns rank, model, then accuracy_percent, time_ms and params_millions with the prefix
        paper_, reference_ and yours_; ours also accuracy_plus_minus (see `rows.by_model`).
    """
    return _printed_table(1, reference, yours)


def table2(
    reference: pd.DataFrame | None = None, yours: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Table 2 (accuracy against parameters): arguments and columns as `table1`."""
    return _printed_table(2, reference, yours)


def frontiers(
    cost: str, reference: pd.DataFrame | None = None, yours: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The true frontiers of the paper's 24 models, the reference run's and yours.

    The paper's part also holds the rows that its table prints without their being on the
    frontier, and says of each why; a source without results has no rows.

    Args:
        cost: "time" or "parameters".
        reference, yours: result rows, or None.

    Returns:
        Columns source ("paper", "reference", "yours"), model, the cost's column,
        accuracy_percent, accuracy_plus_minus, on_frontier, remark.

    Raises:
        OcrkitError: the cost has another name.
    """
    column = cost_column(cost)
    parts = []
    for source, rows in sources(reference, yours).items():
        merged = by_model(rows)
        part = frontier(merged, column).assign(on_frontier=True, remark="")
        if source == "paper":
            part = _beside_the_printed(part, merged, column)
        parts.append(part.assign(source=source))
    columns = ["source", "model", column, "accuracy_percent", "accuracy_plus_minus"]
    return pd.concat(parts, ignore_index=True)[[*columns, "on_frontier", "remark"]]


def all_models(
    reference: pd.DataFrame | None = None, yours: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The 24 models, the paper's most accurate first, with three columns of accuracy.

    Returns:
        Columns model, paper_accuracy_percent, reference_ and yours_accuracy_percent with their
        accuracy_plus_minus, note (why a number is missing).
    """
    grid = pd.DataFrame({"model": published.model_names()})
    notes = pd.Series("", grid["model"])
    for source, rows in sources(reference, yours).items():
        merged = by_model(rows).set_index("model")
        kept = merged[["accuracy_percent", "accuracy_plus_minus"]]
        grid = grid.join(kept.add_prefix(f"{source}_"), on="model")
        said = merged["note"].astype(str)
        notes = notes.str.cat((f"{source}: " + said).where(said != "", ""), "; ", na_rep="")
    grid = grid.drop(columns="paper_accuracy_plus_minus")
    grid["note"] = notes.str.strip("; ").to_numpy()
    return grid.sort_values("paper_accuracy_percent", ascending=False, ignore_index=True)


def kinds_table(rows: pd.DataFrame | None) -> pd.DataFrame:
    """Accuracy on each of the five kinds of sentence, unseen words; the most accurate first.

    Returns:
        Columns model, accuracy_basic .. accuracy_blur, accuracy_five (the mean of the five),
        accuracy_basic_skew (the two kinds trained on, together), accuracy_seen (these two again,
        with words seen in training).
    """
    kinds = [f"accuracy_{kind}" for kind in KINDS]
    table = measures(rows, [*kinds, "accuracy_five", "accuracy_percent", "accuracy_seen"])
    return table.rename(columns={"accuracy_percent": "accuracy_basic_skew"})


def measures(rows: pd.DataFrame | None, columns: list[str]) -> pd.DataFrame:
    """Columns of `rows.by_model` (NaN where a run has none), the most accurate model first.

    Args:
        columns: "accuracy_percent" among them.
    """
    merged = by_model(rows).reindex(columns=["model", *columns])
    merged[columns] = merged[columns].astype(float)
    return merged.sort_values("accuracy_percent", ascending=False, ignore_index=True)


def cost_column(cost: str) -> str:
    """The column of a cost.

    Raises:
        OcrkitError: the cost is neither "time" nor "parameters".
    """
    if cost not in COSTS:
        raise OcrkitError(f"no cost is called {cost!r}: use one of {', '.join(COSTS)}")
    return COSTS[cost]


def sources(
    reference: pd.DataFrame | None, yours: pd.DataFrame | None
) -> dict[str, pd.DataFrame | None]:
    """The three sources by name: the paper's 24 rows and result rows."""
    return {"paper": published.figures(), "reference": reference, "yours": yours}


def _printed_table(
    number: int, reference: pd.DataFrame | None, yours: pd.DataFrame | None
) -> pd.DataFrame:
    printed = published.tables()
    printed = printed[printed["table"] == number].reset_index(drop=True)
    shown = ["accuracy_percent", "time_ms", "params_millions"]
    table = printed[["rank", "model"]].join(printed[shown].add_prefix("paper_"))
    for source, rows in (("reference", reference), ("yours", yours)):
        merged = by_model(rows).set_index("model")[_SCORES]
        table = table.join(merged.add_prefix(f"{source}_").astype(float), on="model")
    return table


def _beside_the_printed(part: pd.DataFrame, merged: pd.DataFrame, column: str) -> pd.DataFrame:
    printed = published.tables()
    printed = printed[printed["table"] == _TABLE_OF_COST[column]].set_index("model")["rank"]
    ranks = part["model"].map(printed)
    part["remark"] = [
        "on the frontier, though the printed table leaves it out"
        if pd.isna(rank)
        else f"printed as {rank}"
        for rank in ranks
    ]
    extra = merged[merged["model"].isin(set(printed.index) - set(part["model"]))]
    cheaper = "faster" if column == "time_ms" else "smaller"
    remarks = []
    for row in extra.itertuples():
        better = merged[
            (merged[column] < getattr(row, column))
            & (merged["accuracy_percent"] > row.accuracy_percent)
        ]
        best = better.loc[better["accuracy_percent"].idxmax(), "model"]
        rank = printed[row.model]
        rival = f"{printed[best]} ({best})" if best in printed else best
        remarks.append(
            f"printed as {rank}, but not on the frontier: {rival} is {cheaper} and more accurate"
        )
    return pd.concat([part, extra.assign(on_frontier=False, remark=remarks)])
