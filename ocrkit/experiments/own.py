"""Training on a user's own sets: looked at first, then trained, resumable, ready to read."""

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ocrkit.data.cache import load_pixels
from ocrkit.data.store import ImageSet
from ocrkit.errors import OcrkitError
from ocrkit.experiments.diagnose import Finding, diagnose, refuse
from ocrkit.experiments.presets import Preset
from ocrkit.experiments.setup import new_trainer
from ocrkit.files import check_writable, read_json, write_json
from ocrkit.hangul import charset as named_charset
from ocrkit.hangul import nfc
from ocrkit.labels import charset_of
from ocrkit.models import load_checkpoint, save_checkpoint
from ocrkit.models.checkpoints import stem_of
from ocrkit.models.transfer import Start
from ocrkit.schemas import CheckpointNote, OwnRun
from ocrkit.synth.words import common_syllables, read_words
from ocrkit.text_files import read_whole_lines
from ocrkit.training import RECIPES, Loop, Progress, Recipe
from ocrkit.training.checkpoint import differences
from ocrkit.training.distributed import ALONE, World
from ocrkit.training.precision import find_device

# For a quarter-width model on a laptop; what is larger wants more steps and larger batches.
OWN_RECIPE = replace(RECIPES["fast"], name="own", steps=6000, batch_size=32, validate_every=500)


def find_charset(choice: str, sets: Sequence[ImageSet]) -> str:
    """The characters that a choice stands for.

    choice: "data" (every character of the sets' labels), "972", "ksx1001", or the path of a text
    file that holds the characters.
    Raises OcrkitError: neither a name nor a file, or a file without characters.
    """
    if choice == "data":
        return charset_of(text for images in sets for text in images.texts())
    return charset_of([characters_in_order(choice)])


def characters_in_order(choice: str) -> str:
    """The characters that a name, a text file or a checkpoint's .json stands for, in its order.

    Raises OcrkitError: neither a name nor a file, or a file without characters.
    """
    path = Path(choice)
    if not path.exists():
        if choice in ("972", "ksx1001"):
            return named_charset(choice)
        raise OcrkitError(f"no charset {choice!r}: choose data, 972, ksx1001 or a text file")
    if path.suffix == ".json":  # else its brackets and field names would be characters too
        return read_json(path, CheckpointNote)["charset"]
    text = "".join(nfc("".join(read_whole_lines(path))).split())
    if not text:
        raise OcrkitError(f"{path} holds no characters: write them into it")
    return "".join(dict.fromkeys(text))


def preset_charset(preset: Preset) -> str:
    """The characters that a preset's models know, without drawing its data."""
    if preset.charset != "pool":
        return named_charset(preset.charset)
    return "".join(sorted(common_syllables(read_words(), preset.pool_size)))


