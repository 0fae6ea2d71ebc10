"""Commands that are ended at chosen moments, and what lies on disk then and afterwards."""

import contextlib
import json
import os
import random
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from forked_commands import Command

from ocrkit.data.store import ImageSet

DYING = Path(__file__).parent / "dying"


class Place:
    """A working folder, and the changes that the commands started in it have made.

    server: the address of the process from which the commands are forked.
    """

    def __init__(self, folder: Path, server: str):
        self.folder, self.log, self.server = folder, folder.with_suffix(".log"), server
        folder.mkdir()

    def changes(self) -> list[str]:
        """Every change so far, in order, and the start of every process."""
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []

    def start(
        self,
        *command: object,
        at: int | str = 0,
        after: float = 0.0,
        by: str = "SIGKILL",
        who: str = "group",
        patience: float = 600,
    ) -> tuple[int, str]:
        """Type `ocrkit COMMAND` and wait until all its processes have ended.

        Args:
            at: the change at which it is ended, or its number; 0 lets it end by itself.
            after: seconds between that change and the end.
            by, who: the signal, and whether it goes to the whole "group" or to its "first".
            patience: seconds after which something still runs that never ends.

        Returns:
            the exit code and what was printed.

        Raises:
            subprocess.TimeoutExpired: one of its processes does not end.
        """
        path = [str(DYING), *filter(None, [os.environ.get("PYTHONPATH")])]
        # What a killed process leaves in the temporary folder goes with a folder of its own.
        scratch = tempfile.TemporaryDirectory(prefix="k", ignore_cleanup_errors=True)
        environment = os.environ | {
            "TMPDIR": scratch.name,
            "PYTHONPATH": os.pathsep.join(path),
            "OMP_NUM_THREADS": "1",
            "DYING_LOG": str(self.log),
            "DYING_AT": str(at),
            "DYING_AFTER": str(after),
            "DYING_BY": by,
            "DYING_WHO": who,
        }
        typed = ("ocrkit", *map(str, command))
        process = Command(self.server, *typed, cwd=self.folder, env=environment)
        try:
            # Its processes share the pipe, which ends when the last of them has.
            printed = process.communicate(timeout=patience)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            scratch.cleanup()
        return process.returncode, printed

    def end_again_and_again(
        self, *command: object, whole: list[str], by: Sequence[str], seed: int
    ) -> int:
        """Start a command and end it by each of these signals in turn; then let it end.

        After each death and at the end, what was finished before is there and untouched, and what
        is there can be read.

        Args:
            whole: the changes that the command makes when nobody ends it.
            seed: of the moments, which are spread over what is still to do.

        Returns:
            how often it was ended; less often than asked if it came to its end before.
        """
        rng = random.Random(seed)
        for deaths, name in enumerate([*by, ""]):
            before, made, at = finished(self.folder), self.changes(), 0
            if name:
                to_come = (Counter(whole) - Counter(made)).total()
                at = len(made) + 1 + rng.randrange(max(1, to_come // (len(by) - deaths)))
            # Before a change what was written lies there whole; a little later, anything may be.
            after = rng.choice([0.0, rng.uniform(0.001, 0.05)])
            code, printed = self.start(*command, at=at, after=after, by=name or "SIGKILL")
            told = f"{command} ended by {name or 'itself'}, {self.changes()[-5:]}:\n{printed}"
            read_all(self.folder, told)
            assert_kept(before, finished(self.folder), told)
            if code == 0:
                break
        assert code == 0, told
        return deaths


def copy_of(place: Place, folder: Path, *parts: str) -> Place:
    """Another place with these files and folders of the first, times and all."""
    other = Place(folder, place.server)
    for part in parts:
        source, target = place.folder / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
    return other


def finished(folder: Path) -> dict[str, Any]:
    """What must never be made again: whole sets by their files' times, and good rows."""
    found: dict[str, Any] = {}
    for path in folder.glob("data/generated/*/[!.]*/data.mdb"):
        files = (path, path.with_name("manifest.json"))
        found[str(path.parent)] = [file.stat().st_mtime_ns for file in files]
    for path in folder.glob("runs/*/rows/[!.]*.json"):
        row = json.loads(path.read_text(encoding="utf-8"))
        if row["status"] == "ok":
            found[str(path)] = row
    return found


def assert_kept(before: dict[str, Any], now: dict[str, Any], told: str) -> None:
    """What was finished is still the very same; a row may have been timed since."""
    for name, was in before.items():
        assert name in now, f"{name} is gone: {told}"
        same = was.items() <= now[name].items() if isinstance(was, dict) else was == now[name]
        assert same, f"{name} was made again: {told}"


def read_all(folder: Path, told: str) -> None:
    """Every file but the temporaries, which begin with a dot, is whole."""
    for path, is_whole in tree_paths(folder).items():
        try:
            content(folder / path) if is_whole else None
        except Exception as error:
            raise AssertionError(f"{path} cannot be read: {told}") from error


def tree_paths(folder: Path) -> dict[str, bool]:
    """Everything below a folder: whether it is a file, and neither it nor its folder temporary."""
    paths = {str(path.relative_to(folder)): path.is_file() for path in folder.rglob("*")}
    return {path: file and "/." not in f"/{path}" for path, file in paths.items()}


def tree(folder: Path, without: str = "\0") -> dict[str, Any]:
    """Everything below a folder whose path does not hold `without`, each file by its content."""
    paths = {path: whole for path, whole in tree_paths(folder).items() if without not in path}
    return {path: content(folder / path) if whole else None for path, whole in paths.items()}


def content(path: Path) -> Any:
    """What a file says, but for the times of day and the seconds that something took."""
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_text(encoding="utf-8")))
    if path.suffix == ".csv":
        return _timeless(pd.read_csv(path, keep_default_na=False).to_dict())
    if path.suffix == ".mdb":
        images = ImageSet(path.parent)
        return [(images.image_bytes(i), images.text(i)) for i in range(len(images))]
    return path.read_bytes()


def _timeless(value: Any) -> Any:
    clocks = ("seconds", "train_seconds", "cpu_seconds", "finished", "stamp")
    if isinstance(value, list):
        return [_timeless(part) for part in value]
    if isinstance(value, dict):
        return {
            key: _timeless(part)
            for key, part in value.items()
            if key not in clocks and not str(key).startswith("latency_")
        }
    return value
