"""Result rows: one file a run, written whole as it ends; `runs.csv` is made from them."""

from pathlib import Path

import pandas as pd

from ocrkit.errors import OcrkitError
from ocrkit.experiments.grid import Run
from ocrkit.files import atomic_file, read_json, write_json
from ocrkit.resources import resource

# Scores on images of one word or syllable: only presets with such sets have them.
ALONE_COLUMNS = (
    *("accuracy_word", "accuracy_syllable"),
    *("accuracy_word_padded", "accuracy_syllable_padded", "accuracy_mix"),
)
COLUMNS = (
    *("model", "transformation", "feature", "sequence", "prediction", "seed"),
    *("preset", "recipe", "status", "error", "steps", "images"),
    *("train_seconds", "cpu_seconds", "final_loss", "unfit_share"),
    *("accuracy", "accuracy_low", "accuracy_high"),
    *(f"accuracy_{kind}" for kind in ("basic", "background", "skew", "distortion", "blur")),
    *("accuracy_five", "accuracy_seen", *ALONE_COLUMNS),
    *("cer", "norm_ed_icdar", "norm_ed_fork_sum", "jamo_error", "test_images"),
    *("latency_1_ms_median", "latency_1_ms_p95"),
    *("latency_n_ms_median", "latency_n_ms_p95", "latency_n"),
    *("params", "params_transformation", "params_feature"),
    *("params_sequence", "params_prediction"),
    *("dataset", "device", "precision", "versions", "finished"),
)


def row_path(folder: Path, run: Run) -> Path:
    """Where a run's row lies."""
    return folder / "rows" / f"{run.name}.json"


def write_row(folder: Path, run: Run, row: dict) -> None:
    """Write a run's row, whole."""
    write_json(row_path(folder, run), row)


def read_row(folder: Path, run: Run) -> dict | None:
    """A run's row, or None where it has not ended."""
    path = row_path(folder, run)
    return read_json(path) if path.exists() else None


def assemble(folder: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put `runs.csv` and `curves.csv` together from the row files of a results folder.

    Returns:
        the rows and the learning curves, both empty where no run has ended.
    """
    folder = Path(folder)
    rows = [read_json(path) for path in sorted((folder / "rows").glob("*.json"))]
    curves = [
        {"model": row["model"], "seed": row["seed"], **point}
        for row in rows
        for point in row.pop("history", [])
    ]
    unused = [name for name in ALONE_COLUMNS if not any(name in row for row in rows)]
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name not in unused])
    points = pd.DataFrame(
        curves,
        columns=[
            *("model", "seed", "step", "images", "seconds"),
            *("train_loss", "valid_accuracy", "valid_cer", "valid_loss"),
        ],
    )
    for name, frame in (("runs.csv", table), ("curves.csv", points)):
        with atomic_file(folder / name) as temporary:
            frame.to_csv(temporary, index=False)
    return table, points


def read_results(folder: str | Path) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """The rows and curves of a results folder, or None where there are none."""
    folder = Path(folder)
    if not (folder / "runs.csv").exists():
        return None
    return _read_csv(folder / "runs.csv"), _read_csv(folder / "curves.csv")


def _read_csv(path: Path) -> pd.DataFrame:
    """A table in which "None" is a stage, not a missing value."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def reference_seconds(preset: str) -> dict[str, float]:
    """The processor time of each model's training in the committed reference run, for an ETA.

    Processor time, for it does not depend on what else that machine was doing.
    """
    try:
        rows = _read_csv(resource("results", preset, "runs.csv"))
    except OcrkitError:
        return {}
    done = rows[rows["status"] == "ok"]
    means = done.groupby("model")["cpu_seconds"].mean()
    return {str(model): float(seconds) for model, seconds in means.items()}
