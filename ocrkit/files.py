"""Writing so that an interruption leaves the old file or the new one, never half of one."""

import contextlib
import glob
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ocrkit.errors import OcrkitError


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the system's disk errors into one line that names the path.

    Raises:
        OcrkitError: no room, no right to write, or another error of the file system.
    """
    try:
        yield
    except OSError as error:
        raise OcrkitError(f"cannot write {path}: {error.strerror or error}") from error


def _prefix(path: Path) -> str:
    """How the temporary things beside `path` begin: its name and this process."""
    return f"{_shared_prefix(path)}{os.getpid()}."


def _shared_prefix(path: Path) -> str:
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


def sweep_up(path: Path) -> None:
    """Put right what a killed process left beside `path`: half-made things go, an old one returns.

    Between the two moves of `atomic_folder` the old folder stands under a hidden name for an
    instant; a process killed just then has left nothing at `path`.
    """
    for left in path.parent.glob(f"{glob.escape(_shared_prefix(path))}*"):
        process = left.name.removeprefix(_shared_prefix(path)).split(".")[0]
        if left.suffix not in (".part", ".old") or not process.isdigit() or _is_alive(int(process)):
            continue
        if left.suffix == ".old" and not path.exists():
            os.replace(left, path)
        elif left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, moved there when the block ends well, else removed.

    Raises:
        OcrkitError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_up(path)
        # The same folder, for a rename is atomic only within one file system.
        handle, name = tempfile.mkstemp(prefix=_prefix(path), suffix=".part", dir=path.parent)
        os.close(handle)
        Path(name).chmod(0o644)  # mkstemp makes private files; these are meant to be shared
        temporary = Path(name)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder beside `path`, which takes its place when the block ends well.

    A folder that stood there before is kept until the new one is whole.

    Raises:
        OcrkitError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_up(path)
        temporary = Path(tempfile.mkdtemp(prefix=_prefix(path), suffix=".part", dir=path.parent))
        temporary.chmod(0o755)
        try:
            yield temporary
            old = temporary.with_suffix(".old")
            if path.exists():
                os.replace(path, old)
            try:
                os.replace(temporary, path)
            except OSError:
                if old.exists():
                    os.replace(old, path)
                raise
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a whole text file at once (UTF-8)."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: object) -> None:
    """Write a value as readable JSON, at once."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def read_json(path: str | Path) -> dict:
    """Read a JSON object.

    Raises:
        OcrkitError: the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise OcrkitError(f"{path} is missing") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise OcrkitError(f"{path} is broken ({error}): make it again") from None
