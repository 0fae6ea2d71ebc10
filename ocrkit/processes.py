"""Worker processes: Ctrl-C and the death of their parent."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading


def start_worker() -> None:
    """A worker's initialiser: ignore Ctrl-C, which the parent handles, and exit with the parent.

    A parent that is killed cannot end its workers: they would train on for hours beside the run
    that was started in their place.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=(parent.sentinel,), daemon=True).start()


def _exit_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)  # at once; unfinished files have temporary names
