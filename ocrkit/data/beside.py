"""What was found out about a set once is kept beside it; on a read-only disk, in the user's cache.

The cache is `ocrkit/sets` in the system's usual place; what nobody used for a month goes.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

from ocrkit.data import lmdb_reading
from ocrkit.errors import OcrkitError
from ocrkit.files import read_json, write_json
from ocrkit.schemas import CheckedNote

_MONTH = 30 * 24 * 3600  # seconds


def places(folder: Path) -> Iterator[Path]:
    """Where the notes about a set may lie: its own folder, then one of the user's cache."""
    yield folder
    name = hashlib.sha256(os.path.realpath(folder).encode(errors="surrogateescape")).hexdigest()
    yield platformdirs.user_cache_path("ocrkit") / "sets" / name[:16]


def keep(folder: Path, write: Callable[[Path], None]) -> Path | None:
    """Have `write` write beside a set, or in the user's cache where that is not allowed.

    Returns:
        That folder; None where neither can be written.

    Raises:
        OcrkitError: the set's folder can be written, but its disk is full.
    """
    beside, cached = places(folder)
    try:
        write(beside)
        return beside
    except OcrkitError as error:
        # Was it the right to write that lacked, and not the room?
        if getattr(error.__cause__, "errno", None) not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
    try:
        _forget_old(cached.parent)
        write(cached)
        return cached
    except OcrkitError:
        return None


def in_use(place: Path) -> None:
    """Say that something at a place is used, so that it is not deleted as old."""
    with contextlib.suppress(OSError):
        os.utime(place)


def _forget_old(cache: Path) -> None:
    with contextlib.suppress(OSError):
        for kept in cache.iterdir():
            if time.time() - kept.stat().st_mtime > _MONTH:
                shutil.rmtree(kept, ignore_errors=True)


def stamp(folder: Path) -> list[int]:
    """What changes when a set's data.mdb is written anew: its size, time (ns) and inode."""
    status = (folder / "data.mdb").stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def write_checked(place: Path, stamped: list[int]) -> None:
    """Note that the data.mdb of this stamp can be read."""
    write_json(place / "checked.json", {"stamp": stamped})


def check_readable(folder: Path) -> None:
    """See once, in another process (`lmdb_reading`), that an LMDB can be read through.

    That it went well is noted, and believed until the file changes.

    Raises:
        OcrkitError: it cannot be read.
    """
    stamped = stamp(folder)
    for place in places(folder):
        with contextlib.suppress(OcrkitError):
            if read_json(place / "checked.json", CheckedNote)["stamp"] == stamped:
                return
    if wrong := _read_elsewhere(folder):
        raise OcrkitError(f"{folder} is damaged ({wrong}): make or copy it again")
    keep(folder, lambda place: write_checked(place, stamped))


def _read_elsewhere(folder: Path) -> str:
    """What is wrong with an LMDB, found by another process, or "".

    Raises:
        OcrkitError: there can be no such process.
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
    said = (ended.stderr.strip().splitlines() or [""])[-1]
    if ended.returncode in (0, lmdb_reading.DAMAGED):
        return said if ended.returncode else ""
    if 0 < ended.returncode < 256:  # neither our answer nor a crash
        raise OcrkitError(f"cannot look through {folder}: {said}")
    return "to read it ends the process that reads"
