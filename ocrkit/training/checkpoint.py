"""Full checkpoints: everything a run needs to go on as if it had never stopped.

The reference framework saved the weights alone, so that a resumed run began with a fresh optimiser
and a fresh order of images. Here model, optimiser, schedule, step, random state and history are
kept. The sampler needs no state of its own: a batch is a function of (seed, step).
"""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_file

LAST, BEFORE = "last.pt", "before.pt"


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint whole; the one before it is kept, for the day this one is broken."""
    with atomic_file(folder / LAST) as temporary:
        torch.save(state, temporary)
        if (folder / LAST).exists():
            os.replace(folder / LAST, folder / BEFORE)


def load_state(folder: Path) -> dict[str, Any] | None:
    """The newest checkpoint that can be read, or None where there is none.

    Raises:
        OcrkitError: there are checkpoints, and none of them can be read.
    """
    broken = []
    for name in (LAST, BEFORE):
        path = folder / name
        if not path.exists():
            continue
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, zipfile.BadZipFile) as e:
            broken.append(f"{name}: {type(e).__name__}")
    if broken:
        raise OcrkitError(
            f"no checkpoint in {folder} can be read ({'; '.join(broken)}): delete it to start again"
        )
    return None


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
