"""The shapes of the files that are read back, checked by `ocrkit.files.read_json`.

Any of them may have been edited, cut short, or written by another version. What is named here must
be there unless it has a default; other keys are let through.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

# The largest numbers that are let in, from a file or a command line, are far beyond what anybody
# trains: a damaged file, or a slip of the finger, must not ask for all the machine's memory.
MAX_IMAGE_WIDTH, MAX_LENGTH, MAX_WIDTH = 8192, 1000, 4.0
MAX_SEED = 2**32 - 1  # torch takes larger seeds, and other libraries do not
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Digest = Annotated[str, Field(min_length=1)]


class Shape(BaseModel):
    """A JSON object: a number is not text, and a text no number."""

    model_config = ConfigDict(extra="allow", strict=True)


class CheckpointInfo(Shape):
    """How a model was trained: so far as it matters when it reads."""

    pad: bool = False


class CheckpointNote(Shape):
    """NAME.json beside a model's weights."""

    format: Annotated[int, Field(ge=1)]
    name: str
    classes: Annotated[int, Field(ge=2, le=200_000)]
    max_length: Annotated[int, Field(ge=1, le=MAX_LENGTH)]
    image_width: Annotated[int, Field(ge=8, le=MAX_IMAGE_WIDTH)]
    image_height: Annotated[int, Field(ge=32, le=512)]
    width: Annotated[float, Field(gt=0, le=MAX_WIDTH, allow_inf_nan=False)]
    charset: Annotated[str, Field(min_length=1)]
    weights_sha256: str
    info: CheckpointInfo = CheckpointInfo()


class Manifest(Shape):
    """manifest.json of an image set; sets made elsewhere may tell less, or other things."""

    count: Count = 0
    fingerprint: Digest = ""


class DataNote(Shape):
    """data.json of a preset's data."""

    charset: Digest
    fingerprint: Digest
    sets: dict[str, str]
    choices: dict[str, str | int] = {}


class Experiment(Shape):
    """experiment.json of a results folder: what its runs share."""

    preset: dict[str, Any]
    dataset: Digest


class CheckedNote(Shape):
    """checked.json: the data.mdb of this stamp was read through by `ocrkit.data.beside`."""

    stamp: list[int]


class BrokenImage(Shape):
    """An image of a set that does not decode."""

    index: Count
    reason: str


class PixelsNote(Shape):
    """pixels-HxW.json beside a set's decoded pixels; the digest is theirs."""

    stamp: list[int | str]
    digest: Count
    broken: list[BrokenImage]


class Row(Shape):
    """The row file of a run of a sweep. Its scores are checked as the table is made of them."""

    model: str
    seed: int
    status: Literal["ok", "failed"]
    error: str = ""
    history: list[dict[str, float | None]] = []


class RunProgress(Shape):
    """progress.json of a run of a sweep; the accuracy is that of the last validation."""

    step: Count
    steps: Annotated[int, Field(ge=1)]
    accuracy: float | None


class OwnRun(Shape):
    """own.json of a training on sets of one's own."""

    run: dict[str, Any]


class StudyRow(Shape):
    """The row file of a run of the reading list."""

    study: str
    seed: int
    recipe: dict[str, Any]
    history: list[dict[str, float | None]]


class TrainingState(Shape):
    """What a checkpoint of a training under way holds, so far as it is not torch's own."""

    identity: dict[str, Any]
    model: dict[str, Any]
    optimizer: dict[str, Any]
    engine: dict[str, Any] = {}
    schedule: dict[str, Any] | None
    step: Count
    seconds: Seconds
    cpu_seconds: Seconds
    loss: float
    history: list[dict[str, float]]
    random: dict[str, Any]
