"""The command line: words typed by a person become calls into the library."""

import sys

# Each module adds its commands to `app`, in the order of the help.
from ocrkit.cli import about, data, papers, runs, use
from ocrkit.cli.base import app, complain, err
from ocrkit.errors import OcrkitError

__all__ = ["about", "app", "data", "main", "papers", "runs", "use"]


def main() -> None:
    """The entry point: an error a user can mend is one line, not a traceback."""
    try:
        app(prog_name="ocrkit", standalone_mode=True)
    except OcrkitError as error:
        complain(f"ocrkit: {error}", "red")
        sys.exit(1)
    except SystemExit as end:
        if end.code == 130:  # what typer makes of Ctrl-C
            err.print("stopped; start it again and it goes on from where it was")
        raise
