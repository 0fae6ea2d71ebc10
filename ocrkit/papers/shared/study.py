"""A paper's small experiment: trained with a seed, tested on what it has not seen, kept as files.

Each run's folder holds NAME-s1.json (row and learning curve) and NAME-s1.safetensors (fp16).
"""

import importlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_file, read_json, write_json
from ocrkit.latency import milliseconds
from ocrkit.schemas import StudyRow
from ocrkit.training import Loop, Progress, Recipe, Task

# Each module has its studies in STUDIES; a study is called PAPER or PAPER-VARIANT.
PAPERS = (
    "detection.textboxes",
    "detection.pixellink",
    "detection.craft",
    "recognition.crnn",
    "recognition.grcnn",
    "recognition.fan",
    "recognition.moran",
    "spotting.fots",
    "recognition.aster",
    "spotting.textspotter",
)
# Every study's recipe is a variant of this one.
RECIPE = Recipe(
    "papers",
    "adamw",
    2e-3,
    steps=3000,
    batch_size=16,
    one_cycle=True,
    weight_decay=0.01,
    precision="auto",
    validate_every=300,
)


@dataclass(frozen=True)
class Study:
    """One model of one paper and how it is tried."""

    name: str  # "craft", or "moran-plain" where a paper has several
    recipe: Recipe
    model: Callable[[], torch.nn.Module]  # with fresh weights
    task: Callable[..., Task]  # seed -> what it learns
    test: Callable[..., Mapping[str, float]]  # model -> scores on unseen images, the main one first
    images: Callable[..., np.ndarray]  # test images, (N, H, W)
    read: Callable[[Any, np.ndarray], Any]  # (model, images) -> what is found or read in them

    def make(self, seed: int) -> torch.nn.Module:
        """The model; its start weights and all random numbers after it depend on the seed."""
        torch.manual_seed(seed)
        model = self.model()
        torch.manual_seed(seed)  # whatever its size, every variant goes on with the same numbers
        return model

    def time(self, model: torch.nn.Module) -> float:
        """Milliseconds that `read` takes for one test image."""
        images = self.images()
        return milliseconds(lambda number: self.read(model, images[number % len(images)][None]))


def all_studies() -> dict[str, Study]:
    """Every study by name, the papers in the order of `PAPERS`, each one's main study first."""
    modules = (importlib.import_module(f"ocrkit.papers.{paper}") for paper in PAPERS)
    return {name: study for module in modules for name, study in module.STUDIES.items()}


def find_study(name: str) -> Study:
    """A study by name. Raises OcrkitError: an unknown name."""
    studies = all_studies()
    if name not in studies:
        raise OcrkitError(f"no study {name!r}: choose one of {', '.join(studies)}")
    return studies[name]


def run_study(
    study: Study,
    seed: int,
    folder: Path,
    watch: Callable[[Progress], None] = lambda progress: None,
    state: Path | None = None,
) -> dict[str, Any]:
    """Train a study, test it and write its two files; a finished one is not trained again.

    state: where checkpoints of the unfinished run lie; None keeps none.
    Returns the row: study, seed, scores, parameters, milliseconds an image, what training cost, and
    `history`.
    Raises OcrkitError: the loss became NaN, or the folder holds a run with another recipe.
    """
    path = folder / f"{study.name}-s{seed}.json"
    if path.exists():
        row = read_json(path, StudyRow)
        # A field that the row lacks came later, with a default that changes nothing.
        defaults = {field.name: field.default for field in fields(Recipe)}
        if {**defaults, **row["recipe"]} == asdict(study.recipe):
            return row
        raise OcrkitError(f"{path} is of another recipe: delete it, or choose another folder")
    identity = {"study": study.name}
    loop = Loop(
        study.make(seed), study.task(seed), study.recipe, seed, folder=state, identity=identity
    )
    result = loop.run(watch)
    model = loop.model.eval()
    row = {
        "study": study.name,
        "seed": seed,
        **{name: float(value) for name, value in study.test(model).items()},
        "params": sum(p.numel() for p in model.parameters()),
        "ms_image": study.time(model),
        "steps": result.steps,
        "images": result.images,
        "train_seconds": round(result.seconds, 1),
        "cpu_seconds": round(result.cpu_seconds, 1),
        "precision": result.precision,
        "recipe": asdict(study.recipe),
        "history": result.history,
    }
    state_dict = model.state_dict().items()
    halves = {k: v.half() if v.is_floating_point() else v for k, v in state_dict}
    with atomic_file(path.with_suffix(".safetensors")) as temporary:
        save_file({k: v.contiguous() for k, v in halves.items()}, temporary)
    write_json(path, row)  # last: it says that the run is done
    return row


def trained(study: Study, folder: Path, seed: int = 1) -> torch.nn.Module:
    """The study's model with the weights of a run, in eval mode.

    Raises OcrkitError: there is no such run, or its weights are of another model.
    """
    path = folder / f"{study.name}-s{seed}.safetensors"
    if not path.exists():
        raise OcrkitError(f"{path} is missing: train it with `ocrkit papers {study.name}`")
    model = study.make(seed)
    try:
        # `output_context` was once called `glance`; the kept weights still say so.
        weights = {k.replace("glance.", "output_context."): v for k, v in load_file(path).items()}
        model.load_state_dict(weights)
    except Exception as error:  # damaged files raise many kinds
        reason = " ".join(str(error).split())
        raise OcrkitError(f"{path} does not fit the model ({reason}): train it again") from error
    return model.eval()


def rows(folder: Path, *names: str) -> pd.DataFrame:
    """The runs of these studies (of all, where none is named), one row each, without histories."""
    runs = pd.DataFrame(_runs(folder, *names))
    return runs.drop(columns=["history", "recipe"], errors="ignore")


def curves(folder: Path, *names: str) -> pd.DataFrame:
    """The learning curves of these studies: study, seed, step, images, seconds, losses, scores."""
    points = [
        {"study": row["study"], "seed": row["seed"], **point}
        for row in _runs(folder, *names)
        for point in row["history"]
    ]
    return pd.DataFrame(points)


def each_seed(values: Iterable[float]) -> str:
    """The scores of several seeds as one speaks of them: "98.3 and 97.4"."""
    return " and ".join(f"{value:.1f}" for value in values)


def _runs(folder: Path, *names: str) -> Iterator[dict[str, Any]]:
    """The rows of these studies' runs, with their histories."""
    for path in sorted(folder.glob("*.json")):
        try:
            row = read_json(path, StudyRow)
        except OcrkitError as error:  # the others are worth showing all the same
            warnings.warn(f"left out: {error}", stacklevel=3)
            continue
        if not names or row["study"] in names:
            yield row
