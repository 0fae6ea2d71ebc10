"""What all commands share: the application, where it prints, where it works, how it stops."""

import contextlib
from collections.abc import Iterator

import typer
from rich.console import Console
from rich.text import Text

from ocrkit.cli.guard import one_line

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
