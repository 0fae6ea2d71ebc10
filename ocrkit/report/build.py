"""From a results folder to its printed tables and its report page; and promotion to reference."""

import re
import shutil
from pathlib import Path

import pandas as pd
from PIL import Image
from rich.console import Console

from ocrkit.data.store import ImageSet
from ocrkit.errors import OcrkitError
from ocrkit.experiments.presets import KINDS, get_preset
from ocrkit.experiments.results import assemble, read_results
from ocrkit.experiments.runner import same_experiment
from ocrkit.files import atomic_file, atomic_folder, read_json
from ocrkit.report import tables
from ocrkit.report.claims import claims_table
from ocrkit.report.mix import has_mix, mix_table
from ocrkit.report.page import MIX_FIGURE, write_report
from ocrkit.report.reviewers import answers_to_reviewers
from ocrkit.report.text import to_rich
from ocrkit.resources import resource

Results = tuple[pd.DataFrame, pd.DataFrame]
# All that a promotion may delete of the reference run before.
_KEPT_FILES = re.compile(r"(runs|curves)\.csv|experiment\.json")


def reference_results(preset: str) -> Results | None:
    """The committed reference run of a preset, or None where there is none."""
    try:
        return read_results(resource("results", preset))
    except OcrkitError:
        return None


def your_results(folder: str | Path) -> Results | None:
    """The runs under a folder of your own, or None where no run has ended."""
    folder = Path(folder)
    if not (folder / "rows").is_dir():
        return None
    assemble(folder)
    return read_results(folder)


def kind_samples(data: str | Path, each: int = 2) -> dict[str, list[Image.Image]] | None:
    """The longest words among the first test images, for Figure 3; None without data.

    The longest, for a single syllable beside a line of text would be drawn as large as the line.
    """
    try:
        sets = {kind: ImageSet(Path(data) / f"test-{kind}") for kind in KINDS}
        chosen = {
            kind: sorted(range(min(60, len(s))), key=lambda i: -len(s.text(i)))[:each]
            for kind, s in sets.items()
        }
        return {kind: [sets[kind].image(i) for i in rows] for kind, rows in chosen.items()}
    except OcrkitError:
        return None


def build_report(
    preset: str, folder: str | Path, out: str | Path | None = None, reference_only: bool = False
) -> Path:
    """Write tables, figures and `report.html`; return the page's path.

    Args:
        folder: a run's folder, such as runs/mini.
        out: where to write; the run's folder by default.
        reference_only: leave "yours" out, for the committed figures.
    """
    get_preset(preset)  # an unknown name is an error of its own
    reference = reference_results(preset)
    yours = None if reference_only else your_results(folder)
    if reference is None and yours is None:
        raise OcrkitError(
            f"no run of {preset} in {folder}: start one with `ocrkit sweep -p {preset}`"
        )
    return write_report(
        out or folder,
        reference=reference and reference[0],
        yours=yours and yours[0],
        reference_curves=reference and reference[1],
        curves=yours and yours[1],
        samples=kind_samples(Path("data/generated") / get_preset(preset).name),
    )


def print_tables(preset: str, folder: str | Path, console: Console) -> None:
    """Print Tables 1 and 2: the paper's, the reference run's and yours."""
    reference, yours = reference_results(preset), your_results(folder)
    sides = (None, reference and reference[0], yours and yours[0])
    to_rich(tables.table1(*sides), "Table 1: accuracy against time", console)
    to_rich(tables.table2(*sides), "Table 2: accuracy against parameters", console)
    for who, rows in (("reference", sides[1]), ("yours", sides[2])):
        if has_mix(rows):
            to_rich(mix_table(rows), f"The test mix, in its parts ({who})", console)


def print_claims(preset: str, folder: str | Path, console: Console) -> None:
    """Print the paper's claims with their verdicts, and what the reviewers of 2019 asked for.

    Judged on the paper's rows beside yours, or beside the reference run's where you have none.
    """
    yours, reference = your_results(folder), reference_results(preset)
    rows, who = (yours, "yours") if yours else (reference, "reference")
    judged = rows and rows[0]
    to_rich(claims_table(judged, who), "The paper's claims", console)
    for question, answer in answers_to_reviewers(judged):
        console.print(f"\n{question}", style="bold", markup=False)
        for sentence in answer:
            console.print(f"- {sentence}", markup=False, highlight=False)


def promote_run(preset: str, source: str | Path) -> list[Path]:
    """Make a finished run the committed reference: data/results/PRESET and figures/.

    Runs of the same experiment that the reference has and the source has not (other seeds) stay.

    Raises:
        OcrkitError: a run of the preset's models is missing or failed.
    """
    from ocrkit.models import MODEL_NAMES

    part = get_preset(preset).models
    results = your_results(source)
    if results is None:
        raise OcrkitError(f"no run in {source}")
    rows, curves = _with_other_seeds(results, preset, Path(source))
    good = set(rows[rows["status"] == "ok"]["model"])
    missing = [name for name in part or MODEL_NAMES if name not in good]
    if missing:
        raise OcrkitError(f"not promoted, {len(missing)} models are missing: {', '.join(missing)}")
    kept, drawn = Path("data/results") / preset, Path("figures")
    with atomic_folder(kept, _KEPT_FILES) as folder:
        rows.to_csv(folder / "runs.csv", index=False)
        curves.to_csv(folder / "curves.csv", index=False)
        shutil.copy(Path(source) / "experiment.json", folder)
    page = build_report(preset, source, out=Path(source) / "reference", reference_only=True)
    # The figures of the grid are one preset's; the mix adds its own one, other parts none.
    only = "*.png" if not part else f"{MIX_FIGURE}.png" if preset == "mix" else ""
    for figure in sorted((page.parent / "figures").glob(only) if only else ()):
        with atomic_file(drawn / figure.name) as temporary:
            shutil.copy(figure, temporary)
    return [kept, drawn]


def _with_other_seeds(results: Results, preset: str, source: Path) -> Results:
    """The results and those runs of the committed reference that they lack, by seed."""
    here = Path("data/results") / preset
    note = here / "experiment.json"
    if not note.exists() or not same_experiment(read_json(note), read_json(source / note.name)):
        return results
    committed = read_results(here)
    rows, _ = committed
    good = rows[rows["status"] == "ok"]
    own = set(zip(results[0]["model"], results[0]["seed"], strict=True))
    other = set(zip(good["model"], good["seed"], strict=True)) - own

    def merge(kept: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
        wanted = [pair in other for pair in zip(kept["model"], kept["seed"], strict=True)]
        both = pd.concat([kept[wanted], new], ignore_index=True)
        return both.sort_values(["seed", "model"], kind="stable", ignore_index=True)

    return merge(rows, results[0]), merge(committed[1], results[1])
