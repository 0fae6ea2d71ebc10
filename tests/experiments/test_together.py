"""A run shared by processes that are one; a sweep that is told to stop, and goes on."""

import multiprocessing
import os
import signal
from dataclasses import replace

import pytest

from ocrkit.experiments.grid import Run
from ocrkit.experiments.results import read_row, row_path
from ocrkit.experiments.runner import is_done, run_one, run_together, sweep
from ocrkit.experiments.setup import state_folder
from ocrkit.training.checkpoint import load_state
from ocrkit.training.distributed import ALONE
from ocrkit.training.interruption import Interrupted, save_on_sigterm

CTC = Run("None-VGG-None-CTC", 1)


def test_alone_it_is_run_one(tiny, data, tmp_path):
    row = run_together(ALONE, tiny, data, CTC, tmp_path / "together")
    other = run_one(tiny, data, CTC, tmp_path / "one")
    clocks = {"train_seconds", "cpu_seconds", "finished", "history"}
    assert {k: row[k] for k in row if k not in clocks} == {
        k: other[k] for k in other if k not in clocks
    }
    # Done is done.
    before = row_path(tmp_path / "together", CTC).stat().st_mtime_ns
    again = run_together(ALONE, tiny, data, CTC, tmp_path / "together")
    assert again == row
    assert row_path(tmp_path / "together", CTC).stat().st_mtime_ns == before


def test_two_experiments_do_not_mix(tiny, data, tmp_path, refused):
    run_together(ALONE, tiny, data, CTC, tmp_path)
    with refused("holds the runs of another experiment"):
        run_together(ALONE, replace(tiny, width=0.1), data, CTC, tmp_path)


def test_settings_reach_the_trainer(tiny, data, tmp_path):
    row = run_together(ALONE, tiny, data, CTC, tmp_path, engine="none such")
    assert row["status"] == "failed"
    assert "no engine 'none such'" in row["error"]


def test_a_sweep_that_gets_a_sigterm_saves_its_runs(tiny, data, tmp_path):
    preset = replace(tiny, recipe=replace(tiny.recipe, steps=2000, validate_every=1000))
    told = []

    def watch(event) -> None:
        if event.step and not told:
            os.kill(os.getpid(), signal.SIGTERM)
        told.append(event.step)

    with pytest.raises(Interrupted) as end, save_on_sigterm():
        sweep(preset, data, [CTC], tmp_path, workers=1, watch=watch)
    assert end.value.code == 75
    assert multiprocessing.active_children() == []
    assert not is_done(read_row(tmp_path, CTC))
    # Saved when it was told, not when its half a minute was over.
    assert load_state(state_folder(tmp_path, CTC))["step"] >= max(told)
