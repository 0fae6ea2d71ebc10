"""Bytes, clocks and memory of one process."""

import math
import socket
from pathlib import Path

import numpy as np
import pytest

from ocrkit.training import ledger
from ocrkit.training.ledger import Ledger, memory_bytes, network_bytes

linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux")


@linux
def test_a_part_knows_its_bytes():
    book = Ledger(step=3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
        with one, other:
            with book.part("send"):
                one.sendall(bytes(50_000))
                left = 50_000
                while left:
                    left -= len(other.recv(left))
            one.sendall(b"still usable")
            assert other.recv(12) == b"still usable"
    (event,) = book.events
    assert (event.step, event.what) == (3, "send")
    assert event.begin < event.end
    # Both ends are this process's: what it sends it also receives.
    assert event.received == 50_000
    assert event.sent == 50_000


@linux
def test_a_connection_that_closes_takes_nothing_back():
    book = Ledger()
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
        with other:
            one.sendall(bytes(10_000))
            with book.part("close"):
                one.close()
    (event,) = book.events
    assert 0 <= event.sent <= 10_000
    assert event.received >= 0


@linux
def test_the_peak_of_memory_stays_when_the_memory_is_given_back():
    size = int(2 * memory_bytes("VmHWM"))  # more than was ever held
    held = np.ones(size, dtype=np.uint8)
    assert memory_bytes("VmRSS") > size
    del held
    assert 0 < memory_bytes("VmRSS") < size < memory_bytes("VmHWM")


def test_elsewhere_nothing_is_made_up(monkeypatch):
    monkeypatch.setattr(ledger, "Path", lambda path: Path("/nowhere") / path.lstrip("/"))
    assert all(math.isnan(count) for count in network_bytes())
    assert math.isnan(memory_bytes("VmRSS"))
