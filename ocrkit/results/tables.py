"""Tables 1 and 2, the true frontiers, and the whole grid: the paper's, the reference's, yours.

Every table is a frame of numbers; `ocrkit.results.show` writes it for a terminal or a page.
`reference` and `yours` are result rows (`runs.csv`), or None when there is no such run: their
columns are then empty (NaN).
"""

import pandas as pd

from ocrkit import published
from ocrkit.errors import OcrkitError
from ocrkit.results.rows import SCORES, Rows, by_model

COSTS = {"time": "time_ms", "parameters": "params_millions"}
# The parts of the paper's test mix and the columns of their accuracies; the last two compare.
MIX = {
    "sentence": "accuracy_five",
    "word": "accuracy_word",
    "syllable": "accuracy_syllable",
    "word, own shape": "accuracy_word_padded",
    "syllable, own shape": "accuracy_syllable_padded",
}


def frontier(rows: pd.DataFrame, cost: str) -> pd.DataFrame:
    """The rows that no other row beats: as cheap or cheaper, as good or better, and not equal.

    rows: any frame with the columns `cost` (less is better) and accuracy_percent; rows where
        either is missing are left out.
    cost: a column, or "time" / "parameters" for `COSTS`.
    Returns the Pareto frontier, cheapest first; rows equal in both columns stay together.
    """
    cost, value = COSTS.get(cost, cost), "accuracy_percent"
    known = rows.dropna(subset=[cost, value]).sort_values([cost, value], kind="stable")
    best_at = known.groupby(cost)[value].max()
    best_cheaper = best_at.cummax().shift(fill_value=float("-inf"))
    best_here = known[value] == known[cost].map(best_at)
    return known[best_here & (known[value] > known[cost].map(best_cheaper))]


def _printed_table(number: int, reference: Rows, yours: Rows) -> pd.DataFrame:
    printed = published.tables()
    printed = printed[printed["table"] == number].reset_index(drop=True)
    shown = ["accuracy_percent", "time_ms", "params_millions"]
    table = printed[["rank", "model"]].join(printed[shown].add_prefix("paper_"))
    for source, rows in (("reference", reference), ("yours", yours)):
        merged = by_model(rows).set_index("model")[SCORES]
        table = table.join(merged.add_prefix(f"{source}_").astype(float), on="model")
    return table


def table1(reference: Rows = None, yours: Rows = None) -> pd.DataFrame:
    """Table 1 (accuracy against time): the five printed rows, and the same models run here.

    Returns columns rank, model, then accuracy_percent, time_ms and params_millions with the prefix
    paper_, reference_ and yours_; ours also accuracy_plus_minus (see `rows.by_model`).
    """
    return _printed_table(1, reference, yours)


def table2(reference: Rows = None, yours: Rows = None) -> pd.DataFrame:
    """Table 2 (accuracy against parameters), as `table1`."""
    return _printed_table(2, reference, yours)


def frontiers(cost: str, reference: Rows = None, yours: Rows = None) -> pd.DataFrame:
    """The true frontiers of the paper's 24 models, the reference run's and yours.

    The paper's part also holds the rows that its table prints without their being on the
    frontier; a source without results has no rows.

    cost: "time" or "parameters".
    Returns columns source ("paper", "reference", "yours"), model, the cost's column,
    accuracy_percent, accuracy_plus_minus, on_frontier, printed (the rank in the paper's table).
    Raises OcrkitError: the cost has another name.
    """
    column = cost_column(cost)
    printed = published.tables().query(f"table == {1 if cost == 'time' else 2}")
    ranks = printed.set_index("model")["rank"]
    parts = []
    for source, merged in sources(reference, yours).items():
        part = merged.assign(on_frontier=merged.index.isin(frontier(merged, column).index))
        if source == "paper":
            part = part[part["on_frontier"] | part["model"].isin(ranks.index)]
            part = part.assign(printed=part["model"].map(ranks))
        else:
            part = part[part["on_frontier"]].assign(printed=None)
        parts.append(part.sort_values(column).assign(source=source))
    columns = ["source", "model", column, "accuracy_percent", "accuracy_plus_minus"]
    return pd.concat(parts, ignore_index=True)[[*columns, "on_frontier", "printed"]]


def all_models(reference: Rows = None, yours: Rows = None) -> pd.DataFrame:
    """The 24 models, the paper's most accurate first, with three columns of accuracy.

    Returns columns model, paper_accuracy_percent, reference_ and yours_accuracy_percent with their
    accuracy_plus_minus, note (why a number is missing).
    """
    grid = pd.DataFrame({"model": published.model_names()})
    notes = pd.Series("", grid["model"])
    for source, rows in sources(reference, yours).items():
        merged = rows.set_index("model")
        kept = merged[["accuracy_percent", "accuracy_plus_minus"]]
        grid = grid.join(kept.add_prefix(f"{source}_"), on="model")
        note = merged["note"].astype(str)
        notes = notes.str.cat((f"{source}: " + note).where(note != "", ""), "; ", na_rep="")
    grid = grid.drop(columns="paper_accuracy_plus_minus")
    grid["note"] = notes.str.strip("; ").to_numpy()
    return grid.sort_values("paper_accuracy_percent", ascending=False, ignore_index=True)


def has_mix(rows: Rows) -> bool:
    """Do these result rows hold scores on single words and syllables?"""
    return rows is not None and MIX["word"] in rows and rows[MIX["word"]].notna().any()


def mix_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Accuracy (%) on each part of the mix and on the whole, means over seeds; the best first.

    Returns columns model, seeds, the columns of `MIX`, and accuracy_mix: sentences, words and
    syllables weighted by the paper's numbers of images.
    """
    columns = ["model", "seeds", *MIX.values(), "accuracy_mix"]
    table = by_model(rows).dropna(subset="accuracy_mix").reindex(columns=columns)
    table["seeds"] = table["seeds"].astype(int).astype(str)
    return table.sort_values("accuracy_mix", ascending=False, ignore_index=True)


def cost_column(cost: str) -> str:
    """The column of a cost. Raises OcrkitError: the cost is neither "time" nor "parameters"."""
    if cost not in COSTS:
        raise OcrkitError(f"no cost is called {cost!r}: use one of {', '.join(COSTS)}")
    return COSTS[cost]


def sources(reference: Rows, yours: Rows, *columns: str) -> dict[str, pd.DataFrame]:
    """The three sources by name, one row a model (`rows.by_model`).

    columns: only rows that have a number in each of these, and only sources that have such rows.
    """
    raw = {"paper": published.figures(), "reference": reference, "yours": yours}
    merged = {source: by_model(rows).dropna(subset=columns) for source, rows in raw.items()}
    return {source: rows for source, rows in merged.items() if len(rows) or not columns}
