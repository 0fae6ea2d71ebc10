"""Make a finished run the committed reference run: `make promote PRESET=mini`.

`python data/results/promote.py mini [FOLDER]`
"""

import shutil
import sys
from pathlib import Path

import pandas as pd

from ocrkit.errors import OcrkitError
from ocrkit.experiments.presets import get_preset
from ocrkit.experiments.results import read_results, same_experiment
from ocrkit.files import atomic_file, read_json, write_text
from ocrkit.models import MODEL_NAMES
from ocrkit.report import write_report
from ocrkit.results.rows import Results, your_results
from ocrkit.schemas import Experiment


def promote_run(preset: str, source: str | Path) -> list[Path]:
    """Make a finished run the committed reference: data/results/PRESET and figures/.

    Runs of the same experiment that the reference has and the source has not (other seeds) stay.
    Raises OcrkitError: a run of the preset's models is missing or failed.
    """
    part = get_preset(preset).models
    results = your_results(source)
    if results is None:
        raise OcrkitError(f"no run in {source}")
    # One that failed takes no other's place.
    results = (results[0][results[0]["status"] == "ok"], results[1])
    rows, curves = _with_other_seeds(results, preset, Path(source))
    missing = [name for name in part or MODEL_NAMES if name not in set(rows["model"])]
    if missing:
        raise OcrkitError(f"not promoted, {len(missing)} models are missing: {', '.join(missing)}")
    kept, drawn = Path("data/results") / preset, Path("figures")
    kept.mkdir(parents=True, exist_ok=True)  # checkpoints in it stay as they are
    for name, table in (("runs.csv", rows), ("curves.csv", curves)):
        write_text(kept / name, table.to_csv(index=False))
    write_text(kept / "experiment.json", (Path(source) / "experiment.json").read_text("utf-8"))
    page = write_report(preset, Path(source) / "reference")  # no rows there: the reference alone
    # The figures of the grid are one preset's; the mix adds its own one, other parts none.
    only = "*.png" if not part else "tps_on_the_mix.png" if preset == "mix" else ""
    for figure in sorted((page.parent / "figures").glob(only) if only else ()):
        with atomic_file(drawn / figure.name) as temporary:
            shutil.copy(figure, temporary)
    return [kept, drawn]


def _with_other_seeds(results: Results, preset: str, source: Path) -> Results:
    """The results and those runs of the committed reference that they lack, by seed."""
    here = Path("data/results") / preset
    note, committed = here / "experiment.json", read_results(here)
    if committed is None or not note.exists():
        return results
    both = (read_json(note, Experiment), read_json(source / note.name, Experiment))
    if not same_experiment(*both):
        return results
    rows, others = committed
    good = rows[rows["status"] == "ok"]
    own = set(zip(results[0]["model"], results[0]["seed"], strict=True))
    other = set(zip(good["model"], good["seed"], strict=True)) - own

    def merge(kept: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
        wanted = [pair in other for pair in zip(kept["model"], kept["seed"], strict=True)]
        both = pd.concat([kept[wanted], new], ignore_index=True)
        return both.sort_values(["seed", "model"], kind="stable", ignore_index=True)

    return merge(rows, results[0]), merge(others, results[1])


if __name__ == "__main__":
    preset, source = sys.argv[1], Path(*sys.argv[2:] or ("runs", sys.argv[1]))
    try:
        print("promoted:", *promote_run(preset, source))
    except OcrkitError as error:
        sys.exit(str(error))
