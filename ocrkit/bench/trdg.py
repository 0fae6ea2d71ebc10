"""TRDG (TextRecognitionDataGenerator, Belval, 2017-2022), which drew the paper's images.

It is used as published, through its own calls, in a process of its own: it wants older libraries
than ours.
"""

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ocrkit.bench.rates import Rate
from ocrkit.errors import OcrkitError


class Trdg:
    """A running TRDG; `start_trdg` makes one.

    Attributes:
        versions: of TRDG and of the libraries it runs on.

    Raises:
        OcrkitError: it does not run here.
    """

    def __init__(self, process: subprocess.Popen, errors: IO[str]):
        self._process, self._errors = process, errors
        self.versions: dict[str, str] = self._answer()

    def draw(self, font: str, parts: list[tuple[dict[str, Any], list[str]]]) -> Rate:
        """The rate at which it draws texts with a font file; each part has options of its own.

        Raises:
            OcrkitError: it fails.
        """
        # Where it has ended, its last words say why.
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps({"font": font, "parts": parts}) + "\n")
            self._process.stdin.flush()
        seconds = self._answer()
        count = sum(len(texts) for _, texts in parts)
        return Rate(count / seconds["processor"], count / seconds["wall"])

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().strip() or "it said nothing"
        raise OcrkitError(f"TRDG does not run here: {said.splitlines()[-1]}")


def trdg_command(python: Path | str) -> list[str]:
    """What starts TRDG's side under the Python that TRDG is installed for."""
    # -I: that Python should not take this folder's modules for its own.
    return [str(python), "-I", str(Path(__file__).with_name("trdg_side.py"))]


@contextlib.contextmanager
def start_trdg(command: list[str]) -> Iterator[Trdg]:
    """TRDG in a process of its own, which ends with the block.

    Raises:
        OcrkitError: its Python is not there, or TRDG does not run.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                encoding="utf-8",
            )
        except OSError:
            raise OcrkitError(
                "TRDG is not installed: `make bench` puts it into .venv-trdg"
            ) from None
        with process:
            try:
                yield Trdg(process, errors)
            finally:
                with contextlib.suppress(OSError):  # it may have ended first
                    process.stdin.close()
