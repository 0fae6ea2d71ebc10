"""Commands forked from the process that kernels are forked from, which has imported torch."""

import os
import select
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from forked_kernels import ask, number


class Command:
    """A forked `python -m MODULE ARGUMENTS`, the leader of a new session.

    What PYTHONPATH adds is found, and a `sitecustomize` in it is imported first.

    Attributes:
        pid: of the process.
        returncode: as of subprocess.Popen, once `communicate` has returned.
    """

    def __init__(self, address: str, *command: str, cwd: Path, env: Mapping[str, str]):
        self.command, self.returncode = command, 0
        self._printed, ours = os.pipe()
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(address)
        module, *arguments = command
        asked = {"module": module, "argv": arguments, "env": dict(env), "cwd": str(cwd)}
        ask(self._connection, asked, [0, ours, ours])
        os.close(ours)
        self.pid = number(self._connection)

    def communicate(self, timeout: float) -> str:
        """Wait until whatever holds its output has ended, and return that.

        Raises:
            subprocess.TimeoutExpired: something still runs after this many seconds.
        """
        start, printed = time.monotonic(), b""
        with os.fdopen(self._printed, "rb", buffering=0) as pipe, self._connection as connection:
            while True:
                left = start + timeout - time.monotonic()
                if left <= 0 or not select.select([pipe], [], [], left)[0]:
                    raise subprocess.TimeoutExpired(self.command, timeout, printed)
                more = pipe.read(1 << 16)
                if not more:
                    break
                printed += more
            self.returncode = number(connection)
        return printed.decode()
