"""Paths of the small committed files: word lists, the paper's record, results."""

from pathlib import Path

from ocrkit.errors import OcrkitError

READER = "reader-ko"  # the kit's own line reader, in data/results/reader

_PACKAGE = Path(__file__).resolve().parent
# In a clone the files lie in data/ beside the package; a wheel carries them inside it.
_ROOTS = (_PACKAGE.parent / "data", _PACKAGE / "_data")


def resource(*parts: str) -> Path:
    """Path of a committed data file, in a clone or from a wheel.

    Args:
        parts: path below `data/`, such as `"published", "charset_972.txt"`.

    Raises:
        OcrkitError: the file is in neither.
    """
    for root in _ROOTS:
        path = root.joinpath(*parts)
        if path.exists():
            return path
    name = "/".join(parts)
    raise OcrkitError(f"data/{name} is missing: this installation is incomplete, install it again")


def report_notebook() -> Path:
    """The notebook that `ocrkit report` runs, in a clone or from a wheel.

    Raises:
        OcrkitError: it is in neither.
    """
    for root in (_PACKAGE.parent, _PACKAGE / "_data"):
        path = root / "notebooks" / "70_tables_and_figures.ipynb"
        if path.exists():
            return path
    raise OcrkitError(f"{path.name} is missing: this installation is incomplete, install it again")
