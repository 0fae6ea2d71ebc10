"""Ends a command at a chosen change on disk; Python imports it where this folder is on the path.

Every change below the working folder is a line of the file DYING_LOG, written just before it
happens; so is the start of every process. At DYING_AT, a line or its number, the signal DYING_BY
goes to the whole process group, or to its first process alone (DYING_WHO=first), at once or
DYING_AFTER seconds later.
"""

import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

HERE, LOG, AT = Path.cwd(), os.environ["DYING_LOG"], os.environ["DYING_AT"]
# Where each event of the interpreter names the path that changes.
PATHS = {"os.rename": 1, "os.remove": 0, "os.mkdir": 0, "open": 0, "shutil.rmtree": 0}
TEMPORARY = re.compile(r"\.([^/]+?)\.[^/.]+-\d+\.\w+\.(part|old)(?=/|$)")

# As at a terminal: where the tests run in the background, Ctrl-C is ignored from birth.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A clock that runs fast: checkpoints, due every half a minute, come with every step.
_clock = time.perf_counter
time.perf_counter = lambda: 1000 * _clock()


def watch(event: str, args: tuple) -> None:
    """Note a change by this process; of a temporary's name, what it is going to be."""
    if event not in PATHS or not isinstance(args[PATHS[event]], str | bytes | os.PathLike):
        return
    path = HERE / os.fsdecode(args[PATHS[event]])
    if path.is_relative_to(HERE) and _changes(event, path, args):
        name = TEMPORARY.sub(r"\1.\2", str(path.relative_to(HERE)))
        note(f"{event.split('.')[-1]} {name}")


def _changes(event: str, path: Path, args: tuple) -> bool:
    if event == "open":  # for writing, but for the moment in which mkstemp makes an empty file
        return bool(args[2] & (os.O_WRONLY | os.O_RDWR)) and not args[2] & os.O_EXCL
    if event == "os.remove":  # below a folder that goes as a whole
        return args[1] != -1
    if event == "os.mkdir":
        return path.parent.exists() and not path.exists()
    return event == "os.rename" or path.exists()


def note(line: str) -> None:
    log = os.open(LOG, os.O_APPEND | os.O_CREAT | os.O_RDWR)
    os.write(log, f"{line}\n".encode())
    written = os.lseek(log, 0, os.SEEK_CUR)  # other processes may have gone on writing
    number = os.pread(log, written, 0).count(b"\n")
    os.close(log)
    if AT in (line, str(number)):
        after = float(os.environ["DYING_AFTER"])
        threading.Timer(after, end).start() if after else end()


def end() -> None:
    send = os.kill if os.environ["DYING_WHO"] == "first" else os.killpg
    send(os.getpgrp(), signal.Signals[os.environ["DYING_BY"]])


note("process")
sys.addaudithook(watch)
