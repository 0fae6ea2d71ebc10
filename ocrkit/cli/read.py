"""The command that reads: pages with the kit's own reader, or lines with one of the 24 models."""

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ocrkit.cli import options
from ocrkit.cli.base import app, complain, err, one_line
from ocrkit.cli.use import is_line_reader, load_reader
from ocrkit.errors import OcrkitError
from ocrkit.files import check_writable, write_text

if TYPE_CHECKING:
    from ocrkit.page import Page

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
        Path | None, typer.Option(help="a line reader, or one of the 24, for single lines")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="lines and words with boxes and confidences")
    ] = False,
    hocr: Annotated[bool, typer.Option("--hocr", help="the same as hOCR")] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="searchable PDFs: NAME.ocr.pdf")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="a folder for NAME.ocr.txt, .json, .hocr (default: print; PDFs go here)"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="with --checkpoint: read what looks hopeless")
    ] = False,
    pad: options.PadOrStretch = None,
    charset: options.ReferenceCharset = None,
    image_width: options.ReferenceWidth = None,
    max_length: options.ReferenceLength = None,
    device: options.Device = "cpu",
) -> None:
    """Read pages of Korean text: pictures, scans, PDFs."""
    files = list(_in_folders(files))
    kinds = [kind for kind, on in (("json", as_json), ("hocr", hocr), ("pdf", pdf)) if on]
    if _is_checkpoint(files[0]):
        _misused(f"{files[0]} is a checkpoint: write ocrkit read --checkpoint {files[0]} IMAGE...")
    of_24 = {"charset": charset, "image_width": image_width, "max_length": max_length, "pad": pad}
    if checkpoint and not is_line_reader(checkpoint):
        if kinds or out:
            _misused(
                "--json, --hocr, --pdf and --out are for pages, and this checkpoint reads lines"
            )
        failed = _read_lines(load_reader(checkpoint, device, **of_24), files, force)
    else:
        if force:
            _misused("--force is for models that read single lines: --checkpoint")
        if as_json and hocr and not out:
            _misused("--json and --hocr together need a folder: --out FOLDER")
        names = Counter(file.stem for file in files)
        if (out or pdf) and (twice := [name for name, count in names.items() if count > 1]):
            _misused(f"{names[twice[0]]} files are called {twice[0]}: read them in several calls")
        if out or pdf:  # before hours of reading
            check_writable(out or Path())
        reader = load_reader(checkpoint, device, **of_24)
        failed = _read_pages(reader, files, kinds or ["txt"], out)
    if failed:
        raise typer.Exit(1)


def _in_folders(files: list[Path]) -> Iterator[Path]:
    """The files as they are, and of a folder its pictures and PDFs, in order of their names.

    NAME.ocr.pdf is left out: an earlier `--pdf` has written it.
    Raises OcrkitError: a folder without any, or one that cannot be read.
    """
    for file in files:
        if not os.path.isdir(file):  # noqa: PTH112 (a name too long is none, and no error yet)
            yield file
            continue
        try:
            names = sorted(entry.name for entry in file.iterdir() if entry.is_file())
        except OSError as error:
            raise OcrkitError(f"cannot read {file}: {error.strerror or error}") from None
        pictures = [name for name in names if name[0] != "." and name.lower().endswith(PICTURES)]
        found = [name for name in pictures if not name.endswith(".ocr.pdf")]
        if not found:
            raise OcrkitError(f"{file} holds no picture and no PDF: name the files themselves")
        yield from (file / name for name in found)


def _misused(message: str) -> NoReturn:
    complain(f"ocrkit: {message}", "red")
    raise typer.Exit(2)


def _is_checkpoint(file: Path) -> bool:
    try:
        return file.suffix in _WEIGHTS or Path(f"{file}{_WEIGHTS[0]}").is_file()
    except OSError:  # a name too long, of which reading will complain
        return False


@contextlib.contextmanager
def _said(failures: list[OcrkitError]) -> Iterator[None]:
    """An OcrkitError in the block is a line and one more failure; the work goes on behind it."""
    try:
        yield
    except OcrkitError as error:
        failures.append(error)
        complain(error, "red")


def _read_lines(reader: Any, images: list[Path], force: bool) -> list[OcrkitError]:
    """Read images of one line with one of the 24; what failed."""
    failures: list[OcrkitError] = []
    complain(reader.limits(), "dim")
    for image in images:
        with _said(failures):
            reading = reader.read(image, force)
            print(f"{one_line(image)}\t{reading.text}\t{reading.confidence:.2f}")
            for warning in reading.warnings:
                complain(f"{image}: {warning}", "yellow")
    return failures


def _read_pages(
    reader: Any, files: list[Path], kinds: list[str], out: Path | None
) -> list[OcrkitError]:
    """Read whole pages and write or print them; which files or pages failed."""
    from ocrkit.page import PageFile, read_picture
    from ocrkit.page.output import to_hocr
    from ocrkit.progress import Bars

    failures: list[OcrkitError] = []
    document = []
    with Bars(err, transient=True, redirect_stdout=False, disable=not err.is_terminal) as bars:
        for number, file in enumerate(files, 1):
            pages: Pages = []
            bar = f"{one_line(file.name)} ({number} of {len(files)})"
            with _said(failures):
                opened = PageFile(file)
                for index in range(len(opened)):
                    bars.show(bar, index, len(opened), f"page {index + 1}")
                    with _said(failures):
                        page = read_picture(opened.page(index), reader)
                        pages.append((index + 1, page))
                        if not page.lines:
                            complain(f"{opened.named(index)}: no text found", "yellow")
                        elif page.left_out:
                            left_out = f"{page.left_out} marks left out, hardly text"
                            complain(f"{opened.named(index)}: {left_out}", "dim")
            bars.end(bar)
            with _said(failures):
                for kind in kinds if pages else ():
                    if kind == "hocr" and not out:  # one document of all files
                        document += [(_printable(file), page) for _, page in pages]
                    else:
                        _put_out(file, pages, kind, out, len(files) > 1)
    if document:
        print(to_hocr(document), end="")
    return failures


def _printable(file: Path) -> str:
    """A file's name; bytes that are not Unicode, which Linux allows, as their numbers."""
    return str(file).encode("utf-8", "backslashreplace").decode()


def _put_out(file: Path, pages: Pages, kind: str, out: Path | None, several: bool) -> None:
    """Write the pages of a file as txt, json, hocr or pdf; without a folder, print txt and json."""
    from ocrkit.page.output import to_hocr, write_pdf

    to = (out or Path()) / f"{file.stem}.ocr.{kind}"
    if kind == "pdf":
        write_pdf([page for _, page in pages], to)
    else:
        if kind == "json":
            numbered = [{"page": number, **page.to_dict()} for number, page in pages]
            text = json.dumps({"file": _printable(file), "pages": numbered}, ensure_ascii=False)
        elif kind == "hocr":
            text = to_hocr([(_printable(file), page) for _, page in pages])
        elif len(pages) > 1:
            text = "\n\n".join(f"==> {one_line(file)}, page {n} <==\n{p.text}" for n, p in pages)
        else:
            headed = several and not out
            text = (f"==> {one_line(file)} <==\n" if headed else "") + pages[0][1].text
        if not out:
            print(text, end="\n" if text else "")
            return
        write_text(to, text + "\n" if text else "")
    complain(f"wrote {to}", "dim")
