"""A worker ends with the process that started it, however that one ended."""

import ctypes
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ocrkit.processes import deaf_to_ctrl_c, keep_freed_memory

PARENT = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from ocrkit.processes import start_worker

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), start_worker)
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600)
    time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    return state != "Z"  # ended, and nobody has looked yet


def _hears_ctrl_c(told) -> None:
    told.send(signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, []))


def test_a_process_started_deaf_to_ctrl_c_never_hears_it():
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_hears_ctrl_c, args=(theirs,))
    done = []

    def start() -> None:
        with deaf_to_ctrl_c():
            child.start()
            signal.raise_signal(signal.SIGINT)
            done.append("started")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert done, "this process hears it at the end of the block, not before"
    assert ours.recv() is False
    child.join()


def test_where_signals_cannot_be_held_back_the_block_runs_all_the_same(monkeypatch):
    monkeypatch.delattr(signal, "pthread_sigmask")  # as on Windows
    with deaf_to_ctrl_c():
        done = True
    assert done


def test_a_worker_ends_with_its_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    assert is_alive(worker)
    parent.kill()
    parent.wait()
    for _ in range(6000):
        if not is_alive(worker):
            break
        time.sleep(0.05)
    assert not is_alive(worker)


@pytest.fixture(scope="module")
def threads_of_a_fixture() -> int:
    return torch.get_num_threads()


def test_tests_and_what_they_start_have_one_thread_each(threads_of_a_fixture):
    assert threads_of_a_fixture == 1
    assert os.environ["OMP_NUM_THREADS"] == "1"


REPEATED = """
import resource, sys
from ocrkit.processes import keep_freed_memory

size = 2**26  # bytes
if sys.argv[1] == "keep":
    keep_freed_memory()
b"x" * size
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    b"x" * size
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.parametrize(("most", "taken"), [(2**31, 2**28), (2**25, 2**25), (0, 0)])
def test_an_older_glibc_is_asked_for_what_it_takes(monkeypatch, most, taken):
    done = {}

    def mallopt(option: int, value: int) -> int:
        if option == -3 and value > most:
            return 0
        done[option] = value
        return 1

    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.31"))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=mallopt))
    keep_freed_memory()
    assert done == ({-3: taken, -1: 2**28} if taken else {})


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc is another here")
def test_freed_memory_is_kept():
    faults = {}
    for way in ("give back", "keep"):
        command = [sys.executable, "-c", REPEATED, way]
        faults[way] = int(subprocess.run(command, capture_output=True, check=True).stdout)
    assert faults["keep"] < faults["give back"] / 10
