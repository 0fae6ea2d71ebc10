"""`python -m ocrkit` is `ocrkit`."""

import signal
import sys

from ocrkit.errors import by_ctrl_c


def main() -> None:
    """The command line as a process of its own, which ends deaf to Ctrl-C.

    Ctrl-C while it is imported is one line too, and at the end nothing. A program that calls a
    command and goes on has `ocrkit.cli.main`, which leaves Ctrl-C as it was.
    """
    try:
        try:
            from ocrkit.cli import main as typed

            typed()
        finally:
            # Python takes half a second to clear up. By then all is done and said: Ctrl-C would add
            # a traceback, or end the process with code 130 and without a line.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except (KeyboardInterrupt, Exception) as error:
        if not by_ctrl_c(error):
            raise
        print("stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
