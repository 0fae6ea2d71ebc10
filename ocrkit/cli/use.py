"""Commands that score a trained model, and hand it to the reference framework."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocrkit.cli.base import PadOrStretch, app, complain, console, say
from ocrkit.errors import OcrkitError
from ocrkit.files import read_json
from ocrkit.limits import MAX_IMAGE_WIDTH, MAX_LENGTH

if TYPE_CHECKING:
    from ocrkit.reading import Reader


ReferenceCharset = Annotated[
    str | None,
    typer.Option("--charset", help="of a .pth file: its characters in training order, a text file"),
]
ReferenceWidth = Annotated[
    int | None,
    typer.Option(
        "--image-width", min=32, max=MAX_IMAGE_WIDTH, help="of a .pth file [default: TPS's, or 100]"
    ),
]

ReferenceLength = Annotated[
    int | None,
    typer.Option(
        "--max-length", min=1, max=MAX_LENGTH, help="of a .pth file: longest text [default: 25]"
    ),
]


def load_reader(
    checkpoint: Path,
    pad: bool | None,
    charset: str | None,
    image_width: int | None,
    max_length: int | None,
) -> "Reader":
    """A reader of lines: a checkpoint of ours, or a .pth file with its characters.

    Raises:
        OcrkitError: as `Reader`, or the charset is neither a name nor a file.
    """
    from ocrkit.experiments.own import characters_in_order
    from ocrkit.reading import Reader

    characters = None if charset is None else characters_in_order(charset)
    return Reader(checkpoint, pad, characters, image_width, max_length)


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="such as runs/mini/checkpoints/NAME")],
    sets: Annotated[list[Path], typer.Argument(help="LMDB sets with labels")],
    pad: PadOrStretch = None,
    charset: ReferenceCharset = None,
    image_width: ReferenceWidth = None,
    max_length: ReferenceLength = None,
) -> None:
    """Score a checkpoint on LMDB sets: accuracy with its interval, and every error rate."""
    import pandas as pd

    from ocrkit.data.cache import load_pixels
    from ocrkit.data.store import ImageSet
    from ocrkit.labels import label_of, outside
    from ocrkit.metrics import score
    from ocrkit.results.show import to_rich
    from ocrkit.training import read_all
    from ocrkit.training.losses import can_say

    reader, rows = load_reader(checkpoint, pad, charset, image_width, max_length), []
    for path in sets:
        size = (reader.model.image_width, reader.model.image_height)
        images = load_pixels(ImageSet(path), *size, reader.pad)
        readings = read_all(reader.model, reader.converter, images.pixels)
        pairs = zip(readings.texts, images.texts, strict=True)
        pairs = [(said, true) for said, true in pairs if label_of(true)]
        if not pairs:
            raise OcrkitError(f"{path}: every label is empty: there is nothing to score against")
        said, true = zip(*pairs, strict=True)
        rows.append({"set": path.name, **score(said, true).as_dict()})
        frames = reader.model.frames
        odd = {
            "are empty, and left out": len(images) - len(pairs),
            "hold characters outside the checkpoint's charset, and count as errors": sum(
                bool(outside(label_of(text), reader.charset)) for text in true
            ),
            f"are too long for the model ({frames} frames, at most {reader.model.max_length} "
            "characters), and count as errors": sum(
                not can_say(reader.converter, text, frames) for text in true
            ),
        }
        for what, count in odd.items():
            if count:
                complain(f"{path}: {count} of {len(images)} labels {what}", "yellow")
        for index, reason in images.broken:
            complain(f"{path}: image {index} left out: {reason}", "yellow")
    to_rich(pd.DataFrame(rows), f"{reader.model.name} ({checkpoint.name})", console)


def is_line_reader(checkpoint: Path) -> bool:
    """Whether a checkpoint is a line reader's, which has signs where the 24 have a charset."""
    note = Path(f"{str(checkpoint).removesuffix('.safetensors')}.json")
    return note.is_file() and "signs" in read_json(note)


def _export_onnx(checkpoint: Path | None, out: Path) -> str:
    """Write one of the 24 or the line reader as ONNX; what to say of it."""
    from ocrkit.models import load_checkpoint
    from ocrkit.onnx_files import save_line_reader, save_recognizer
    from ocrkit.reader import load_reader

    if checkpoint is None or is_line_reader(checkpoint):
        save_line_reader(load_reader(checkpoint), out)
        return f"{out}: try it with ocrkit read --checkpoint {out} IMAGE..."
    model, described = load_checkpoint(checkpoint)
    save_recognizer(model, out, described["charset"])
    size = f"{model.image_height}, {model.image_width}"
    return f"{out}: images (batch, 1, {size}) in [-1, 1] -> logits; metadata: model, characters"


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="the file to write: NAME.onnx or NAME.pth")],
    checkpoint: Annotated[
        Path | None,
        typer.Argument(help="such as runs/mini/checkpoints/NAME [default: the kit's line reader]"),
    ] = None,
) -> None:
    """Write a model as ONNX, or one of the 24 as a .pth file of the reference framework."""
    from ocrkit.files import write_text
    from ocrkit.models import load_checkpoint
    from ocrkit.models.recognizer import parse_name
    from ocrkit.models.reference import save_reference

    if out.suffix == ".onnx":
        say(_export_onnx(checkpoint, out))
        return
    if out.suffix != ".pth":
        raise OcrkitError(f"{out} is no name for such a file: end it in .onnx or .pth")
    if checkpoint is None or is_line_reader(checkpoint):
        raise OcrkitError("the framework cannot run the line reader: name one of the 24, or .onnx")
    model, described = load_checkpoint(checkpoint)
    save_reference(model, out)
    characters = out.with_suffix(".characters.txt")
    write_text(characters, described["charset"] + "\n")
    flags = ("Transformation", "FeatureExtraction", "SequenceModeling", "Prediction")
    options = [
        *(f"--{flag} {stage}" for flag, stage in zip(flags, parse_name(model.name), strict=True)),
        f"--imgH {model.image_height} --imgW {model.image_width}",
        f"--batch_max_length {model.max_length}",
        f"--output_channel {round(512 * model.width)} --hidden_size {round(256 * model.width)}",
        *(["--PAD"] if described.get("info", {}).get("pad") else []),
        f'--saved_model {out} --character "$(cat {characters})"',
    ]
    say(f"{out} and {characters}; the framework reads it with {' '.join(options)}")
