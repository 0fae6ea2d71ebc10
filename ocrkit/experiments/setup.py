"""A run's trainer: the model, its label converter and the preset's images, put together."""

from pathlib import Path
from typing import Any

import torch

from ocrkit.data.cache import Pixels, load_pixels
from ocrkit.experiments.datasets import DataSets
from ocrkit.experiments.grid import Run
from ocrkit.experiments.presets import Preset
from ocrkit.files import read_json
from ocrkit.models import Recognizer, orthogonal_start, parse_name
from ocrkit.schemas import DataNote
from ocrkit.training import Trainer, TrainingResult
from ocrkit.training.losses import make_converter


def state_folder(folder: Path, run: Run) -> Path:
    """Where a run's checkpoints lie below an experiment's folder until it is done."""
    return folder / "state" / run.name


def decode_all(preset: Preset, data: DataSets) -> None:
    """The first to open a set decodes it into the cache: do so before several processes do."""
    for name in read_json(data.folder / "data.json", DataNote)["sets"]:
        load_pixels(data.open(name), preset.image_width)


def make_trainer(
    preset: Preset,
    data: DataSets,
    run: Run,
    folder: Path | None = None,
    device: torch.device | str = "cpu",
    **settings: Any,
) -> Trainer:
    """The trainer of one run; the model's start weights depend on the run's seed alone.

    Args:
        folder: where the trainer keeps its checkpoints; None keeps none.
        settings: other fields of `Trainer`, such as save_every, engine or world.

    Raises:
        OcrkitError: an unknown model, a set that is missing, or labels that do not fit.
    """
    converter = make_converter(parse_name(run.model).prediction, data.charset, preset.max_length)
    torch.manual_seed(run.seed)
    model = Recognizer(
        run.model,
        classes=converter.classes,
        max_length=preset.max_length,
        image_width=preset.image_width,
        width=preset.width,
    )
    if preset.recipe.start == "orthogonal":
        orthogonal_start(model)

    def pixels(name: str) -> Pixels:
        return load_pixels(data.open(name), preset.image_width)

    return Trainer(
        model,
        converter,
        sources=[pixels(f"train-{kind}") for kind in preset.train_kinds],
        valid=pixels("valid"),
        recipe=preset.recipe,
        seed=run.seed,
        device=torch.device(device),
        folder=folder,
        identity={"model": run.model, "dataset": data.fingerprint, "width": preset.width},
        unfit_limit=preset.unfit_limit,
        **settings,
    )


def train_run(
    preset: Preset, data: DataSets, run: Run, folder: Path | None = None, **settings: Any
) -> TrainingResult:
    """Train one run from its start, or on from the last checkpoint in `folder`.

    Arguments and errors as `make_trainer`. All of them can be sent to another process.
    """
    return make_trainer(preset, data, run, folder, **settings).run()
