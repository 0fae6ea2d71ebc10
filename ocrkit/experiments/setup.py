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
from ocrkit.models.transfer import Start, carry_over
from ocrkit.models.transformation import TPS
from ocrkit.schemas import DataNote
from ocrkit.training import Recipe, Trainer, TrainingResult
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

    folder: where the trainer keeps its checkpoints; None keeps none.
    settings: other fields of `Trainer`, such as save_every, engine or world.
    Raises OcrkitError: an unknown model, a set that is missing, or labels that do not fit.
    """

    def pixels(name: str) -> Pixels:
        return load_pixels(data.open(name), preset.image_width)

    sources = [pixels(f"train-{kind}") for kind in preset.train_kinds]
    sizes = {name: getattr(preset, name) for name in ("image_width", "width", "max_length")}
    return new_trainer(
        *(run.model, data.charset, sources, pixels("valid"), sizes, preset.recipe, run.seed),
        device=torch.device(device),
        folder=folder,
        identity={"model": run.model, "dataset": data.fingerprint, "width": preset.width},
        unfit_limit=preset.unfit_limit,
        **settings,
    )


def new_trainer(
    model: str,
    charset: str,
    sources: list[Pixels],
    valid: Pixels | None,
    sizes: dict[str, Any],
    recipe: Recipe,
    seed: int,
    start: Start | None = None,
    **settings: Any,
) -> Trainer:
    """The trainer of a model by name, with fresh weights that depend on the seed alone.

    sizes: image_width, width and max_length, as for `Recognizer`.
    start: trained weights that take the place of the fresh ones where they mean the same.
    settings: other arguments of `Trainer`.
    Raises OcrkitError: an unknown model, or labels that do not fit.
    """
    converter = make_converter(parse_name(model).prediction, charset, sizes["max_length"])
    torch.manual_seed(seed)
    network = Recognizer(model, classes=converter.classes, **sizes)
    if recipe.start != "reference":
        orthogonal_start(network)
    if recipe.start == "straight" and isinstance(network.transformation, TPS):
        network.transformation.start_straight()
    if start:
        carry_over(start, network, converter.charset)
    return Trainer(network, converter, sources, valid, recipe, seed=seed, **settings)


def train_run(
    preset: Preset, data: DataSets, run: Run, folder: Path | None = None, **settings: Any
) -> TrainingResult:
    """Train one run from its start, or on from the last checkpoint in `folder`.

    Arguments and errors as `make_trainer`. All of them can be sent to another process.
    """
    return make_trainer(preset, data, run, folder, **settings).run()
