"""The report: notebook 70 run on a results folder and saved as one page."""

import os
import tempfile
from pathlib import Path

import pandas as pd
from rich.console import Console

from ocrkit.errors import OcrkitError
from ocrkit.experiments.presets import get_preset
from ocrkit.files import check_writable, write_text
from ocrkit.notebooks import execute
from ocrkit.resources import resource
from ocrkit.results import tables
from ocrkit.results.rows import reference_results, your_results
from ocrkit.results.show import to_rich

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

    folder: such as runs/mini; without rows in it, the reference run alone is reported.
    Returns the page's path; its images are inside it.
    Raises OcrkitError: no such preset; neither a run nor a reference run; rows that mix presets or
    name an unknown model; a folder not writable.
    """
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import TagRemovePreprocessor

    tables.all_models(*_sides(preset, folder).values())  # refuses rows that mix presets
    folder = Path(folder).absolute()
    check_writable(folder)
    if folder != Path(os.fsencode(folder).decode("utf-8", "replace")):
        raise OcrkitError(f"{folder} is not UTF-8: rename the folder, for the report's notebook")
    with tempfile.TemporaryDirectory() as scratch:
        book = Path(scratch) / "report.ipynb"
        values = {"PRESET": preset, "RUN": str(folder), "OUT": str(folder)}
        notebook = resource("notebooks", "70_tables_and_figures.ipynb")
        execute(notebook, book, parameters=values, cwd=Path.cwd())
        # The outputs and the text, without the code and the cells that teach.
        exporter = HTMLExporter(
            template_name="basic", exclude_input=True, exclude_output_prompt=True
        )
        lessons = TagRemovePreprocessor(remove_cell_tags={"lesson"}, enabled=True)
        exporter.register_preprocessor(lessons, enabled=True)
        body, _ = exporter.from_filename(str(book))
    title = f"Korean sentence OCR: the paper beside our runs ({preset})"
    write_text(folder / "report.html", _PAGE.format(title=title, body=body))
    return folder / "report.html"


def print_tables(preset: str, folder: str | Path, console: Console) -> None:
    """Print Tables 1 and 2: the paper's, the reference run's and yours."""
    sides = _sides(preset, folder)
    to_rich(tables.table1(*sides.values()), "Table 1: accuracy against time", console)
    to_rich(tables.table2(*sides.values()), "Table 2: accuracy against parameters", console)
    for who, rows in sides.items():
        if rows is not None and tables.has_mix(rows):
            to_rich(tables.mix_table(rows), f"The test mix, in its parts ({who})", console)


def _sides(preset: str, folder: str | Path) -> dict[str, pd.DataFrame | None]:
    get_preset(preset)  # an unknown name is an error of its own
    reference, yours = reference_results(preset), your_results(folder)
    if reference is None and yours is None:
        raise OcrkitError(
            f"no run of {preset} in {folder}: start one with `ocrkit sweep -p {preset}`"
        )
    return {"reference": reference and reference[0], "yours": yours and yours[0]}
