"""Processes: Ctrl-C, the death of a parent, memory."""

import contextlib
import ctypes
import multiprocessing
import multiprocessing.connection
import multiprocessing.resource_tracker
import os
import platform
import signal
import threading
from collections.abc import Iterator


def start_worker() -> None:
    """A worker's initialiser: ignore Ctrl-C, which the parent handles, and exit with the parent.

    A parent that is killed cannot end its workers: they would train on for hours beside the run
    that was started in their place.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=(parent.sentinel,), daemon=True).start()


@contextlib.contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started in the block never hear Ctrl-C, not even before `start_worker`.

    A terminal sends Ctrl-C to all of them, and a worker that is still importing would print its
    traceback. This process hears one that comes meanwhile when the block ends.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # Python's own helper, started with the first process, would open our ears again.
    multiprocessing.resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, for the next training step needs it again.

    glibc gives large blocks back to the system, which clears the pages each time it hands them out.
    Without an effect where there is no glibc.
    """
    if platform.libc_ver()[0] == "glibc":
        trim, mmap, set_option = -1, -3, ctypes.CDLL(None).mallopt  # M_..._THRESHOLD of malloc.h
        # Before 2.35 glibc takes 32 MiB at most for the second. Either holds the other where it is:
        # the first alone would have every block of 128 KiB given back.
        if set_option(mmap, 2**28) or set_option(mmap, 2**25):
            set_option(trim, 2**28)


def _exit_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)  # at once; unfinished files have temporary names
