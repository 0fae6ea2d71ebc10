"""SIGTERM, by which a cluster reclaims a machine: the running training saves, then ends."""

import contextlib
import os
import signal
from collections.abc import Iterator

# EX_TEMPFAIL of sysexits.h: not done, try again. Schedulers can requeue a job on it.
EXIT_RESUMABLE = 75


class Interrupted(SystemExit):
    """A training has saved on SIGTERM. Not caught, it ends the process with exit code 75."""

    def __init__(self, code: int = EXIT_RESUMABLE) -> None:
        super().__init__(code)


_arrived: list[int] = []  # signals that came within `save_on_sigterm`


def stop_requested() -> bool:
    """Has a SIGTERM arrived within `save_on_sigterm`?"""
    return bool(_arrived)


@contextlib.contextmanager
def save_on_sigterm() -> Iterator[None]:
    """Within the block SIGTERM does not end the process: its training saves and raises Interrupted.

    A SIGTERM that no training in the block has handled is delivered after the block.
    """
    before = signal.signal(signal.SIGTERM, lambda number, frame: _arrived.append(number))
    unhandled = False
    try:
        yield
        unhandled = stop_requested()
    finally:
        signal.signal(signal.SIGTERM, before)
        _arrived.clear()
        if unhandled:
            os.kill(os.getpid(), signal.SIGTERM)
