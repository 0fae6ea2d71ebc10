"""Commands that score a trained model, and hand it to the reference framework."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ocrkit.cli import options
from ocrkit.cli.base import app, complain, console, one_line, say
from ocrkit.errors import OcrkitError
from ocrkit.files import read_json
from ocrkit.hangul import nfc
from ocrkit.resources import READER

if TYPE_CHECKING:
    from ocrkit.data.store import ImageSet
    from ocrkit.reader import Reader as LineReader
    from ocrkit.reading import Reader

# Texts by the image's number in its set, and (number, reason) of those that do not decode.
Read = tuple[dict[int, str], list[tuple[int, str]]]


def load_reader(checkpoint: Path | None, device: str, **of_24: Any) -> "Reader | LineReader":
    """One of the 24 with its weights, or a line reader; None, or reader-ko, is the kit's own.

    of_24: pad, charset (a name or a file), image_width, max_length: as of `ocrkit.reading.Reader`.
    Raises OcrkitError: as `Reader` and the line reader's, an unknown device, or options that a line
    reader does not have.
    """
    from ocrkit.experiments.own import characters_in_order
    from ocrkit.reader import load_reader as load_line_reader
    from ocrkit.reading import Reader
    from ocrkit.training.precision import find_device

    found = find_device(device)
    if checkpoint and not is_line_reader(checkpoint):
        if of_24["charset"] is not None:
            of_24["charset"] = characters_in_order(of_24["charset"])
        reader = Reader(checkpoint, **of_24)
        reader.model.to(found)
        return reader
    if any(value is not None for value in of_24.values()):
        raise OcrkitError(
            "--pad, --stretch, --charset, --image-width and --max-length are for the 24: a line "
            "reader keeps shapes and knows its characters"
        )
    if checkpoint and checkpoint.suffix == ".onnx":
        from ocrkit.onnx_files import OnnxReader

        if found.type != "cpu":
            raise OcrkitError(f"{checkpoint} runs on the CPU: leave --device out")
        return OnnxReader(checkpoint)
    reader = load_line_reader(checkpoint)
    if found.type != "cpu":
        reader.network.to(found)
    return reader


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="such as runs/mini/checkpoints/NAME")],
    sets: Annotated[list[Path], typer.Argument(help="LMDB sets with labels")],
    pad: options.PadOrStretch = None,
    charset: options.ReferenceCharset = None,
    image_width: options.ReferenceWidth = None,
    max_length: options.ReferenceLength = None,
    device: options.Device = "cpu",
    errors: Annotated[
        Path | None,
        typer.Option(help="also write the misread images, worst first, as this HTML page"),
    ] = None,
) -> None:
    """Score a checkpoint on LMDB sets: accuracy with its interval, and every error rate.

    The checkpoint is one of the 24, or a line reader (reader-ko is the kit's own).
    """
    import pandas as pd

    from ocrkit.data.store import ImageSet
    from ocrkit.files import check_writable, write_text
    from ocrkit.labels import label_of
    from ocrkit.metrics import rates, score
    from ocrkit.results.misread import Misread, misread_page
    from ocrkit.results.show import to_rich

    if errors:
        if errors.is_dir():
            raise OcrkitError(f"{errors} is a folder: give --errors a file, such as errors.html")
        if errors.suffix.lower() not in (".html", ".htm"):  # a file of another kind is not replaced
            raise OcrkitError(f"{errors} is no name for a page: end it in .html")
        check_writable(errors.parent)
    of_24 = {"charset": charset, "image_width": image_width, "max_length": max_length, "pad": pad}
    reader: Any = load_reader(checkpoint, device, **of_24)
    lines = is_line_reader(checkpoint)
    rows, misread, total = [], [], 0
    for images in list(map(ImageSet, sets)):  # all are there, before the first is read
        read, broken = (_read_lines if lines else _read_set)(reader, images)
        count = len(read)
        true = {i: text for i in read if label_of(text := images.text(i))}
        if not true:
            raise OcrkitError(
                f"{images.path}: every label is empty: there is nothing to score against"
            )
        # The 24 neither see nor say spaces; to the line reader one is as good as several.
        form = (lambda text: " ".join(nfc(text).split())) if lines else label_of
        read, true = ({i: form(texts[i]) for i in true} for texts in (read, true))
        texts = list(read.values()), list(true.values())
        scores = score(*texts).as_dict()
        if lines:  # the framework's figures are of labels without spaces
            scores = {name: scores[name] for name in ("images", "accuracy", "low", "high", "cer")}
            scores["cer_spaces"] = rates(*texts)[1]
        rows.append({"set": one_line(images.path.name), **scores})
        odd = {"are empty, and left out": count - len(true), **_odd(reader, texts[1], lines)}
        for what, such in odd.items():
            if such:
                complain(f"{images.path}: {such} of {count} labels {what}", "yellow")
        for index, reason in broken:
            complain(f"{images.path}: image {index} left out: {reason}", "yellow")
        if errors:
            total += len(true)
            misread += [
                Misread(f"{images.path.name}, image {i}", images.image_bytes(i), read[i], text)
                for i, text in true.items()
                if read[i] != text
            ]
    name = READER if lines else reader.model.name
    to_rich(pd.DataFrame(rows), f"{name} ({one_line(checkpoint.name)})", console)
    if errors:
        write_text(errors, misread_page(f"{name} ({checkpoint})", misread, total))
        say(f"{len(misread)} misread images: {errors}")


def _read_set(reader: "Reader", images: "ImageSet") -> "Read":
    """What one of the 24 reads of a set."""
    from ocrkit.data.cache import load_pixels
    from ocrkit.training import read_all

    size = (reader.model.image_width, reader.model.image_height)
    pixels = load_pixels(images, *size, reader.pad)
    texts = iter(read_all(reader.model, reader.converter, pixels.pixels).texts)
    gone = dict(pixels.broken)
    return {i: next(texts) for i in range(len(images)) if i not in gone}, pixels.broken


def _read_lines(reader: "LineReader", images: "ImageSet") -> "Read":
    """What a line reader reads of a set."""
    import numpy as np

    crops, broken = {}, []
    for i in range(len(images)):
        try:
            crops[i] = np.asarray(images.image(i))
        except OcrkitError as error:
            broken.append((i, str(error)))
    if not crops:
        raise OcrkitError(f"no image of {images.path} decodes (first: {broken[0][1]})")
    read = reader.read_lines(list(crops.values()))
    return {i: line.text for i, line in zip(crops, read, strict=True)}, broken


def _odd(reader: Any, texts: list[str], lines: bool) -> dict[str, int]:
    """How many labels no reading can match: what is wrong with them, and their number."""
    from ocrkit.labels import label_of, outside
    from ocrkit.reader.charset import encode
    from ocrkit.training.losses import can_say

    labels = [label_of(text) for text in texts]
    known = "hold characters outside the checkpoint's charset, and count as errors"
    if lines:
        return {known: sum(len(encode(label)) < len(label) for label in labels)}
    frames = reader.model.frames
    return {
        known: sum(bool(outside(label, reader.charset)) for label in labels),
        f"are too long for the model ({frames} frames, at most {reader.model.max_length} "
        "characters), and count as errors": sum(
            not can_say(reader.converter, label, frames) for label in labels
        ),
    }


def is_line_reader(checkpoint: Path) -> bool:
    """Whether a checkpoint is a line reader's, which has signs where the 24 have a charset.

    Of ONNX files only line readers can be read.
    """
    from ocrkit.models.checkpoints import file_of, stem_of

    if checkpoint.suffix == ".onnx" or str(checkpoint) == READER:
        return True
    note = file_of(stem_of(checkpoint), ".json")
    return note.is_file() and "signs" in read_json(note)


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="the file to write: NAME.onnx or NAME.pth")],
    checkpoint: Annotated[
        Path | None,
        typer.Argument(help="such as runs/mini/checkpoints/NAME (default: the kit's line reader)"),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="the line reader in whole numbers of 8 bits: quicker")
    ] = False,
) -> None:
    """Write a model as ONNX, or one of the 24 as a .pth file of the reference framework."""
    from ocrkit.files import write_text
    from ocrkit.models import load_checkpoint
    from ocrkit.models.recognizer import parse_name
    from ocrkit.models.reference import save_reference
    from ocrkit.onnx_files import save_line_reader, save_recognizer
    from ocrkit.reader import load_reader as load_line_reader

    to_onnx = out.suffix == ".onnx"
    if int8 and not to_onnx:
        raise OcrkitError("--int8 is for ONNX files of the line reader: --out NAME.onnx")
    if not to_onnx and out.suffix != ".pth":
        raise OcrkitError(f"{out} is no name for such a file: end it in .onnx or .pth")
    if checkpoint is None or is_line_reader(checkpoint):
        if not to_onnx:
            raise OcrkitError(
                "the framework cannot run the line reader: name one of the 24, or .onnx"
            )
        save_line_reader(load_line_reader(checkpoint), out, int8)
        say(f"{out}: try it with ocrkit read --checkpoint {out} IMAGE...")
        return
    if int8:
        raise OcrkitError(
            "--int8 is for the line reader: leave it out for the 24 (in Python, to_int8)"
        )
    model, described = load_checkpoint(checkpoint)
    if to_onnx:
        save_recognizer(model, out, described["charset"])
        size = f"{model.image_height}, {model.image_width}"
        say(f"{out}: images (batch, 1, {size}) in [-1, 1] -> logits; metadata: model, characters")
        return
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
