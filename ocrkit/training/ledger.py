"""What one process does in a step: when, how many bytes it sends and receives, and its memory."""

import contextlib
import math
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Event:
    """One part of a step.

    Attributes:
        begin, end: seconds of a clock that all processes of the machine share.
        sent, received: bytes over the network meanwhile, as the system counts them.
        size: bytes of the message, for a bucket of gradients; several are under way at a time.
    """

    step: int
    what: str
    begin: float
    end: float
    sent: float = 0
    received: float = 0
    size: int = 0


@dataclass
class Ledger:
    """What one process did, its losses, and its peak of memory (bytes over what it began with)."""

    events: list[Event] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    memory: float = math.nan
    step: int = 0
    _connections: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False)

    @contextlib.contextmanager
    def part(self, what: str) -> Iterator[None]:
        """Write the block down as one event."""
        sent, received = network_bytes(self._connections)
        begin = time.perf_counter()
        yield
        end = time.perf_counter()
        sent_now, received_now = network_bytes(self._connections)
        moved = sent_now - sent, received_now - received
        self.events.append(Event(self.step, what, begin, end, *moved))


def network_bytes(seen: dict[str, tuple[int, int]] | None = None) -> tuple[float, float]:
    """Bytes that this process has sent and received over TCP; NaN where Linux does not count.

    `seen`, given again in each call, keeps what each connection had when it was last open:
    without it a connection that is closed would take its bytes away with it.
    """
    seen, files = {} if seen is None else seen, Path("/proc/self/fd")
    if not files.exists():
        return math.nan, math.nan
    for file in files.iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile, or nothing of TCP's
            name = str(file.readlink())
            connection = socket.socket(fileno=int(file.name))
            try:
                told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 216)
            finally:
                connection.detach()  # it is somebody else's
            # struct tcp_info of linux/tcp.h: sent, of that sent again, yet to be sent; arrived.
            once, again = struct.unpack_from("=QQ", told, 200)
            sent = once - again + struct.unpack_from("=I", told, 144)[0]
            received, before = struct.unpack_from("=Q", told, 128)[0], seen.get(name, (0, 0))
            seen[name] = max(sent, before[0]), max(received, before[1])
    return sum(sent for sent, _ in seen.values()), sum(received for _, received in seen.values())


def memory_bytes(what: str) -> float:
    """This process's memory now ("VmRSS") or at its most ("VmHWM"); NaN where there is no Linux."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(what):
                return 1024.0 * int(line.split()[1])
    return math.nan
