"""The report: notebook 70 run on a results folder and saved as one page; and promotion."""

import re
import shutil
import tempfile
from pathlib import Path

import pandas as pd
from rich.console import Console

from ocrkit.errors import OcrkitError
from ocrkit.experiments.presets import get_preset
from ocrkit.experiments.results import read_results
from ocrkit.experiments.runner import same_experiment
from ocrkit.files import atomic_file, atomic_folder, read_json, write_text
from ocrkit.notebooks import execute
from ocrkit.resources import report_notebook
from ocrkit.results import tables
from ocrkit.results.claims import claims_table
from ocrkit.results.mix import has_mix, mix_table
from ocrkit.results.rows import Results, reference_results, your_results
from ocrkit.results.show import to_rich
from ocrkit.schemas import Experiment

# All that a promotion may delete of the reference run before.
_KEPT_FILES = re.compile(r"(runs|curves)\.csv|experiment\.json")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>
body {{ max-width: 75rem; margin: 0 auto; padding: 1.5rem; color: #222; line-height: 1.5;
  font-family: "Noto Sans KR", NanumGothic, "Malgun Gothic", "Apple SD Gothic Neo", sans-serif; }}
h2 {{ margin-top: 2.5rem; border-top: 2px solid #0072b2; }}
p, li {{ max-width: 78ch; }}
img {{ max-width: min(100%, 60rem); height: auto; }}
pre {{ white-space: pre-wrap; }}
a.anchor-link {{ display: none; }}
.output_html {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 0.85rem; margin: 0.5rem 0 1.5rem; }}
td, th {{ padding: 0.2rem 0.7rem; }}
tbody tr + tr td {{ border-top: 1px solid #d8d8d8; }}
</style></head><body>
{body}
</body></html>
"""


def write_report(preset: str, folder: str | Path) -> Path:
    """Write tables/*.csv, figures/*.png and `report.html` into a run's folder.

    Args:
        folder: such as runs/mini; without rows in it, the reference run alone is reported.

    Returns:
        the page's path; its images are inside it.

    Raises:
        OcrkitError: no such preset; neither a run nor a reference run; rows that mix presets or
            name an unknown model; a folder not writable.
    """
    tables.all_models(*_sides(preset, folder).values())  # refuses rows that mix presets
    folder = Path(folder).absolute()
    with tempfile.TemporaryDirectory() as scratch:
        book = Path(scratch) / "report.ipynb"
        values = {"PRESET": preset, "RUN": str(folder), "OUT": str(folder)}
        execute(report_notebook(), book, parameters=values, cwd=Path.cwd())
        page = to_page(book, f"Korean sentence OCR: the paper beside our runs ({preset})")
    write_text(folder / "report.html", page)
    return folder / "report.html"


def to_page(notebook: Path, title: str) -> str:
    """An executed notebook as one self-contained page: no code, no cells tagged "lesson"."""
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import TagRemovePreprocessor

    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
    lessons = TagRemovePreprocessor(remove_cell_tags={"lesson"}, enabled=True)
    exporter.register_preprocessor(lessons, enabled=True)
    body, _ = exporter.from_filename(str(notebook))
    return _PAGE.format(title=title, body=body)


def print_tables(preset: str, folder: str | Path, console: Console) -> None:
    """Print Tables 1 and 2: the paper's, the reference run's and yours."""
    sides = _sides(preset, folder)
    to_rich(tables.table1(*sides.values()), "Table 1: accuracy against time", console)
    to_rich(tables.table2(*sides.values()), "Table 2: accuracy against parameters", console)
    for who, rows in sides.items():
        if rows is not None and has_mix(rows):
            to_rich(mix_table(rows), f"The test mix, in its parts ({who})", console)


def print_claims(preset: str, folder: str | Path, console: Console) -> None:
    """Print the paper's claims with their verdicts.

    Judged on the paper's rows beside yours, or beside the reference run's where you have none.
    """
    sides = _sides(preset, folder)
    who = "reference" if sides["yours"] is None else "yours"
    table = claims_table(sides[who], who).drop(columns=["source", "paper_verdict_sentences"])
    to_rich(table, "The paper's claims", console)


def _sides(preset: str, folder: str | Path) -> dict[str, pd.DataFrame | None]:
    get_preset(preset)  # an unknown name is an error of its own
    reference, yours = reference_results(preset), your_results(folder)
    if reference is None and yours is None:
        raise OcrkitError(
            f"no run of {preset} in {folder}: start one with `ocrkit sweep -p {preset}`"
        )
    return {"reference": reference and reference[0], "yours": yours and yours[0]}


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
