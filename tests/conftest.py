"""What all tests share: one thread, no deadlines, the shape of an error, and typed commands.

Whatever only some tests need is imported where it is used, so that `tests/training/test_cuda.py`
runs on a machine that has torch, numpy and pytest alone.
"""

import os

# Fixtures and processes too: where each file is run by a process of its own, threads that wait for
# one another on the same processors take many times as long as one. Before numpy and torch come.
os.environ["OMP_NUM_THREADS"] = "1"

import contextlib
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import torch

from ocrkit.errors import OcrkitError

pytest_plugins = ["temporary_files"]

# A shell starts what it runs in the background deaf to Ctrl-C, and all that is started from there
# inherits it: tests of Ctrl-C need ears.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

with contextlib.suppress(ImportError):
    import hypothesis

    # A deadline would measure the machine, not the code.
    # A gate must not open or shut by luck: where CI is set the examples are the same each time.
    # On a desk they are new ones, and find what nobody thought of.
    same = bool(os.environ.get("CI"))
    hypothesis.settings.register_profile("ocrkit", deadline=None, max_examples=60, derandomize=same)
    hypothesis.settings.load_profile("ocrkit")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one file share what they train, so one process runs them; notebooks share nothing.

    Without the exception, one process would run notebooks long after the other has finished.
    """
    for item in items:
        if not item.name.startswith("test_runs_in_smoke_mode["):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@contextmanager
def _refused(pattern: str) -> Iterator[None]:
    with pytest.raises(OcrkitError, match=pattern) as caught:
        yield
    assert len(str(caught.value).splitlines()) == 1, "an error for a user is one line"


@pytest.fixture(scope="session")
def refused() -> Callable[[str], AbstractContextManager[None]]:
    """`with refused("what it says"): ...`: an OcrkitError of one line."""
    return _refused


@pytest.fixture
def ocrkit(capfd, monkeypatch):
    """Type `ocrkit ARGS`: the exit code, what was printed, what was complained of."""
    from ocrkit.cli import main

    def run(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ocrkit", *map(str, args)])
        monkeypatch.setenv("COLUMNS", "80")
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def complains(ocrkit):
    """Type what cannot work: one line of complaint, exit code 1, no traceback; the line."""

    def run(*args: object) -> str:
        code, _, complaint = ocrkit(*args)
        assert code == 1, complaint
        assert len(complaint.splitlines()) == 1, complaint
        assert complaint.startswith("ocrkit: ")
        return complaint

    return run


@pytest.fixture(scope="session")
def kernels() -> Iterator[str]:
    """The folder of a kernel that is there in a moment: see `forked_kernels`."""
    from forked_kernels import forked_kernels

    with tempfile.TemporaryDirectory() as folder, forked_kernels(Path(folder)):
        yield folder


@pytest.fixture(scope="session")
def server(kernels) -> str:
    """The address of the process from which commands are forked: each would import torch."""
    return f"{kernels}/s"


@pytest.fixture(scope="module")
def forked(kernels) -> Iterator[None]:
    """Notebooks that the module's tests run, reports among them, have such a kernel."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("JUPYTER_PATH", kernels)
        yield


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A folder in which `ocrkit train` has run: data/generated/smoke and runs/smoke."""
    from ocrkit.cli import main

    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setattr(sys, "argv", ["ocrkit", "train", "None-VGG-None-CTC", "--preset", "smoke"])
        with pytest.raises(SystemExit) as end:
            main()
    assert not end.value.code
    return folder
