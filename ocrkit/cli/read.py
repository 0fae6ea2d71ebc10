"""The command that reads: pages with the kit's own reader, or lines with one of the 24 models."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ocrkit.cli.base import Device, PadOrStretch, app, complain, err
from ocrkit.cli.use import (
    ReferenceCharset,
    ReferenceLength,
    ReferenceWidth,
    is_line_reader,
    load_line_reader,
    load_reader,
)
from ocrkit.errors import OcrkitError
from ocrkit.files import write_text

if TYPE_CHECKING:
    from rich.progress import Progress

    from ocrkit.page import LineReader, Page
    from ocrkit.reading import Reader

Pages = list[tuple[int, "Page"]]
_WEIGHTS = (".safetensors", ".pth", ".onnx")
# What is read of a folder; a file that is named is read whatever it is called.
PICTURES = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".avif", ".jp2"),
    *(".ppm", ".pgm", ".pdf"),
)


@app.command()
def read(
    files: Annotated[list[Path], typer.Argument(help="pictures, TIFFs, PDFs, or folders of them")],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            *("--model", "--checkpoint"),
            help="one of the 24, for single lines (runs/mini/checkpoints/NAME), or a line reader",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="lines and words with boxes and confidences")
    ] = False,
    hocr: Annotated[bool, typer.Option("--hocr", help="the same as hOCR")] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="searchable PDFs: NAME.ocr.pdf")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="a folder for NAME.ocr.txt, .json, .hocr [default: print; PDFs go here]"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="with --checkpoint: read what looks hopeless")
    ] = False,
    pad: PadOrStretch = None,
    charset: ReferenceCharset = None,
    image_width: ReferenceWidth = None,
    max_length: ReferenceLength = None,
    device: Device = "cpu",
) -> None:
    """Read pages of Korean text: pictures, scans, PDFs."""
    files = list(_in_folders(files))
    kinds = [kind for kind, on in (("json", as_json), ("hocr", hocr), ("pdf", pdf)) if on]
    if _is_checkpoint(files[0]):
        _misused(f"{files[0]} is a checkpoint: write ocrkit read --checkpoint {files[0]} IMAGE...")
    if checkpoint and not is_line_reader(checkpoint):
        if kinds or out:
            _misused(
                "--json, --hocr, --pdf and --out are for pages, and this checkpoint reads lines"
            )
        failed = _read_lines(
            load_reader(checkpoint, pad, charset, image_width, max_length, device), files, force
        )
    else:
        if force or (pad, charset, image_width, max_length) != (None,) * 4:
            _misused(
                "--force, --pad, --stretch, --charset, --image-width and --max-length "
                "are for models that read lines: --checkpoint"
            )
        if as_json and hocr and not out:
            _misused("--json and --hocr together need a folder: --out FOLDER")
        names = Counter(file.stem for file in files)
        if (out or pdf) and (twice := [name for name, count in names.items() if count > 1]):
            _misused(f"{names[twice[0]]} files are called {twice[0]}: read them in several calls")
        failed = _read_pages(files, kinds or ["txt"], out, checkpoint, device)
    if failed:
        raise typer.Exit(1)


def _in_folders(files: list[Path]) -> Iterator[Path]:
    """The files as they are, and of a folder its pictures and PDFs, in order of their names.

    Raises:
        OcrkitError: a folder without any, or one that cannot be read.
    """
    for file in files:
        if not os.path.isdir(file):  # noqa: PTH112 (a name too long is none, and no error yet)
            yield file
            continue
        try:
            names = sorted(entry.name for entry in file.iterdir() if entry.is_file())
        except OSError as error:
            raise OcrkitError(f"cannot read {file}: {error.strerror or error}") from None
        found = [name for name in names if name[0] != "." and name.lower().endswith(PICTURES)]
        if not found:
            raise OcrkitError(f"{file} holds no picture and no PDF: name the files themselves")
        yield from (file / name for name in found)


def _misused(said: str) -> NoReturn:
    complain(f"ocrkit: {said}", "red")
    raise typer.Exit(2)


def _is_checkpoint(file: Path) -> bool:
    try:
        return file.suffix in _WEIGHTS or Path(f"{file}{_WEIGHTS[0]}").is_file()
    except OSError:  # a name too long, of which reading will complain
        return False


def _read_lines(reader: "Reader", images: list[Path], force: bool) -> int:
    """Read images of one line with one of the 24; how many failed."""
    refused = 0
    complain(reader.limits(), "dim")
    for image in images:
        try:
            reading = reader.read(image, force)
        except OcrkitError as error:
            refused += 1
            complain(error, "red")
            continue
        print(f"{image}\t{reading.text}\t{reading.confidence:.2f}")
        for warning in reading.warnings:
            complain(f"{image}: {warning}", "yellow")
    return refused


def _read_pages(
    files: list[Path], kinds: list[str], out: Path | None, weights: Path | None, device: str
) -> int:
    """Read whole pages and put them out; how many files or pages failed."""
    from ocrkit.page.output import to_hocr

    reader, failed, printed = load_line_reader(weights, device), 0, []
    with _bar() as bar:
        for number, file in enumerate(files, 1):
            pages, broken = _pages(file, reader, bar, f"{number} of {len(files)}")
            failed += broken
            if not pages:
                continue
            printed += (
                [(_printable(file), page) for _, page in pages]
                if "hocr" in kinds and not out
                else []
            )
            try:
                for kind in kinds:
                    _put_out(file, pages, kind, out, len(files) > 1)
            except OcrkitError as error:
                failed += 1
                complain(error, "red")
    if printed:  # one document
        print(to_hocr(printed), end="")
    return failed


def _printable(file: Path) -> str:
    """A file's name; bytes that are not Unicode, which Linux allows, as their numbers."""
    return str(file).encode("utf-8", "backslashreplace").decode()


