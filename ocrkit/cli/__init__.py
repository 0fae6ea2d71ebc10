"""The command line: words typed by a person become calls into the library."""

import sys
import warnings

# Each module adds its commands to `app`, in the order of the help.
from ocrkit.cli import about, data, papers, read, results, runs, train, use
from ocrkit.cli.base import app, complain, err
from ocrkit.cli.guard import empty_argument, explain, make_printable
from ocrkit.errors import OcrkitError

__all__ = ["about", "app", "data", "main", "papers", "read", "results", "runs", "train", "use"]


def _complain_once_a_warning() -> None:
    """Have warnings printed as one line each, without the place in the code that gave them."""
    said: set[str] = set()

    def show(message: object, *_: object, **__: object) -> None:
        if str(message) not in said:
            said.add(str(message))
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
        app(prog_name="ocrkit", standalone_mode=True)
    except OcrkitError as error:
        complain(f"ocrkit: {error}", "red")
        sys.exit(1)
    except SystemExit as end:
        if end.code == 130:  # what typer makes of Ctrl-C
            err.print("stopped; start it again and it goes on from where it was")
        raise
    except Exception as error:
        complain(f"ocrkit: {explain(error)}", "red")
        sys.exit(1)
