"""A run's row; failures that stop nobody; a sweep that goes on where it was stopped."""

import multiprocessing
import os
from dataclasses import replace

import numpy as np
import pytest

from ocrkit.data.cache import load_pixels
from ocrkit.experiments import runner
from ocrkit.experiments.grid import Run
from ocrkit.experiments.presets import KINDS
from ocrkit.experiments.results import ALONE_COLUMNS, COLUMNS, read_row, row_path, write_row
from ocrkit.experiments.runner import check_folder, is_done, run_one, sweep, time_runs
from ocrkit.models import load_checkpoint
from ocrkit.training import read_all
from ocrkit.training.losses import make_converter

CTC, ATTN = Run("None-VGG-None-CTC", 1), Run("TPS-RCNN-None-Attn", 1)


@pytest.mark.parametrize("run", [CTC, ATTN])
def test_a_run_becomes_a_row_and_a_checkpoint(tiny, data, tmp_path, run):
    steps = []
    row = run_one(tiny, data, run, tmp_path, watch=lambda p: steps.append(p.step))
    assert steps == [1, 2, 3, 4]
    assert read_row(tmp_path, run) == row
    later = {c for c in COLUMNS if c.startswith("latency")}
    assert set(COLUMNS) - set(row) == later | set(ALONE_COLUMNS)
    assert (row["status"], row["error"]) == ("ok", "")
    assert (row["steps"], row["images"], row["dataset"]) == (4, 16, data.fingerprint)
    assert [point["step"] for point in row["history"]] == [2, 4]
    assert row["accuracy_five"] == pytest.approx(np.mean([row[f"accuracy_{k}"] for k in KINDS]))
    assert row["test_images"] == 2 * tiny.test_images
    assert row["params"] == sum(
        row[f"params_{s}"] for s in ("transformation", "feature", "sequence", "prediction")
    )
    assert not (tmp_path / "state" / run.name).exists()

    model, about = load_checkpoint(tmp_path / "checkpoints" / run.name)
    assert (about["name"], about["charset"]) == (run.model, data.charset)
    assert about["info"]["accuracy"] == row["accuracy"]
    # The checkpoint reads as the row says it did.
    converter = make_converter(model.prediction, data.charset, tiny.max_length)
    images = load_pixels(data.open("test-blur"), tiny.image_width)
    texts = read_all(model, converter, images.pixels).texts
    right = np.mean([read == true for read, true in zip(texts, images.texts, strict=True)])
    assert row["accuracy_blur"] == pytest.approx(100 * right)


