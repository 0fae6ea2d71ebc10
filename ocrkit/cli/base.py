"""What all commands share: the application, where it prints, how it stops, its last guard.

Whatever happens, a person reads one line.
"""

import contextlib
import re
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Reproduce the HCLT 2019 study of Korean sentence OCR, and train Korean OCR of your own."
    "\n\n"
    "The road: [bold]generate[/] draws images, [bold]sweep[/] trains and tests the 24 models, "
    "[bold]report[/] prints the paper's tables beside yours. `ocrkit doctor` says what this "
    "machine can do.",
    rich_markup_mode="rich",
)
# Brackets and colons in the names of files are no markup and no emoji.
console = Console(markup=False, emoji=False)
err = Console(stderr=True, markup=False, emoji=False)
# Controls of terminals, line ends, and what turns the direction of writing.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def one_line(text: object) -> str:
    """A text with its control characters escaped.

    Names of files and labels come from anywhere: a line end in one of them forges a second message,
    an escape sequence moves the cursor or colours what follows.
    """
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], str(text))


def say(text: object) -> None:
    """One line of the result: never wrapped."""
    console.print(Text(one_line(text)), soft_wrap=True)


def complain(text: object, style: str) -> None:
    """One line to the error stream: never wrapped, and brackets in file names stay as they are."""
    err.print(Text(one_line(text), style), soft_wrap=True)


@contextlib.contextmanager
def resumable() -> Iterator[None]:
    """Within the block a SIGTERM lets the training save, and ends the command with code 75."""
    from ocrkit.training.interruption import EXIT_RESUMABLE, Interrupted, save_on_sigterm

    try:
        with save_on_sigterm():
            yield
    except Interrupted:
        if not console.quiet:
            complain("stopped by SIGTERM, and saved: the same command goes on from there", "yellow")
        raise typer.Exit(EXIT_RESUMABLE) from None


def make_printable() -> None:
    """Let the streams print any character: one that the console cannot show is escaped.

    Consoles of Windows (CP949, CP1252) lack characters of labels, and file names on Linux may be no
    Unicode at all; by default either ends a command in the middle of its work.
    """
    stream: Any
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # not a text stream, or closed
            stream.reconfigure(errors="backslashreplace")


def empty_argument(arguments: Sequence[str]) -> str:
    """What is wrong with a command line that holds an empty value, or ""."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        option = argument.removesuffix("=")
        if option == "":
            where = f"after {before}" if before else "at the beginning"
            return f"an empty value {where}: give a name (is a variable of the shell unset?)"
        if argument.startswith("--") and argument.endswith("="):
            return f"{option} has an empty value: give one (is a variable of the shell unset?)"
    return ""


def explain(error: Exception) -> str:
    """One line about an error that no command foresaw; its traceback goes to a file.

    Errors of the system (a full disk, no right to write, a name too long) and of memory need no
    traceback: the line says it all.
    """
    if isinstance(error, OSError) and error.strerror:
        names = [str(name) for name in (error.filename, error.filename2) if name]
        return f"{' -> '.join(names) or 'the system'}: {error.strerror}"
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        name = error.object[max(error.start - 100, 0) : error.end + 20]  # of a text, perhaps
        return f"the name {name!a} is not UTF-8: rename the file or folder"
    # By its name, for torch takes a second to import.
    torchs = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    if isinstance(error, MemoryError) or torchs:
        return "out of memory: use a smaller --batch-size, --image-width or --width"
    message = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return f"unexpected error: {message}; {_keep_traceback(error)}"


def _keep_traceback(error: Exception) -> str:
    trace = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix="ocrkit-traceback-",
            suffix=".txt",
            encoding="utf-8",
            errors="backslashreplace",
            delete=False,
        ) as out:
            out.write(f"ocrkit {' '.join(sys.argv[1:])}\n\n{trace}")
    except OSError as full:
        return f"its traceback could not be written ({full.strerror})"
    return f"the traceback is in {out.name}"
