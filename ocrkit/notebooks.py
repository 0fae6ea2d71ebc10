"""What every notebook needs: its opening lines, its look, and the command that runs them all."""

import base64
import io
import math
import os
import platform
import re
import time
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch
from pandas.io.formats.style import Styler
from PIL import Image

import ocrkit
from ocrkit.errors import OcrkitError
from ocrkit.files import read_json
from ocrkit.results.show import to_html
from ocrkit.training.precision import cpu_features, resolve_precision

_started = time.perf_counter()


def begin(minutes: float, smoke: bool = False) -> Path:
    """Open a notebook: say versions, device and the minutes it takes, set fonts and figure style.

    Args:
        minutes: how long the notebook took when it was measured.
        smoke: the tests' quick mode.

    Returns:
        the project's folder, made the working folder, so that `data/` and `runs/` are found.
    """
    global _started
    _started = time.perf_counter()
    root = Path.cwd()
    while not (root / "pyproject.toml").exists() and root != root.parent:
        root = root.parent
    if (root / "pyproject.toml").exists():
        os.chdir(root)
    _set_look()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    units = [name for name, there in cpu_features().items() if there]
    print(
        f"ocrkit {ocrkit.__version__}, torch {torch.__version__}, "
        f"Python {platform.python_version()}"
    )
    print(
        f"device: {device}, {os.cpu_count()} cores ({', '.join(units) or 'no bf16 units'}), "
        f"precision {resolve_precision('auto', device)}"
    )
    print(f"this notebook takes about {minutes:g} min" + (" (smoke mode)" if smoke else ""))
    return Path.cwd()


def end() -> None:
    """Close a notebook: say how long it took."""
    print(f"took {(time.perf_counter() - _started) / 60:.1f} min")


def show(frame: pd.DataFrame) -> Styler:
    """A table as the report writes it, its words to the left and its numbers to the right."""
    return to_html(frame)


def _set_look() -> None:
    """Figures in a notebook look like the report's: Korean glyphs, same colours, sharp."""
    import matplotlib as mpl

    from ocrkit.results.figures.style import korean_font

    mpl.rcParams.update(
        {
            "font.family": [korean_font(), "sans-serif"],
            "axes.unicode_minus": False,
            "figure.dpi": 110,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.alpha": 0.25,
            "image.cmap": "gray",
        }
    )


def find_notebooks(folder: str | Path = "notebooks") -> list[Path]:
    """The numbered notebooks in order, then their solutions.

    Raises:
        OcrkitError: there are none.
    """
    numbered = re.compile(r"\d\d_.*\.ipynb$")
    folder = Path(folder)
    found = sorted(p for p in folder.glob("*.ipynb") if numbered.match(p.name))
    found += sorted(p for p in (folder / "solutions").glob("*.ipynb") if numbered.match(p.name))
    if not found:
        raise OcrkitError(f"no notebooks in {folder}: run this in the project's folder")
    return found


def _read(notebook: Path) -> dict:
    """A notebook's JSON.

    Raises:
        OcrkitError: the file is missing, no JSON, or no notebook.
    """
    import nbformat

    book = read_json(notebook)
    try:
        nbformat.validate(book)
    except Exception as error:  # what is no notebook at all fails in many ways
        why = (str(error).splitlines() or [""])[0]
        raise OcrkitError(f"{notebook} is broken ({why}): it is no notebook") from None
    return book


def contents(folder: str | Path = "notebooks") -> pd.DataFrame:
    """The numbered notebooks without their solutions: columns notebook, title, minutes.

    The title is the first heading, the minutes those that its `begin` states.

    Raises:
        OcrkitError: there are none, or one is broken.
    """
    rows = []
    for path in find_notebooks(folder):
        if path.parent.name == "solutions":
            continue
        cells = ["".join(cell["source"]) for cell in _read(path)["cells"]]
        title = next((c.splitlines()[0] for c in cells if c.startswith("# ")), path.stem)
        minutes = re.search(r"begin\((?:minutes=)?([\d.]+)", "\n".join(cells))
        rows.append(
            (
                path.name,
                re.sub(r"^# (\d\d\W+)?", "", title),
                float(minutes[1]) if minutes else math.nan,
            )
        )
    return pd.DataFrame(rows, columns=["notebook", "title", "minutes"])


def execute(
    notebook: Path,
    out: Path,
    smoke: bool = False,
    parameters: Mapping[str, object] | None = None,
    cwd: Path | None = None,
) -> float:
    """Run one notebook top to bottom and save it with its outputs; return the seconds it took.

    Args:
        smoke: the notebook's quick mode.
        parameters: values for names that its cell tagged "parameters" sets.
        cwd: the folder it starts in; its own by default.

    Raises:
        OcrkitError: a cell failed, or the notebook is broken.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    _read(notebook)
    start = time.perf_counter()
    try:
        papermill.execute_notebook(
            str(notebook),
            str(out),
            parameters=dict(parameters or {}) | ({"SMOKE": True} if smoke else {}),
            cwd=str(cwd or notebook.resolve().parent),
            kernel_name="python3",
            # What the kernel logs of its own sockets and interrupts is nothing to a reader: errors
            # in a cell, and a kernel that died, are raised here.
            extra_arguments=["--IPKernelApp.log_level=50"],
            progress_bar=False,
            log_output=False,
        )
    except PapermillExecutionError as error:
        raise OcrkitError(f"{notebook.name}: {error.ename} in a cell: {error.evalue}") from error
    return time.perf_counter() - start


def tidy(notebook: Path) -> None:
    """Make a saved notebook small, and the same whoever ran it.

    Out go papermill's metadata (paths, times), widget state and absolute paths in outputs. Images
    keep the 128 colours that cover theirs best: half the size, and no eye can tell.
    """
    import nbformat

    book = nbformat.read(notebook, as_version=4)
    book.metadata.pop("papermill", None)
    book.metadata.pop("widgets", None)
    here = str(Path.cwd()) + "/"
    for cell in book.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k == "tags"}
        for output in cell.get("outputs", []):
            if "text" in output:
                output["text"] = output["text"].replace(here, "")
            if image := output.get("data", {}).get("image/png"):
                output["data"]["image/png"] = _indexed(image)
    nbformat.write(book, notebook)


def _indexed(image: str, colours: int = 128) -> str:
    """A PNG (base64) of so many colours, or as it was if it is indexed already or no larger."""
    whole = Image.open(io.BytesIO(base64.b64decode(image)))
    if whole.mode == "P":
        return image
    # The other methods drop a thin line of a rare colour. One round of k-means keeps greys grey.
    method, dither = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
    smaller = io.BytesIO()
    indexed = whole.convert("RGB").quantize(colours, method, kmeans=1, dither=dither)
    indexed.save(smaller, "PNG", optimize=True)
    return min(image, base64.b64encode(smaller.getvalue()).decode(), key=len)