def test_the_same_seed_is_the_same_model(tiny, data, tmp_path):
    for name, run in (("a", CTC), ("b", CTC), ("c", Run(CTC.model, 2))):
        run_one(tiny, data, run, tmp_path / name)
    weights = [
        (tmp_path / name / "checkpoints" / f"{CTC.model}-s{seed}.safetensors").read_bytes()
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.parametrize("error", [ValueError("two\nlines"), RuntimeError("boom"), KeyError("k")])
def test_a_failed_run_is_a_row_and_is_tried_again(tiny, data, tmp_path, monkeypatch, error):
    def fails(*_, **__):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(runner, "make_trainer", fails)
        row = run_one(tiny, data, CTC, tmp_path)
    assert row["status"] == "failed"
    assert row["error"].startswith(f"{type(error).__name__}: ")
    assert "test_runner.py" in row["error"]
    assert (row["model"], row["seed"], row["preset"]) == (CTC.model, 1, "smoke")
    assert read_row(tmp_path, CTC) == row
    assert not is_done(row)
    assert is_done(run_one(tiny, data, CTC, tmp_path))


def test_labels_that_do_not_fit_fail_with_the_numbers(tiny, data, tmp_path):
    narrow = replace(tiny, image_width=8)
    row = run_one(narrow, data, CTC, tmp_path)
    assert row["status"] == "failed"
    assert "% of the labels do not fit" in row["error"]


def test_an_unknown_device_is_refused(tiny, data, tmp_path, refused):
    with refused("unknown device"):
        run_one(tiny, data, CTC, tmp_path, device="abacus")


def test_what_counts_as_done():
    assert not is_done(None)
    assert not is_done({"status": "failed"})
    assert is_done({"status": "ok"})


def test_two_experiments_do_not_mix(tiny, data, tmp_path, refused):
    check_folder(tmp_path, tiny, data)
    check_folder(tmp_path, tiny, data)
    # Whoever is told to raise the limit must be able to go on where they were.
    check_folder(tmp_path, replace(tiny, unfit_limit=0.5), data)
    with refused("holds the runs of another experiment.*--out"):
        check_folder(tmp_path, replace(tiny, width=0.1), data)
    with refused("holds the runs of another experiment"):
        check_folder(tmp_path, tiny, replace(data, fingerprint="f00d"))


def test_timing_adds_to_good_rows_once(tiny, data, tmp_path):
    run_one(tiny, data, CTC, tmp_path)
    failed = {"model": ATTN.model, "seed": ATTN.seed, "status": "failed", "error": "x"}
    write_row(tmp_path, ATTN, failed)
    never = Run("None-VGG-None-Attn", 1)
    time_runs(tiny, data, [CTC, ATTN, never], tmp_path)
    row = read_row(tmp_path, CTC)
    time_runs(tiny, data, [CTC, ATTN, never], tmp_path)
    assert read_row(tmp_path, CTC) == row
    assert 0 < row["latency_1_ms_median"] <= row["latency_1_ms_p95"]
    assert 0 < row["latency_n_ms_median"] <= row["latency_n_ms_p95"]
    assert row["latency_n"] == tiny.test_images
    assert "latency_n" not in read_row(tmp_path, ATTN)
    assert read_row(tmp_path, never) is None


class Stop(Exception):  # noqa: N818
    """What Ctrl-C is to a sweep: it may come out of any line."""


def test_a_sweep_stopped_and_started_again_goes_on(tiny, data, tmp_path, monkeypatch):
    preset = replace(tiny, recipe=replace(tiny.recipe, steps=20, validate_every=10))
    runs = [CTC, Run("TPS-ResNet-BiLSTM-Attn", 1)]
    failed = {"model": CTC.model, "status": "failed", "error": "from before"}
    write_row(tmp_path, CTC, failed)

    def stop(event):
        assert event.run in runs
        if event.row is not None:
            raise Stop

    with pytest.raises(Stop):
        sweep(preset, data, runs, tmp_path, workers=2, watch=stop)
    assert multiprocessing.active_children() == []
    first = [run for run in runs if is_done(read_row(tmp_path, run))]
    assert first, "the run that ended before the stop is kept"
    kept = {run: row_path(tmp_path, run).stat().st_mtime_ns for run in first}

    told = []
    sweep(preset, data, runs, tmp_path, workers=2, watch=told.append)
    assert all(is_done(read_row(tmp_path, run)) for run in runs)
    assert {event.run for event in told if event.row is not None} == set(runs)
    assert {run: row_path(tmp_path, run).stat().st_mtime_ns for run in first} == kept

    # Now nothing is left to do, and no process is started for it.
    monkeypatch.setattr(runner, "ProcessPoolExecutor", None)
    told.clear()
    sweep(preset, data, runs, tmp_path, workers=2, watch=told.append)
    assert [event.row["status"] for event in told] == ["ok", "ok"]


def test_a_worker_ended_from_outside_is_one_line(tiny, data, tmp_path, monkeypatch, refused):
    class Pool(runner.ProcessPoolExecutor):
        def submit(self, *args):
            job = super().submit(*args)
            for process in self._processes.values():
                os.kill(process.pid, 9)
            return job

    monkeypatch.setattr(runner, "ProcessPoolExecutor", Pool)
    with refused("ended from outside.*start again"):
        sweep(tiny, data, [CTC], tmp_path, workers=1)
    assert multiprocessing.active_children() == []
