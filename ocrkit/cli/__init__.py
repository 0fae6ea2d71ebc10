"""The command line: words typed by a person become calls into the library."""

import contextlib
import os
import sys
import warnings

# Each module adds its commands to `app`, in the order of the help.
from ocrkit.cli import data, read, runs, train, use
from ocrkit.cli.base import app, complain, empty_argument, err, explain, make_printable
from ocrkit.errors import OcrkitError, by_ctrl_c

# What these have done is kept when they are stopped.
_RESUMED = {"generate", "papers", "sweep", "train"}

__all__ = ["app", "data", "main", "read", "runs", "train", "use"]


def _complain_once_a_warning() -> None:
    """Have warnings printed as one line each, without the place in the code that gave them."""
    shown: set[str] = set()

    def show(message: object, *_: object, **__: object) -> None:
        if str(message) not in shown:
            shown.add(str(message))
            complain(message, "yellow")

    warnings.showwarning = show


def main() -> None:
    """The entry point: an error is one line, not a traceback."""
    make_printable()
    _complain_once_a_warning()
    if problem := empty_argument(sys.argv[1:]):
        complain(f"ocrkit: {problem}", "red")
        sys.exit(2)
    try:
        try:
            app(prog_name="ocrkit", standalone_mode=True)
        finally:  # here, where an error of a full disk can still be reported
            sys.stdout.flush()
    except SystemExit as end:
        if end.code == 130:  # what typer makes of Ctrl-C
            _stopped()
        raise
    except Exception as error:
        if by_ctrl_c(error):
            _stopped()
            sys.exit(130)
        if isinstance(error, BrokenPipeError):  # whoever read what we print has enough (`| head`)
            _print_no_more()
            sys.exit(1)
        said = error if isinstance(error, OcrkitError) else explain(error)
        complain(f"ocrkit: {said}", "red")
        try:
            sys.stdout.flush()
        except OSError:
            _print_no_more()
        sys.exit(1)


def _stopped() -> None:
    goes_on = _RESUMED & set(sys.argv[1:2])
    again = "; start it again and it goes on from where it was" if goes_on else ""
    err.print(f"stopped{again}")


def _print_no_more() -> None:
    """What is still to be printed goes nowhere: Python would try again at its end, and complain."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
