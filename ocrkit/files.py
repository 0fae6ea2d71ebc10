"""Files: written so that an interruption leaves the old or the new, and checked when read."""

import contextlib
import errno
import glob
import json
import os
import platform
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ocrkit.errors import OcrkitError
from ocrkit.schemas import Shape


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the system's disk errors into one line that names the path.

    Raises OcrkitError: no room, no right to write, or another error of the file system.
    """
    try:
        yield
    except OSError as error:
        may_not = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        advice = ": choose a folder that you may write in" if may_not else ""
        raise OcrkitError(f"cannot write {path}: {error.strerror or error}{advice}") from error


def check_writable(folder: str | Path) -> None:
    """Find out before hours of work whether their result can be written.

    Raises OcrkitError: the folder cannot be made, or nothing can be written in it.
    """
    with disk_errors(Path(folder)):
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


def _prefix(path: Path) -> str:
    """How the temporary things beside `path` begin; a process and a dot follow."""
    # The machine's name too: on a shared disk, another machine's process may well be alive.
    return f".{path.name}.{platform.node() or 'here'}-"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's process
        return True
    return True


def sweep_up(path: Path, ours: re.Pattern[str] | None = None) -> None:
    """Put right what a killed process left beside `path`: half-made things go, an old one returns.

    Between the two moves of `atomic_folder` the old folder stands under a hidden name for an
    instant; a process killed just then has left nothing at `path`.
    ours: for a folder, as in `atomic_folder`.
    Raises OcrkitError: another process is making the folder just now.
    """
    path = Path(os.path.realpath(path))
    for left in path.parent.glob(f"{glob.escape(_prefix(path))}*"):
        process = left.name.removeprefix(_prefix(path)).split(".")[0]
        if left.suffix not in (".part", ".old") or not process.isdigit():
            continue
        if _is_alive(int(process)):
            if ours and left.suffix == ".part" and int(process) != os.getpid():
                raise OcrkitError(
                    f"process {process} is writing {path} just now: let it end first, or give "
                    f"another folder (if it does something else, remove {left})"
                )
            continue
        if left.suffix == ".old" and not path.exists():
            os.replace(left, path)
        elif left.suffix == ".old":
            _remove_known(left, ours)
        elif left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _is_known(entry: Path, ours: re.Pattern[str] | None) -> bool:
    """Is it a plain file of a name that we write, or what is left of writing one?"""
    if ours is None or entry.is_symlink() or not entry.is_file():
        return False
    half_made = entry.name.startswith(".") and entry.suffix == ".part"
    return bool(ours.match(entry.name[1:]) if half_made else ours.fullmatch(entry.name))


def _remove_known(folder: Path, ours: re.Pattern[str] | None) -> None:
    """Remove a folder's known files, and the folder if it is empty then."""
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            if _is_known(entry, ours):
                entry.unlink()
        folder.rmdir()


