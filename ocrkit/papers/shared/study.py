"""A paper's small experiment: trained with a seed, tested on what it has not seen, kept as files.

A run leaves two files in its folder: NAME-s1.json (the row and the learning curve) and
NAME-s1.safetensors (the weights, half precision).
"""

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_file, read_json, write_json
from ocrkit.latency import milliseconds
from ocrkit.training import Loop, Progress, Recipe, Task

# A paper's module and the folder it lies in. The module keeps its studies in STUDIES; a study is
# called PAPER or PAPER-VARIANT.
PAPERS = {
    "textboxes": "detection",
    "pixellink": "detection",
    "craft": "detection",
    "crnn": "recognition",
    "grcnn": "recognition",
    "fan": "recognition",
    "moran": "recognition",
    "fots": "spotting",
    "aster": "recognition",
    "textspotter": "spotting",
}


@dataclass(frozen=True)
class Study:
    """One model of one paper and how it is tried.

    Attributes:
        name: "craft", or "moran-plain" where a paper has several.
        recipe: how it is trained.
        make: seed -> the model, its start weights and all else from that seed.
        task: seed -> what it learns.
        test: model -> its scores on images never seen in training, the telling one first.
        one: (model, number) -> one test image through everything: what `ms_image` is the time of.
    """

    name: str
    recipe: Recipe
    make: Callable[[int], torch.nn.Module]
    task: Callable[[int], Task]
    test: Callable[[torch.nn.Module], Mapping[str, float]]
    one: Callable[[torch.nn.Module, int], Any]


def studies_of(paper: str) -> dict[str, Study]:
    """The studies of one of `PAPERS` by name, its main one first."""
    return importlib.import_module(f"ocrkit.papers.{PAPERS[paper]}.{paper}").STUDIES


def find_study(name: str) -> Study:
    """A study by name.

    Raises:
        OcrkitError: an unknown name.
    """
    paper = name.split("-")[0]
    if paper not in PAPERS:
        raise OcrkitError(f"no paper {paper!r}: choose one of {', '.join(PAPERS)}")
    studies = studies_of(paper)
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

    Args:
        state: where checkpoints of the unfinished run lie; None keeps none.

    Returns:
        the row: study, seed, what training cost, parameters, milliseconds an image, scores, and
        `history`.

    Raises:
        OcrkitError: the loss became NaN, or the folder holds a run with another recipe.
    """
    path = _path(folder, study.name, seed, "json")
    if path.exists():
        row = read_json(path)
        if row["recipe"] == asdict(study.recipe):
            return row
        raise OcrkitError(f"{path} is of another recipe: delete it, or choose another folder")
    torch.manual_seed(seed)
    identity = {"study": study.name}
    loop = Loop(
        study.make(seed), study.task(seed), study.recipe, seed, folder=state, identity=identity
    )
    result = loop.run(watch)
    model = loop.model.eval()
    scores = {name: float(value) for name, value in study.test(model).items()}
    row = {
        "study": study.name,
        "seed": seed,
        **scores,
        "params": sum(p.numel() for p in model.parameters()),
        "ms_image": milliseconds(partial(study.one, model)),
        "steps": result.steps,
        "images": result.images,
        "train_seconds": round(result.seconds, 1),
        "cpu_seconds": round(result.cpu_seconds, 1),
        "precision": result.precision,
        "recipe": asdict(study.recipe),
        "history": result.history,
    }
    weights = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in model.state_dict().items()
    }
    with atomic_file(_path(folder, study.name, seed, "safetensors")) as temporary:
        save_file(weights, temporary)
    write_json(path, row)  # last: it says that the run is done
    return row


def trained(study: Study, folder: Path, seed: int = 1) -> torch.nn.Module:
    """The study's model with the weights of a run, in eval mode.

    Raises:
        OcrkitError: there is no such run, or its weights are of another model.
    """
    path = _path(folder, study.name, seed, "safetensors")
    if not path.exists():
        raise OcrkitError(f"{path} is missing: train it with `ocrkit papers {study.name}`")
    model = study.make(seed)
    try:
        model.load_state_dict(load_file(path))
    except Exception as error:  # damaged files raise many kinds
        said = " ".join(str(error).split())
        raise OcrkitError(f"{path} does not fit the model ({said}): train it again") from error
    return model.eval()


def time_again(folder: Path, watch: Callable[[str, float], None] = lambda name, ms: None) -> None:
    """Measure `ms_image` of every run in a folder anew, all in one call, so that they compare.

    A run's own time is taken when its training ends, whatever else the machine does at that moment.

    Args:
        watch: is told each run and its milliseconds.

    Raises:
        OcrkitError: the weights of a run are missing, or of another model.
    """
    for path in sorted(folder.glob("*.json")):
        row = _read(path)
        study = find_study(row["study"])
        model = trained(study, folder, row["seed"])
        row["ms_image"] = milliseconds(partial(study.one, model))
        write_json(path, row)
        watch(path.stem, row["ms_image"])


def rows(folder: Path, *names: str) -> pd.DataFrame:
    """The runs of these studies (of all, where none is named), one row each, without histories."""
    kept = (_read(path) for path in sorted(folder.glob("*.json")))
    table = [
        {key: value for key, value in row.items() if key not in ("history", "recipe")}
        for row in kept
        if not names or row["study"] in names
    ]
    return pd.DataFrame(table)


def curves(folder: Path, *names: str) -> pd.DataFrame:
    """The learning curves of these studies: study, seed, step, images, seconds, losses, scores."""
    kept = (_read(path) for path in sorted(folder.glob("*.json")))
    table = [
        {"study": row["study"], "seed": row["seed"], **point}
        for row in kept
        if not names or row["study"] in names
        for point in row["history"]
    ]
    return pd.DataFrame(table)


def each_seed(values: Iterable[float], digits: int = 1) -> str:
    """The scores of several seeds as one speaks of them: "98.3 and 97.4"."""
    return " and ".join(f"{value:.{digits}f}" for value in values)


def _read(path: Path) -> dict[str, Any]:
    row = read_json(path)
    if not {"study", "seed", "history"} <= row.keys():
        raise OcrkitError(f"{path} is not a run of a study: move it elsewhere")
    return row


def _path(folder: Path, name: str, seed: int, suffix: str) -> Path:
    return folder / f"{name}-s{seed}.{suffix}"
