"""What every notebook needs: its opening lines, its look, and how it is run."""

import os
import platform
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import torch

import ocrkit
from ocrkit.errors import OcrkitError
from ocrkit.results.show import to_html as show
from ocrkit.training.precision import cpu_features, resolve_precision

__all__ = ["begin", "end", "execute", "show"]

_started = time.perf_counter()
_ALONE = 'README.md says how to get one ("A notebook opened alone")'


def begin(minutes: float, smoke: bool = False) -> None:
    """Open a notebook: say versions, device and the minutes it takes, set fonts and figure style.

    The project's folder becomes the working folder, so that `data/` and `runs/` are found; without
    a clone a line says what to do.
    minutes: how long the notebook took when it was measured.
    smoke: the tests' quick mode.
    """
    global _started
    _started = time.perf_counter()
    if root := _find_clone():
        os.chdir(root)
    _set_look()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    units = [name for name, there in cpu_features().items() if there]
    versions = f"ocrkit {ocrkit.__version__}, torch {torch.__version__}"
    print(f"{versions}, Python {platform.python_version()}")
    print(
        f"device: {device}, {os.cpu_count()} cores ({', '.join(units) or 'no bf16 units'}), "
        f"precision {resolve_precision('auto', device)}"
    )
    print(f"this notebook takes about {minutes:g} min" + (" (smoke mode)" if smoke else ""))
    if not root:
        from IPython.core.getipython import get_ipython

        print(f"no clone of ocrkit here: data/ is looked for in {Path.cwd()}; {_ALONE}")
        if shell := get_ipython():
            shell.set_custom_exc((FileNotFoundError, OcrkitError), _say_what_is_missing)


def _say_what_is_missing(
    shell: Any, kind: type, error: Exception, trace: object, tb_offset: int | None = None
) -> None:
    """One line for a file of the clone that a cell has looked for, not a traceback."""
    missing = getattr(error, "filename", None) or error
    line = f"{missing}: files of data/ lie in a clone of ocrkit; {_ALONE}"
    shell._showtraceback(kind, error, [line])


def _find_clone() -> Path | None:
    """The clone that the working folder lies in, else the one that ocrkit was imported from."""
    above = [Path.cwd(), *Path.cwd().parents, Path(ocrkit.__file__).resolve().parents[1]]
    return next((folder for folder in above if (folder / "data/published").exists()), None)


def end() -> None:
    """Close a notebook: say how long it took."""
    print(f"took {(time.perf_counter() - _started) / 60:.1f} min")


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


def execute(
    notebook: Path,
    out: Path,
    parameters: Mapping[str, object] | None = None,
    cwd: Path | None = None,
) -> float:
    """Run one notebook top to bottom and save it with its outputs; return the seconds it took.

    parameters: values for names that its cell tagged "parameters" sets.
    cwd: the folder it starts in; its own by default.
    Raises OcrkitError: a cell failed.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    start = time.perf_counter()
    try:
        # Kernels know no one's settings of IPython: a person's start-up files have no place in what
        # is saved, and a home that cannot be written is complained of.
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            mock.patch.dict(os.environ, IPYTHONDIR=folder),
        ):
            papermill.execute_notebook(
                str(notebook),
                str(out),
                parameters=dict(parameters or {}),
                cwd=str(cwd or notebook.resolve().parent),
                kernel_name="python3",
                # What the kernel logs of its own sockets and interrupts is nothing to a reader:
                # errors in a cell, and a kernel that died, are raised here.
                extra_arguments=["--IPKernelApp.log_level=50"],
                # Else the whole notebook is written before and after each of its cells.
                request_save_on_cell_execute=False,
                progress_bar=False,
                log_output=False,
            )
    except PapermillExecutionError as error:
        raise OcrkitError(f"{notebook.name}: {error.ename} in a cell: {error.evalue}") from error
    return time.perf_counter() - start