def check_replaceable(path: str | Path, ours: re.Pattern[str]) -> None:
    """See that nobody's work is lost when the folder `path`, if there is one, is replaced.

    ours: the whole names of the files that may be deleted.
    Raises OcrkitError: `path` is no folder, or holds anything else: another file, a folder, a link.
    """
    path = Path(path)
    with disk_errors(path):
        if not path.exists():
            if path.is_symlink() and Path(os.path.realpath(path)).is_symlink():
                raise OcrkitError(f"{path} is a link that leads round to itself: give a new folder")
            return
        if not path.is_dir():
            raise OcrkitError(f"{path} is a file: give a new folder")
        strange = sorted(entry.name for entry in path.iterdir() if not _is_known(entry, ours))
    if strange:
        more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        raise OcrkitError(
            f"{path} is not replaced, for it holds {strange[0]}{more}, not written by ocrkit: "
            "give another folder, or move that away"
        )


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, moved there when the block ends well, else removed.

    Raises OcrkitError: the disk is full, the folder cannot be written, `path` is no ordinary file.
    """
    with disk_errors(Path(path)):
        given, path = path, Path(os.path.realpath(path))  # a link stays, its target is replaced
        if path.exists() and not path.is_file():  # else a device would become a file
            what = "a folder" if path.is_dir() else "a device or a pipe"
            raise OcrkitError(f"{given} is {what}: give the name of a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_up(path)
        # The same folder, for a rename is atomic only within one file system.
        prefix = f"{_prefix(path)}{os.getpid()}."
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=".part", dir=path.parent)
        os.close(handle)
        Path(name).chmod(0o644)  # mkstemp makes private files; these are meant to be shared
        try:
            yield Path(name)
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | Path, ours: re.Pattern[str]) -> Iterator[Path]:
    """A temporary folder beside `path`, which takes its place when the block ends well.

    A folder that stood there before is kept until the new one is whole. A link stays, and the
    folder that it points to is replaced.
    ours: the whole names of the files that a folder there may hold. Nothing else is ever deleted.
    Raises OcrkitError: the disk is full, the folder cannot be written, it holds something else, or
    another process is making it just now.
    """
    check_replaceable(path, ours)
    given = Path(path)
    with disk_errors(given):
        path = Path(os.path.realpath(given))
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_up(path, ours)
        prefix = f"{_prefix(path)}{os.getpid()}."
        temporary = Path(tempfile.mkdtemp(prefix=prefix, suffix=".part", dir=path.parent))
        temporary.chmod(0o755)
        try:
            yield temporary
            check_replaceable(given, ours)  # it may have taken hours
            old = temporary.with_suffix(".old")
            if path.exists():
                os.replace(path, old)
            try:
                os.replace(temporary, path)
            except OSError:
                if old.exists():
                    os.replace(old, path)
                raise
            _remove_known(old, ours)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a whole text file at once (UTF-8); what is no Unicode, as in names, is escaped."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def to_json(value: object) -> str:
    """A value as readable JSON; names that are not Unicode (of files, on Linux) are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def write_json(path: str | Path, value: object) -> None:
    """Write a value as readable JSON, at once."""
    write_text(path, to_json(value))


def read_file(path: str | Path, most: int = 2**30) -> bytes:
    """The bytes of an ordinary file.

    most: refuse larger files, which cannot be what was meant.
    Raises OcrkitError: it is missing, cannot be read, is too large, or is no ordinary file: a
    folder, or a device or a pipe, which may never end.
    """
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
            raise OcrkitError(f"{path} is {what}: give an ordinary file")
        if status.st_size > most:
            raise OcrkitError(f"{path} has {status.st_size:,} bytes: {most:,} at most can be right")
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise OcrkitError(f"{path} is missing") from None
    except OSError as error:
        raise OcrkitError(f"cannot read {path}: {error.strerror or error}") from None


def read_json(path: str | Path, shape: type[Shape] = Shape) -> dict[str, Any]:
    """Read a JSON object.

    shape: one of `ocrkit.schemas`: what the object must hold.
    Raises OcrkitError: the file is missing, is not JSON, or is of another shape; names the field.
    """
    text = read_file(path)
    try:
        value = json.loads(text)
    # Also a number of 5,000 digits (ValueError) and brackets within brackets without end.
    except (ValueError, RecursionError) as error:
        message = " ".join(str(error).split())
        raise OcrkitError(f"{path} is broken ({message}): make it again") from None
    return check_shape(value, shape, path)


def check_shape(
    value: Any, shape: type[Shape], path: str | Path, strict: bool = True
) -> dict[str, Any]:
    """A value read from a file, as it is, if it has the shape.

    strict: a text that says a number is no number; not so in tables, where all is text.
    Raises OcrkitError: it has not; names the file and the field.
    """
    try:
        shape.model_validate(value, strict=strict)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "the whole file"
        problem = first["msg"].removeprefix("Input ").split(" or instance of")[0]
        raise OcrkitError(
            f"{path} is of another shape: {field}: {problem}; make it again"
        ) from None
    return value
