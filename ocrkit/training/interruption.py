"""SIGTERM, with which a cluster takes a machine back: the run under way saves, then it ends."""

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

# EX_TEMPFAIL of sysexits.h: not done, try again. A scheduler can be told to start again on it.
RESUMABLE = 75


class Interrupted(SystemExit):
    """A training was told to stop and has saved. Not caught, it ends the process with code 75."""

    def __init__(self, code: int = RESUMABLE) -> None:
        super().__init__(code)


_asked = False


def stop_asked() -> bool:
    """Has a SIGTERM come within `sigterm_saves`?"""
    return _asked


def _note(number: int, frame: FrameType | None) -> None:
    global _asked
    _asked = True


@contextlib.contextmanager
def sigterm_saves() -> Iterator[None]:
    """Within the block SIGTERM ends no process: its training saves and raises `Interrupted`.

    A SIGTERM to which nothing in the block has answered is delivered after it.
    """
    global _asked
    before = signal.signal(signal.SIGTERM, _note)
    unanswered = False
    try:
        yield
        unanswered = _asked
    finally:
        signal.signal(signal.SIGTERM, before)
        _asked = False
        if unanswered:
            os.kill(os.getpid(), signal.SIGTERM)
