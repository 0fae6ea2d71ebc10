"""The papers of the reading list side by side: what each costs, scores and taught the next.

Their scores are not a ranking: each is tested on what its paper was about.
"""

from pathlib import Path

import pandas as pd

from ocrkit.errors import OcrkitError
from ocrkit.papers.shared.study import rows
from ocrkit.papers.spotting.tesseract_trial import FILE, read_trial
from ocrkit.published import figures
from ocrkit.resources import resource

# What a run calls its telling score, and how a table says it.
METRICS = {
    "accuracy": "words right (%)",
    "f1": "F1 at IoU 0.5 (%)",
    "f1_upright": "end-to-end F1 (%)",
    "f1_rotated": "end-to-end F1 (%)",
    "centre_px": "attention to glyph centre (pixels, lower is better)",
}
# Ideas that are stages of the 24 models too: a model with it, and the same without.
IN_THE_GRID = {
    "CRNN's LSTM": ("None-VGG-BiLSTM-CTC", "None-VGG-None-CTC"),
    "GRCNN's layers, for VGG's": ("None-RCNN-BiLSTM-CTC", "None-VGG-BiLSTM-CTC"),
    "TPS, which ASTER uses": ("TPS-VGG-BiLSTM-Attn", "None-VGG-BiLSTM-Attn"),
}


def reading_list() -> pd.DataFrame:
    """The papers in the order of their years, with text in all columns; "" where there is none.

    Columns: paper, notebook (its number), study (its main one; of Tesseract, its trial), without
    (the same model without the paper's idea), title, year (of publication; TPAMI papers appear
    online sooner), venue, task, tested_on, metric (as the study's rows call it), taught_next.
    """
    return pd.read_csv(resource("published", "reading_list", "papers.csv"), dtype=str).fillna("")


def comparison(folder: Path) -> pd.DataFrame:
    """One line a paper, from the rows that its runs left in `folder`; what is not there is missing.

    Returns:
        columns paper, notebook, year, venue, task, tested_on, metric, score (mean over the seeds),
        each_seed (the scores of which it is the mean), without_it (mean score of the same model
        without the paper's idea), params_millions, time_ms (an image, batch 1; of the fastest run,
        for what else the machine does can only add), taught_next.

    Raises:
        OcrkitError: a run lacks the score that it should be told by.
    """
    listed, runs = reading_list(), pd.concat([rows(folder), _tesseract(folder)])
    lines = [_line(paper, runs) for paper in listed.itertuples()]
    return pd.DataFrame(lines).join(listed["taught_next"])


def in_the_grid(ours: pd.DataFrame) -> pd.DataFrame:
    """The ideas that are stages of the 24 models, in the 2019 study and in our runs of the grid.

    Args:
        ours: rows with model, seed and accuracy (percent).

    Returns:
        columns idea, model, instead_of (the model without it), study and study_without (percent,
        published), score and without_it (percent, means over our seeds), each_seed.
    """
    published = figures().set_index("model")["accuracy_percent"]
    lines = []
    for idea, (model, other) in IN_THE_GRID.items():
        each, plain = (ours[ours["model"] == m].sort_values("seed") for m in (model, other))
        lines.append(
            {
                "idea": idea,
                "model": model,
                "instead_of": other,
                "study": published[model],
                "study_without": published[other],
                "score": each["accuracy"].mean(),
                "each_seed": _listed(each["accuracy"]),
                "without_it": plain["accuracy"].mean(),
            }
        )
    return pd.DataFrame(lines)


def _tesseract(folder: Path) -> pd.DataFrame:
    """Tesseract's trial on upright scenes, in the form of a study's run; no row without a trial."""
    if not (folder / FILE).exists():
        return pd.DataFrame()
    trial = read_trial(folder).set_index(["task", "kind", "setting"])
    row = trial.loc[("scenes", "upright, large letters", "sparse, x1")]
    told = {"params": float("nan"), "ms_image": row["ms_image"], "f1_upright": row["f1_read"]}
    return pd.DataFrame([{"study": "tesseract", "seed": 0, **told}])


def _line(paper: tuple, runs: pd.DataFrame) -> dict[str, object]:
    own, scores = _runs(runs, paper.study), _scores(runs, paper.study, paper.metric)
    return {
        "paper": paper.paper,
        "notebook": paper.notebook,
        "year": paper.year,
        "venue": paper.venue,
        "task": paper.task,
        "tested_on": paper.tested_on or None,
        "metric": METRICS[paper.metric] if paper.metric else None,
        "score": scores.mean(),
        "each_seed": _listed(scores),
        "without_it": _scores(runs, paper.without, paper.metric).mean(),
        "params_millions": own["params"].mean() / 1e6 if len(own) else float("nan"),
        "time_ms": own["ms_image"].min() if len(own) else float("nan"),
    }


def _listed(scores: pd.Series) -> str | None:
    return ", ".join(f"{score:.1f}" for score in scores) or None


def _runs(runs: pd.DataFrame, study: str) -> pd.DataFrame:
    if not study or runs.empty:
        return runs.iloc[:0]
    return runs[runs["study"] == study].sort_values("seed")


def _scores(runs: pd.DataFrame, study: str, metric: str) -> pd.Series:
    own = _runs(runs, study)
    if not len(own):
        return pd.Series(dtype=float)
    # A column may be there for other papers' sake, and empty here.
    if metric not in own or own[metric].isna().any():
        raise OcrkitError(f"a run of {study} has no score called {metric!r}: train it again")
    return own[metric]
