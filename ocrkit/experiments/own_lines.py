"""Fine-tuning the line reader on a user's own labelled lines, or training it on them alone."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ocrkit.data.store import ImageSet
from ocrkit.experiments.own import is_finished, open_sets, run_own
from ocrkit.files import check_writable
from ocrkit.models.transfer import digest
from ocrkit.reader import load_reader
from ocrkit.reader.lines import save_reader
from ocrkit.reader.network import LineNetwork
from ocrkit.reader.task import READER_RECIPE, LabelledLines, LineBatches, LineTask
from ocrkit.resources import READER
from ocrkit.training import Loop, Progress, Recipe
from ocrkit.training.precision import find_device

LINES_RECIPE = replace(
    READER_RECIPE,
    **{"name": "lines", "steps": 3000, "batch_size": 16, "one_cycle": True},
    **{"warmup": 0.1, "validate_every": 100},
)
# Trained weights are led on, not thrown away: a fifth of the rates, and fewer steps.
TUNING_RECIPE = replace(
    LINES_RECIPE, name="tuning", learning_rate=6e-4, muon_rate=4e-3, steps=300, validate_every=50
)


def train_lines(
    train_sets: Sequence[Path],
    valid_set: Path | None,
    *,
    start: Path | None,
    recipe: Recipe,
    seed: int = 1,
    folder: Path,
    device: str = "cpu",
    watch: Callable[[Progress], None] = lambda progress: None,
    warn: Callable[[str], None] = lambda message: None,
    **settings: Any,
) -> Path:
    """Train the line reader on LMDB sets of lines of any width; returns the checkpoint.

    Resumable, and never trained twice, as `train_own`. With a validation set the weights of the
    lowest character error rate (spaces counted) are kept, without one the last.

    start: a line reader to begin with, None for fresh weights.
    recipe: its batch size is in lines.
    warn: is given what should be known of the sets, a line each.
    settings: other fields of `Loop`, such as save_every.
    Raises OcrkitError: no line that can be learnt, another run's folder, an unknown device, a set
    or reader that cannot be read, a full disk; Interrupted: a SIGTERM came (where it is heeded),
    and the run is saved.
    """
    found_device = find_device(device)
    checkpoint = Path(folder) / READER
    train, valid = open_sets(train_sets, valid_set, start, checkpoint)
    torch.manual_seed(seed)
    network = load_reader(start).network if start else LineNetwork()
    identity = {
        "train": [images.fingerprint() for images in train],
        "valid": valid.fingerprint() if valid else None,
        "from": digest(network) if start else None,
    }
    whole = {"model": READER, **identity, "recipe": asdict(recipe), "seed": seed}
    if is_finished(checkpoint, load_reader, whole):
        return checkpoint
    check_writable(folder)

    def lines_of(images: ImageSet) -> LabelledLines:
        found = LabelledLines(images)
        if found.left_out:
            index, reason = found.left_out[0]
            warn(
                f"{images.path}: {len(found.left_out)} of {len(images)} lines left out "
                f"(first: number {index}: {reason})"
            )
        return found

    lines, followed = [lines_of(images) for images in train], lines_of(valid) if valid else None
    held_out = (followed.inks, followed.texts) if followed else None
    task = LineTask(LineBatches(lines, recipe.batch_size, seed), held_out)
    keep = {"folder": Path(folder) / "state", "identity": identity, "device": found_device}
    loop = Loop(network, task, recipe, seed, **keep, **settings)

    def save(step: int, **about: Any) -> None:
        about |= {"trained_on": [images.path.name for images in train], "steps": step}
        save_reader(network, checkpoint, **about)

    about = {"left_out": [some.left_out for some in lines]}
    what = (loop, save, checkpoint, load_reader, whole, about, watch)
    run_own(*what, best=lambda row: -row["valid_cer_spaces"])
    return checkpoint
