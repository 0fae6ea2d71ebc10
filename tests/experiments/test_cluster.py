"""A real Ray cluster gives what one machine gives, also when workers are lost or all is stopped."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import ray

from ocrkit.experiments import cluster, runner
from ocrkit.experiments.cluster import connected, on_ray, time_runs
from ocrkit.experiments.grid import Run
from ocrkit.experiments.presets import Preset
from ocrkit.experiments.results import read_row, row_path
from ocrkit.experiments.runner import Event, is_done, run_one
from ocrkit.experiments.setup import state_folder
from ocrkit.training.checkpoint import load_state
from ocrkit.training.interruption import Interrupted, save_on_sigterm

CTC, ATTN = Run("None-VGG-None-CTC", 1), Run("TPS-VGG-None-Attn", 1)
sweep = partial(runner.sweep, executor=on_ray)
PATIENCE = 120  # seconds after which what does not come has failed


def wait_until(true: Callable[[], object]) -> object:
    """Wait for what is about to come, and return it."""
    start = time.monotonic()
    while not (there := true()):
        assert time.monotonic() - start < PATIENCE, "it does not come"
        time.sleep(0.05)
    return there


def processes(word: str, where: str = "cmdline") -> list[int]:
    """The processes that have this word in their command line, or in their environment."""
    found = []
    for path in Path("/proc").glob(f"[0-9]*/{where}"):
        try:
            if word in path.read_text(errors="replace"):
                found.append(int(path.parent.name))
        except OSError:  # it has just ended
            continue
    return found


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def end_worker(run: Run, by: signal.Signals) -> list[int]:
    """Send a signal to whoever has a run under way in the cluster of this process; which they are.

    A worker that has been killed may still be listed for a moment, and be returned once more.
    """
    workers = [pid for pid in processes(f"ray::{run.name}") if parent(parent(pid)) == os.getpid()]
    for worker in workers:
        os.kill(worker, by)
    return workers


def timeless(row: dict) -> dict:
    """A row without what the clock says."""
    clocks = ("train_seconds", "cpu_seconds", "finished", "history")
    history = [{k: v for k, v in point.items() if k != "seconds"} for point in row["history"]]
    return {k: v for k, v in row.items() if k not in clocks} | {"history": history}


# Before there is a cluster


def test_without_ray_it_says_how_to_get_it(monkeypatch, refused):
    monkeypatch.setitem(sys.modules, "ray", None)
    with refused("Ray is not installed.*pip install"), connected():
        pass


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "ray://127.0.0.1:1", "a:b", "x"])
def test_a_cluster_that_is_not_there_is_said_at_once(monkeypatch, refused, address):
    monkeypatch.setenv("RAY_ADDRESS", address)
    before = signal.getsignal(signal.SIGTERM)
    with refused("no Ray cluster at RAY_ADDRESS=.*ray start --head"), connected():
        pass
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_ray_that_does_not_start_is_tried_again_and_then_one_line(monkeypatch, refused):
    tries, before = [], signal.getsignal(signal.SIGTERM)

    def fails(*_, **options):
        tries.append(options["num_cpus"])
        raise RuntimeError("the\nraylet\ndied")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", fails)
    with refused("Ray does not start: the raylet died"), connected(workers=2):
        pass
    assert tries == [2] * cluster._STARTS
    assert cluster._STARTS > 1
    assert signal.getsignal(signal.SIGTERM) == before


# On a cluster


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster of two processors, to which this process is connected; where others find it."""
    # Not below tmp_path: a socket's path has at most 107 characters.
    with (
        tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.delenv("RAY_ADDRESS", raising=False)
        patched.setenv("RAY_TMPDIR", folder)
        patched.setenv("RAY_AUTH_TOKEN", uuid.uuid4().hex)  # else it leaves one in the home folder
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        heard = signal.getsignal(signal.SIGTERM)
        with connected(workers=2):
            yield ray.get_runtime_context().gcs_address
        assert signal.getsignal(signal.SIGTERM) == heard
        # On a busy machine Ray may need several starts; what was left of the first ends with us.
        if len(list(Path(folder).glob("ray/session_2*"))) == 1:
            wait_until(lambda: not processes(folder, "environ"))


def test_rows_are_those_of_one_machine_and_none_is_made_twice(
    address, tiny, data, tmp_path, monkeypatch
):
    ours = [run_one(tiny, data, run, tmp_path / "ours") for run in (CTC, ATTN)]
    run_one(tiny, data, ATTN, tmp_path / "theirs")
    before = row_path(tmp_path / "theirs", ATTN).stat().st_mtime_ns
    told = []
    monkeypatch.chdir(tmp_path)  # where the workers are not
    sweep(tiny, data, [CTC, ATTN], Path("theirs"), watch=told.append)
    theirs = [read_row(tmp_path / "theirs", run) for run in (CTC, ATTN)]
    assert list(map(timeless, theirs)) == list(map(timeless, ours))
    assert row_path(tmp_path / "theirs", ATTN).stat().st_mtime_ns == before
    assert {event.run for event in told if event.row} == {CTC, ATTN}

    time_runs(tiny, data, [CTC, ATTN], Path("theirs"))
    assert all("latency_n" in (read_row(Path("theirs"), run) or {}) for run in (CTC, ATTN))

    monkeypatch.setattr(runner, "decode_all", None)  # now nothing is left to do
    sweep(tiny, data, [CTC, ATTN], Path("theirs"))


@pytest.fixture(scope="module")
def long(tiny) -> Iterator[Preset]:
    """The tiny preset with steps enough to be lost in mid-run, which the sweep hears of soon."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "LOOK_EVERY", 0.05)
        yield replace(tiny, recipe=replace(tiny.recipe, steps=500, validate_every=20))


@pytest.fixture(scope="module")
def undisturbed(long, data, tmp_path_factory) -> dict:
    """The row of a long run that loses nobody, on this machine."""
    return run_one(long, data, CTC, tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize(
    ("by", "save_every"),
    [(signal.SIGKILL, 0.1), (signal.SIGTERM, 3600)],
    ids=["killed", "told that its machine goes"],
)
def test_a_run_whose_worker_is_lost_goes_on_from_its_checkpoint(
    address, long, data, undisturbed, tmp_path, by, save_every
):
    saved = []

    def watch(event: Event) -> None:
        if event.step >= 20 and not saved:
            assert len(end_worker(CTC, by)) == 1
            state = wait_until(lambda: load_state(state_folder(tmp_path, CTC)))
            saved.extend(state["history"])

    sweep(long, data, [CTC], tmp_path, watch=watch, settings={"save_every": save_every})
    row = read_row(tmp_path, CTC)
    assert timeless(row) == timeless(undisturbed)
    # What the clock said at each validation tells that none was made a second time.
    assert saved
    assert row["history"][: len(saved)] == saved


def test_a_run_that_loses_every_worker_stops_no_other(
    address, long, data, tmp_path, monkeypatch, refused
):
    monkeypatch.setattr(cluster, "LOSSES", 1)
    other = Run(CTC.model, 2)
    lost = set()

    def watch(event: Event) -> None:
        if event.run == CTC:
            lost.update(end_worker(CTC, signal.SIGKILL))

    with refused(rf"ended from outside .*: {CTC.name}; start again"):
        sweep(long, data, [CTC, other], tmp_path, watch=watch)
    assert len(lost) == 2
    assert is_done(read_row(tmp_path, other))


def test_a_sweep_told_to_stop_saves_what_is_under_way(address, long, data, tmp_path):
    runs = [CTC, ATTN, Run(CTC.model, 2)]
    begun = set()

    def watch(event: Event) -> None:
        begun.add(event.run)
        if event.step >= 20:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted), save_on_sigterm():
        sweep(long, data, runs, tmp_path, watch=watch)
    saved = {run: load_state(state_folder(tmp_path, run)) for run in runs}
    assert begun
    assert all(saved[run] for run in begun)
    assert saved[runs[-1]] is None, "two processors had no room for it"
    assert not any(read_row(tmp_path, run) for run in runs)

    sweep(long, data, list(begun), tmp_path)
    for run in begun:
        history = saved[run]["history"]
        assert read_row(tmp_path, run)["history"][: len(history)] == history


def test_what_cannot_run_is_said_in_one_line(address, tiny, data, tmp_path, refused):
    with refused("none of the cluster's machines .1. has the 1 CPUs and 1 GPUs"):
        sweep(tiny, data, [CTC], tmp_path / "gpu", device="cuda")
    elsewhere = replace(data, fingerprint="f00d")
    with refused("does not see .*data.json with data f00d: .* all machines of the cluster share"):
        sweep(tiny, elsewhere, [CTC], tmp_path / "elsewhere")
    assert read_row(tmp_path / "elsewhere", CTC) is None


def test_the_command_joins_a_cluster(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["-m", "ocrkit", "sweep", "--on", "ray", "--preset", "smoke", "--model", CTC.model]
    ended = subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"RAY_ADDRESS": address, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 of 1 runs in runs/smoke/runs.csv" in ended.stdout
    (row,) = pd.read_csv("runs/smoke/runs.csv").to_dict("records")
    assert row["model"] == CTC.model
    assert row["latency_n"] > 0


def test_another_place_is_unknown(complains):
    assert "choose here or ray" in complains("sweep", "--on", "mars")