@contextmanager
def _bar() -> Iterator["Progress"]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        *columns,
        console=err,
        transient=True,
        redirect_stdout=False,
        disable=not err.is_terminal,
    )
    with bar:
        yield bar


def _pages(file: Path, reader: "LineReader", bar: "Progress", which: str) -> tuple[Pages, int]:
    """The pages of a file that could be read with their numbers, and how many failed."""
    from ocrkit.page import PageFile, read_picture

    pages: Pages = []
    failed = 0
    try:
        opened = PageFile(file)
    except OcrkitError as error:
        complain(error, "red")
        return [], 1
    task = bar.add_task(f"{file.name} ({which})", total=len(opened))
    for index in range(len(opened)):
        try:
            page = read_picture(opened.page(index), reader)
        except OcrkitError as error:
            failed += 1
            complain(error, "red")
            continue
        if not page.lines:
            complain(f"{opened.named(index)}: no text found", "yellow")
        elif page.left_out:
            complain(f"{opened.named(index)}: {page.left_out} marks left out, hardly text", "dim")
        pages.append((index + 1, page))
        bar.advance(task)
    bar.remove_task(task)
    return pages, failed


def _put_out(file: Path, pages: Pages, kind: str, out: Path | None, several: bool) -> None:
    """Write or print the pages of a file as txt, json, hocr or pdf."""
    from ocrkit.page.output import to_hocr, write_pdf

    to = (out or Path()) / f"{file.stem}.ocr.{kind}"
    if kind == "pdf":
        write_pdf([page for _, page in pages], to)
        complain(f"wrote {to}", "dim")
        return
    if kind == "json":
        numbered = [{"page": number, **page.to_dict()} for number, page in pages]
        text = json.dumps({"file": _printable(file), "pages": numbered}, ensure_ascii=False)
    elif kind == "hocr":
        text = to_hocr([(_printable(file), page) for _, page in pages])
    else:
        headed = (several and not out) or len(pages) > 1
        name = f"{_printable(file)}, page " if len(pages) > 1 else _printable(file)
        text = "\n\n".join(
            (f"==> {name}{n if len(pages) > 1 else ''} <==\n" if headed else "") + page.text
            for n, page in pages
        )
    if out:
        write_text(to, text + "\n" if text else "")
        complain(f"wrote {to}", "dim")
    elif kind != "hocr":
        print(text, end="\n" if text else "")
