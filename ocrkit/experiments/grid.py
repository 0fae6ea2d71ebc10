"""The grid: which models with which seeds, and in which order a sweep takes them."""

from dataclasses import dataclass
from functools import cache

from ocrkit.models import MODEL_NAMES, Recognizer, parse_name
from ocrkit.models.prediction import WRITING


@dataclass(frozen=True)
class Run:
    """One model and one seed."""

    model: str
    seed: int

    @property
    def name(self) -> str:
        """What the run's files are called."""
        return f"{self.model}-s{self.seed}"


def grid(models: tuple[str, ...] = (), seeds: tuple[int, ...] = (1,)) -> list[Run]:
    """The runs of a sweep, each once; no models named means all 24.

    Raises OcrkitError: an unknown model name.
    """
    for name in models:
        parse_name(name)
    # Two of one name would be trained side by side, in the same folder.
    return list(dict.fromkeys(Run(m, seed) for seed in seeds for m in (models or MODEL_NAMES)))


@cache
def weight(model: str) -> float:
    """A model's training time beside the others', before anything was measured.

    Images a second of the thin models, seen on one core: VGG 1,300, RCNN 600, ResNet 250; TPS adds
    about half a millisecond an image. Only the order of the runs and the first ETA rest on it.
    """
    name = parse_name(model)
    milliseconds = {"VGG": 0.8, "RCNN": 1.8, "ResNet": 4.0}[name.feature]
    return milliseconds + 0.5 * (name.transformation == "TPS")


def longest_first(runs: list[Run]) -> list[Run]:
    """The long runs first, so that no core waits at the end for one that began last."""
    return sorted(runs, key=lambda run: -weight(run.model))


def count_parameters(model: str, classes: int = 973, image_width: int = 400) -> dict[str, int]:
    """Parameters of a full-size model by stage, for the paper's 972 characters.

    classes: of a CTC model; attention has one more.
    """
    extra = parse_name(model).prediction in WRITING
    built = Recognizer(model, classes=classes + extra, image_width=image_width)
    return built.stage_parameters()
