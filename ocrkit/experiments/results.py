"""Result rows: one file a run, written whole as it ends; `runs.csv` is made from them."""

import csv
import io
import json
import warnings
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import AfterValidator, Field, create_model

from ocrkit.errors import OcrkitError
from ocrkit.experiments.datasets import DataSets
from ocrkit.experiments.grid import Run
from ocrkit.experiments.presets import KINDS, Preset
from ocrkit.files import atomic_file, check_shape, read_json, write_json
from ocrkit.models import parse_name
from ocrkit.resources import resource
from ocrkit.schemas import Count, Experiment, Row, Shape

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
    *(f"accuracy_{kind}" for kind in KINDS),
    *("accuracy_five", "accuracy_seen", *ALONE_COLUMNS),
    *("cer", "norm_ed_icdar", "norm_ed_fork_sum", "jamo_error", "test_images"),
    *("latency_1_ms_median", "latency_1_ms_p95"),
    *("latency_n_ms_median", "latency_n_ms_p95", "latency_n"),
    *("params", "params_transformation", "params_feature"),
    *("params_sequence", "params_prediction"),
    *("dataset", "device", "precision", "versions", "finished"),
)

# Those that are no numbers.
WORDS = (
    *("model", "transformation", "feature", "sequence", "prediction", "preset", "recipe"),
    *("status", "error", "dataset", "device", "precision", "versions", "finished"),
)


def _known(model: str) -> str:
    parse_name(model)
    return model


_NUMBER, _PERCENT = float | None, Annotated[float | None, Field(ge=0, le=100)]
_SCORES: dict[str, Any] = {
    name: (_PERCENT if name.startswith("accuracy") else _NUMBER, None)
    for name in COLUMNS
    if name not in (*WORDS, "seed")
}
# A row in a file of its own or in `runs.csv`: a model that there is, and numbers that can be.
RunRow: type[Row] = create_model(
    "RunRow", __base__=Row, model=(Annotated[str, AfterValidator(_known)], ...), **_SCORES
)


class CurvePoint(Shape):
    """A row of `curves.csv`."""

    model: str
    seed: int
    step: Count
    valid_accuracy: float | None = None
    train_loss: float | None = None


def row_path(folder: Path, run: Run) -> Path:
    """Where a run's row lies."""
    return folder / "rows" / f"{run.name}.json"


def write_row(folder: Path, run: Run, row: dict) -> None:
    """Write a run's row, whole."""
    write_json(row_path(folder, run), row)


def read_row(folder: Path, run: Run) -> dict | None:
    """A run's row; None where it has not ended, or its file is damaged (a warning names it)."""
    path = row_path(folder, run)
    return _row_of(path) if path.exists() else None


def _row_of(path: Path) -> dict | None:
    try:
        return read_json(path, RunRow)
    except OcrkitError as error:  # one bad row stops no sweep and no report
        warnings.warn(f"left out: {error}", stacklevel=3)
        return None


def check_folder(folder: Path, preset: Preset, data: DataSets) -> None:
    """Refuse to mix the rows of two experiments in one folder.

    Raises OcrkitError: the folder holds rows of other data or of another preset.
    """
    note = {"preset": json.loads(json.dumps(preset.as_dict())), "dataset": data.fingerprint}
    path = folder / "experiment.json"
    if path.exists() and not same_experiment(read_json(path, Experiment), note):
        raise OcrkitError(
            f"{folder} holds the runs of another experiment (other data or settings): "
            f"move it away, or choose another folder with --out"
        )
    write_json(path, note)


def same_experiment(one: dict, other: dict) -> bool:
    """Do two notes (`experiment.json`) tell of the same data and settings?

    The unfit limit does not count: it decides what is refused and trains nothing.
    """
    presets = [{**note["preset"], "unfit_limit": None} for note in (one, other)]
    return presets[0] == presets[1] and one["dataset"] == other["dataset"]


def assemble(folder: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put `runs.csv` and `curves.csv` together from the row files of a results folder.

    Damaged row files are left out; warnings name them.
    Returns the rows and the learning curves, both empty where no run has ended.
    """
    folder = Path(folder)
    rows = [row for path in sorted((folder / "rows").glob("*.json")) if (row := _row_of(path))]
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
    """The rows and curves of a results folder, or None where there are none.

    Rows that cannot be right are left out; warnings name them.
    Raises OcrkitError: a table cannot be read at all.
    """
    folder = Path(folder)
    if not (folder / "runs.csv").exists():
        return None
    curves = _read_csv(folder / "curves.csv", CurvePoint)
    return _read_csv(folder / "runs.csv", RunRow), curves


def _read_csv(path: Path, shape: type[Shape]) -> pd.DataFrame:
    """A table in which "None" is a stage, not a missing value."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            names, rows = list(table.fieldnames or ()), list(table)
    except (OSError, UnicodeError, csv.Error) as error:
        message = " ".join(str(error).split())
        raise OcrkitError(f"{path} is broken ({message}): make it again") from None
    needed = [name for name, field in shape.model_fields.items() if field.is_required()]
    if absent := [name for name in needed if name not in names]:
        raise OcrkitError(f"{path} is broken (no column {absent[0]}): make it again")
    good = []
    for number, row in enumerate(rows, start=1):
        where = f"{path}, row {number}"
        try:
            if None in row:  # where DictReader puts what is beyond the last column
                raise OcrkitError(f"{where} has too many cells")
            cells = {name: cell for name, cell in row.items() if cell}
            good.append(check_shape(cells, shape, where, strict=False))
        except OcrkitError as error:
            warnings.warn(f"left out: {error}", stacklevel=3)
    # Through text, for pandas to find out which columns are numbers.
    text = io.StringIO(pd.DataFrame(good, columns=names).to_csv(index=False))
    return pd.read_csv(text, keep_default_na=False, na_values=[""])


def reference_seconds(preset: str) -> dict[str, float]:
    """The processor time of each model's training in the committed reference run, for an ETA.

    Processor time, for it does not depend on what else that machine was doing; the median, for some
    seeds may have been trained on slower machines.
    """
    try:
        rows = _read_csv(resource("results", preset, "runs.csv"), RunRow)
    except OcrkitError:
        return {}
    medians = rows[rows["status"] == "ok"].groupby("model")["cpu_seconds"].median()
    return {str(model): float(seconds) for model, seconds in medians.items()}
