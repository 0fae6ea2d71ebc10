"""Training on data of one's own: what the command `train` does with --train and --from."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrkit.cli.base import complain, console, resumable, say
from ocrkit.cli.data import pack_set, show_findings
from ocrkit.errors import OcrkitError
from ocrkit.resources import READER

if TYPE_CHECKING:
    from ocrkit.experiments.diagnose import Finding
    from ocrkit.models.transfer import Start
    from ocrkit.training.distributed import World

TABLES = (".tsv", ".csv", ".txt")


def as_sets(
    world: "World", sets: list[Path], valid: Path | None, out: Path
) -> tuple[list[Path], Path | None]:
    """LMDB sets as they are; a folder of images with a table of their labels is packed into one.

    world: rank 0 packs.
    out: where packed sets go.
    Raises OcrkitError: a folder that is neither, or whose images cannot be packed.
    """

    def packed(folder: Path) -> Path:
        if (folder / "data.mdb").exists() or not folder.is_dir():
            return folder
        tables = sorted(path for path in folder.iterdir() if path.suffix.lower() in TABLES)
        if len(tables) != 1:
            raise OcrkitError(
                f"{folder} is no LMDB set (it has no data.mdb), and holds {len(tables)} tables "
                f"({', '.join(TABLES)}) instead of one with the labels: see `ocrkit pack`"
            )
        made = out / "sets" / folder.resolve().name
        pack_set(tables[0], folder, made, folder.name)
        return made

    paths = [*sets, *([valid] if valid else [])]
    found = world.broadcast_from_main(lambda: list(map(packed, paths)))
    return found[: len(sets)], found[-1] if valid else None


def train_on_own(
    world: "World",
    sets: list[Path],
    valid: Path | None,
    model: str,
    charset: str | None,
    start: "Start | None",
    **settings: Any,
) -> None:
    """A training on sets of one's own; `settings` as `train_own`."""
    from ocrkit.data.store import ImageSet
    from ocrkit.experiments.diagnose import refuse
    from ocrkit.experiments.own import find_charset, train_own
    from ocrkit.progress import Bars

    def choose() -> str:
        images = [ImageSet(path) for path in (*sets, *([valid] if valid else []))]
        chosen = find_charset(charset or "data", images)
        if start and charset is None:  # whoever brings few labels does not mean to forget the rest
            chosen = "".join(dict.fromkeys(start.charset + chosen))
        return chosen

    def look(findings: list["Finding"]) -> None:
        known = ["unseen characters"] if start else []
        show_findings(one for one in findings if one.level == "warn" and one.what not in known)
        refuse(findings)
        if start:
            say(start.kept(settings["charset"], settings["image_width"]))

    settings["charset"] = world.broadcast_from_main(choose)
    with resumable(), Bars(console) as bars:
        settings["watch"] = partial(bars.show_training, model)
        checkpoint = train_own(
            *(sets, valid, model), look=look, world=world, start=start, **settings
        )
    say(f"checkpoint: {checkpoint}")


def check_for_lines(
    world: "World",
    model: str | None,
    start: Path | None,
    sets: list[Path] | None,
    unfit: dict[str, Any],
) -> None:
    """See that what was typed fits the line reader.

    unfit: option -> value of those that are for the 24 models alone.
    Raises OcrkitError: it does not.
    """
    if model not in (None, READER):
        raise OcrkitError(f"{start} is a line reader, not a {model}: leave the name out")
    if start and start.suffix == ".onnx":
        raise OcrkitError(f"{start} can be read with, not trained: start from its .safetensors")
    if given := [option for option, value in unfit.items() if value]:
        raise OcrkitError(f"{given[0]} is for the 24 models: leave it out for the line reader")
    if not sets:
        raise OcrkitError("the line reader is trained on lines of your own: give --train SETS")
    if world.size > 1:
        raise OcrkitError("the line reader is trained by one process: leave torchrun out")


def train_own_lines(
    sets: list[Path],
    valid: Path | None,
    start: Path | None,
    changes: dict[str, Any],
    **settings: Any,
) -> None:
    """The line reader, trained on lines of one's own; `settings` as `train_lines`."""
    from ocrkit.experiments.own_lines import LINES_RECIPE, TUNING_RECIPE, train_lines
    from ocrkit.progress import Bars
    from ocrkit.reader.lines import weights_of

    settings["start"] = start and weights_of(start)
    settings["recipe"] = replace(TUNING_RECIPE if start else LINES_RECIPE, **changes)
    settings["warn"] = partial(complain, style="yellow")
    with resumable(), Bars(console) as bars:
        settings["watch"] = partial(bars.show_training, READER)
        checkpoint = train_lines(sets, valid, **settings)
    say(f"checkpoint: {checkpoint}")
