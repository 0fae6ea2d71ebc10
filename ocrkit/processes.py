"""Worker processes: what each does first."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading


def start_worker() -> None:
    """Leave Ctrl-C to the process that started this worker, and end when that one is gone.

    A parent that is killed cannot end its workers: they would go on, for hours, beside the run
    that was started in their place.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)  # at once: what is half written lies under a temporary name
