"""What was found out about a set once is kept beside it, where that may be written."""

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ocrkit.data import lmdb_reading
from ocrkit.errors import OcrkitError
from ocrkit.files import read_json, write_json
from ocrkit.schemas import CheckedNote


@contextlib.contextmanager
def where_allowed() -> Iterator[None]:
    """Inside, files are written beside a set, or none where its folder or disk is read-only.

    Raises OcrkitError: the folder may be written, but its disk is full.
    """
    try:
        yield
    except OcrkitError as error:
        if getattr(error.__cause__, "errno", None) not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise


def stamp(folder: Path) -> list[int]:
    """What changes when a set's data.mdb is written anew: its size, time (ns) and inode."""
    status = (folder / "data.mdb").stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def write_checked(folder: Path) -> None:
    """Note that the data.mdb of a folder, as it is now, can be read."""
    write_json(folder / "checked.json", {"stamp": stamp(folder)})


def check_readable(folder: Path) -> None:
    """See once, in another process (`lmdb_reading`), that an LMDB can be read through.

    That it went well is noted beside it, and believed until the file changes.
    Raises OcrkitError: it cannot be read.
    """
    with contextlib.suppress(OcrkitError):
        if read_json(folder / "checked.json", CheckedNote)["stamp"] == stamp(folder):
            return
    if wrong := _read_elsewhere(folder):
        raise OcrkitError(f"{folder} is damaged ({wrong}): make or copy it again")
    with where_allowed():
        write_checked(folder)


def _read_elsewhere(folder: Path) -> str:
    """What is wrong with an LMDB, found by another process, or "".

    Raises OcrkitError: there can be no such process.
    """
    # -P: the program's own folder, full of our modules, is no place to import from.
    program = [sys.executable, "-P", lmdb_reading.__file__, str(folder)]
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        ended = subprocess.run(
            program, env=os.environ | path, capture_output=True, text=True, errors="replace"
        )
    except OSError as error:
        raise OcrkitError(f"cannot look through {folder}: {error.strerror}") from None
    if ended.returncode == 0:
        return ended.stdout.strip()
    if 0 < ended.returncode < 256:  # Python's own, and not a crash
        message = (ended.stderr.strip().splitlines() or [""])[-1]
        raise OcrkitError(f"cannot look through {folder}: {message}")
    return "to read it ends the process that reads"
