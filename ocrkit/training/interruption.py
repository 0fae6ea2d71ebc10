"""SIGTERM, by which a cluster reclaims a machine: the running training saves, then ends."""

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

# EX_TEMPFAIL of sysexits.h: not done, try again. Schedulers can requeue a job on it.
EXIT_RESUMABLE = 75


class Interrupted(SystemExit):
    """A training has saved on SIGTERM. Not caught, it ends the process with exit code 75."""

    def __init__(self, code: int = EXIT_RESUMABLE) -> None:
        super().__init__(code)


_requested = False


def stop_requested() -> bool:
    """Has a SIGTERM arrived within `save_on_sigterm`?"""
    return _requested


def _handle(number: int, frame: FrameType | None) -> None:
    global _requested
    _requested = True


@contextlib.contextmanager
def save_on_sigterm() -> Iterator[None]:
    """Within the block SIGTERM does not end the process: its training saves and raises Interrupted.

    A SIGTERM that no training in the block has handled is delivered after the block.
    """
    global _requested
    before = signal.signal(signal.SIGTERM, _handle)
    unhandled = False
    try:
        yield
        unhandled = _requested
    finally:
        signal.signal(signal.SIGTERM, before)
        _requested = False
        if unhandled:
            os.kill(os.getpid(), signal.SIGTERM)
