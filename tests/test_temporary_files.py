"""Tests that leave something in the temporary folder fail the session that ran them."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def run_pytest(folder: Path, test: str) -> tuple[int, str]:
    """Run one test function in a session of its own, with the plug-in and nothing else of ours."""
    (folder / "test_it.py").write_text(f"import tempfile\n\ndef test_it(tmp_path):\n    {test}\n")
    (folder / "tmp").mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "temporary_files", "--rootdir=.", "test_it.py"],
        cwd=folder,
        env=os.environ
        | {"PYTHONPATH": str(TESTS), "TMPDIR": str(folder / "tmp"), "OCRKIT_PATIENCE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout


@pytest.mark.parametrize(
    "test", ["tempfile.TemporaryDirectory().cleanup()", "(tmp_path / 'of-pytest').touch()"]
)
def test_a_session_that_clears_up_passes(tmp_path, test):
    code, printed = run_pytest(tmp_path, test)
    assert code == 0, printed
    assert not list((tmp_path / "tmp").glob("ocrkit-*"))


def test_a_session_that_does_not_fails_and_names_what_was_left(tmp_path):
    code, printed = run_pytest(tmp_path, "tempfile.mkdtemp(prefix='left-')")
    assert code == 1
    assert "1 passed" in printed
    assert "the tests left in the temporary folder: left-" in printed
    assert not list((tmp_path / "tmp").glob("ocrkit-*")), "it is removed all the same"


def test_the_tests_have_a_temporary_folder_of_their_own():
    assert Path(tempfile.gettempdir()).name.startswith("ocrkit-")
