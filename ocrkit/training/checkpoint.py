"""Full checkpoints: everything a run needs to go on as if it had never stopped.

The sampler needs no state of its own: a batch is a function of (seed, step).
"""

import logging
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_file

LAST, BEFORE = "last.pt", "before.pt"
logger = logging.getLogger(__name__)


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """What tells two runs apart, such as "seed, recipe (steps, batch_size)"."""
    said = []
    for key in {**ours, **theirs}:
        one, other = ours.get(key), theirs.get(key)
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            key = f"{key} ({differences(one, other)})"
        said.append(key)
    return ", ".join(said)


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint whole; the one before it is kept, for the day this one is broken.

    Raises OcrkitError: the disk is full or the folder cannot be written.
    """
    with atomic_file(folder / LAST) as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:  # how torch's writer says that the disk is full
            raise OcrkitError(
                f"cannot write {folder / LAST}: no room on the disk? ({str(error).splitlines()[0]})"
            ) from error
        if (folder / LAST).exists():
            os.replace(folder / LAST, folder / BEFORE)


def load_state(
    folder: Path, use: Callable[[dict[str, Any]], None] = lambda state: None
) -> dict[str, Any] | None:
    """The newest checkpoint that can be read and used, or None where there is none.

    One that is passed over is logged as a warning, which reaches the error stream as one line.
    use: puts the state to use; raises where that cannot be done.
    Raises OcrkitError: there are checkpoints, and none of them can be used.
    """
    broken = []
    for name in (LAST, BEFORE):
        path = folder / name
        if not path.exists():
            continue
        try:
            state = _read(path)
            use(state)
        except Exception as error:  # there is no telling how a damaged file fails
            reason = str(error) if isinstance(error, OcrkitError) else type(error).__name__
            broken.append(f"{name}: {reason}")
            continue
        if broken:
            logger.warning(
                "%s is damaged (%s): going on from the one before it", folder / LAST, broken[0]
            )
        return state
    if broken:
        raise OcrkitError(
            f"no checkpoint in {folder} can be read ({'; '.join(broken)}): delete it to start again"
        )
    return None


def _read(path: Path) -> dict[str, Any]:
    """One checkpoint, its checksums looked at first: torch writes them and never checks them."""
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(damaged)
    return torch.load(path, map_location="cpu", weights_only=True)


def random_state() -> dict[str, Any]:
    """torch's random state, on the CPU and on each GPU."""
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put back what `random_state` took."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
