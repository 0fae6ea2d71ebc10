"""A pytest plug-in: the tests leave nothing in the temporary folder, or the session fails.

All tests and what they start get a temporary folder of their own (TMPDIR). What lies in it at the
end was left by a test. pytest's own folders, of which it keeps the last three, stay where they are.
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

# Seconds that processes which are just ending have to clear up: long on a busy machine.
PATIENCE = float(os.environ.get("OCRKIT_PATIENCE", "60"))


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # xdist: the first process checks for all
        return
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    # torch's cache of compiled kernels is meant to stay, and is no business of the system's folder.
    if cache := getattr(config, "cache", None):
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache.mkdir("torchinductor")))
    # A short name: the paths of Ray's sockets below it have at most 107 characters.
    os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp(prefix="ocrkit-")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        return
    folder = Path(os.environ["TMPDIR"])
    start = time.monotonic()
    while (left := _left_in(folder)) and time.monotonic() - start < PATIENCE:
        time.sleep(0.2)
    if left:
        names = ", ".join(map(_describe, left))
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line(f"\nthe tests left in the temporary folder: {names}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    shutil.rmtree(folder, ignore_errors=True)


def _left_in(folder: Path) -> list[Path]:
    """What lies there, less torch's folder of compiled kernels and headers.

    TORCHINDUCTOR_CACHE_DIR moves most of them elsewhere, but not all.
    """
    return [p for p in sorted(folder.iterdir()) if not p.name.startswith("torchinductor_")]


def _describe(path: Path) -> str:
    """Its name and, of a folder, what is in it: enough to find the test."""
    if not path.is_dir():
        return path.name
    inside = sorted(p.relative_to(path).as_posix() for p in path.rglob("*"))
    return f"{path.name} ({', '.join(inside[:3]) or 'empty'})"