def train_own(
    train_sets: Sequence[Path],
    valid_set: Path | None,
    model: str,
    *,
    charset: str,
    image_width: int,
    width: float = 0.25,
    max_length: int = 25,
    recipe: Recipe = OWN_RECIPE,
    seed: int = 1,
    folder: Path,
    device: str = "cpu",
    watch: Callable[[Progress], None] = lambda progress: None,
    look: Callable[[list[Finding]], None] = refuse,
    pad: bool = False,
    unfit_limit: float = 0.01,
    start: Start | None = None,
    world: World = ALONE,
    **settings: Any,
) -> Path:
    """Train a model on LMDB sets; each batch has equal parts of each set.

    A run that was stopped goes on where it was; one that is finished is not trained again. With a
    validation set the best model of all validations is kept, without one the last.

    train_sets, valid_set: folders that `pack` or `ocrkit generate` wrote, or the reference
        framework's own.
    charset: the characters (see `find_charset`).
    look: is given what `diagnose` finds; must refuse what would stop the training.
    pad: keep the images' shapes and pad them, instead of stretching; the checkpoint
        records it, so that reading pads too.
    width: multiplier of the layers' channels; 1 is the paper's.
    start: trained weights to begin with, of a model of the same layers.
    recipe: its batch size is raised to a multiple of the number of sets, and of processes.
    folder: where the checkpoint, `own.json` and, until the end, the training's state go.
    world: which of several connected processes this is; rank 0 alone writes.
    settings: other fields of `Trainer`, such as engine.
    Returns the checkpoint, for `ocrkit.reading.Reader`.
    Raises OcrkitError: a finding that stops training (see `diagnose`), another run's folder, an
    unknown device, a set that cannot be read, a full disk, a start that does not fit; Interrupted:
    a SIGTERM came (where it is heeded), and the run is saved.
    """
    found_device, checkpoint = find_device(device), Path(folder) / model
    if start:
        start.check(model, width)
    train, valid = open_sets(train_sets, valid_set, start and start.path, checkpoint)
    sizes: dict[str, Any] = {"image_width": image_width, "max_length": max_length}
    about = {"test": valid, "test_name": "valid", "pad": pad, "unfit_limit": unfit_limit}
    look(diagnose(train, model, charset=charset, **about, **sizes))
    parts = math.lcm(len(train), world.size)
    recipe = replace(recipe, batch_size=-(-recipe.batch_size // parts) * parts)
    sizes |= {"width": width}
    identity = {
        **{"model": model, "charset": charset, **sizes},
        "train": [images.fingerprint() for images in train],
        "valid": valid.fingerprint() if valid else None,
    }
    if pad:  # absent, not False, in runs from before there was a choice
        identity["pad"] = True
    if start:
        identity["from"] = start.digest
    whole = {**identity, "recipe": asdict(recipe), "seed": seed}
    if is_finished(checkpoint, load_checkpoint, whole):
        return checkpoint
    if world.is_main:
        check_writable(folder)
    with world.main_process_first():  # which decodes; the others find it done
        pixels = [load_pixels(images, image_width, pad=pad) for images in train]
        valid_pixels = load_pixels(valid, image_width, pad=pad) if valid else None
    keep = {"folder": Path(folder) / "state", "identity": identity, "unfit_limit": unfit_limit}
    what = (model, charset, pixels, valid_pixels, sizes, recipe, seed, start)
    trainer = new_trainer(*what, device=found_device, world=world, **keep, **settings)

    def save(step: int, **about: Any) -> None:
        about |= {"trained_on": [images.path.name for images in train], "step": step, "pad": pad}
        save_checkpoint(trainer.model, checkpoint, trainer.converter.charset, **about)

    about = {"unfit_share": trainer.unfit_share, "broken_images": [part.broken for part in pixels]}
    run_own(trainer, save, checkpoint, load_checkpoint, whole, about, watch)
    return checkpoint


def open_sets(
    train: Sequence[Path], valid: Path | None, start: Path | None, checkpoint: Path
) -> tuple[list[ImageSet], ImageSet | None]:
    """The sets to train and validate on.

    Raises OcrkitError: there is none, one cannot be read, or the start would be overwritten.
    """
    if start and stem_of(start).resolve() == checkpoint.resolve():
        raise OcrkitError(
            f"the trained model would take the place of {start}, from which it starts: choose "
            "another folder"
        )
    if not train:
        raise OcrkitError("there is nothing to train on: give at least one set")
    return [ImageSet(path) for path in train], ImageSet(valid) if valid else None


def run_own(
    loop: Loop,
    save: Callable[..., None],
    checkpoint: Path,
    load: Callable[[Path], Any],
    run: dict[str, Any],
    about: dict[str, Any],
    watch: Callable[[Progress], None],
    best: Callable[[dict[str, float]], float] = lambda row: row["valid_accuracy"],
) -> None:
    """Train to the end, keep the best of all validations, and say in `own.json` how it went.

    save: writes the model as it is now, given the step and what the validation said.
    checkpoint, load: where to, and what reads it again.
    run: what makes this run this run. about: what else `own.json` holds.
    best: of a row of the history; the largest is kept, of equal ones the last.
    """

    def keep_best(progress: Progress) -> None:
        accuracy = progress.valid_accuracy
        if accuracy is not None and best(loop.history[-1]) == max(map(best, loop.history)):
            save(progress.step, valid_accuracy=accuracy)
        watch(progress)

    result = loop.run(keep_best)
    if not loop.world.is_main:
        return
    if not result.history or not is_whole(checkpoint, load):
        save(result.steps)
    about = {"run": run, "seconds": round(result.seconds, 1), **about, "history": result.history}
    write_json(checkpoint.parent / "own.json", about)
    shutil.rmtree(checkpoint.parent / "state", ignore_errors=True)


def is_finished(checkpoint: Path, load: Callable[[Path], Any], run: dict[str, Any]) -> bool:
    """Did this very run end here? Then what a process killed at its very end has left goes.

    Raises OcrkitError: another run did.
    """
    note = checkpoint.parent / "own.json"
    if not note.exists():
        return False
    before = read_json(note, OwnRun)["run"]
    if before != run:
        raise OcrkitError(
            f"{note.parent} holds a finished training with another {differences(run, before)}: "
            "choose another folder, or move it away"
        )
    if whole := is_whole(checkpoint, load):
        shutil.rmtree(checkpoint.parent / "state", ignore_errors=True)
    return whole


def is_whole(checkpoint: Path, load: Callable[[Path], Any]) -> bool:
    """Can the checkpoint be read?"""
    try:
        load(checkpoint)
    except OcrkitError:
        return False
    return True
