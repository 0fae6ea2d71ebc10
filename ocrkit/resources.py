"""Paths of the small committed files: word lists, the paper's record, results."""

from pathlib import Path

from ocrkit.errors import OcrkitError

READER = "reader-ko"  # the kit's own line reader, in data/results/reader

_PACKAGE = Path(__file__).resolve().parent
# In a clone the files lie in data/ and notebooks/ beside the package; a wheel carries them inside.
_ROOTS = (_PACKAGE.parent / "data", _PACKAGE / "_data", _PACKAGE.parent)


def resource(*parts: str) -> Path:
    """Path of a committed file, in a clone or from a wheel.

    parts: path below `data/`, such as `"published", "charset_972.txt"`, or of a notebook.
    Raises OcrkitError: the file is in neither.
    """
    for root in _ROOTS:
        path = root.joinpath(*parts)
        if path.exists():
            return path
    name = "/".join(parts)
    raise OcrkitError(f"{name} is missing: this installation is incomplete, install it again")
