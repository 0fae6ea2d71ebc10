"""Promotion: a finished run becomes the reference, and other seeds of the same experiment stay."""

import json
from pathlib import Path

import pandas as pd
import promote
import pytest

from ocrkit.models import MODEL_NAMES


@pytest.fixture
def promoted(tmp_path, monkeypatch):
    """Promote rows of some models and one seed; the reference's rows and curves."""
    monkeypatch.chdir(tmp_path)
    drawn = tmp_path / "drawn"
    (drawn / "figures").mkdir(parents=True)
    (drawn / "figures" / "one.png").write_bytes(b"a picture")
    monkeypatch.setattr(promote, "write_report", lambda *a: drawn / "report.html")

    def run(models, seed: int, accuracy: float, dataset: str = "d1", failed: tuple = ()):
        source = tmp_path / f"run-{seed}-{accuracy}-{dataset}"
        (source / "rows").mkdir(parents=True, exist_ok=True)
        note = {"preset": {"name": "mini", "unfit_limit": seed / 100}, "dataset": dataset}
        (source / "experiment.json").write_text(json.dumps(note))
        for model in models:
            row = {"model": model, "seed": seed, "status": "ok", "accuracy": accuracy}
            row["history"] = [{"step": 10, "valid_accuracy": accuracy}]
            if model in failed:
                row = {"model": model, "seed": seed, "status": "failed", "error": "no room"}
            (source / "rows" / f"{model}-s{seed}.json").write_text(json.dumps(row))
        promote.promote_run("mini", source)
        kept = Path("data/results/mini")
        return (
            pd.read_csv(kept / name, keep_default_na=False) for name in ("runs.csv", "curves.csv")
        )

    return run


def test_another_seed_is_added(promoted):
    promoted(MODEL_NAMES, 1, 90.0)
    rows, curves = promoted(MODEL_NAMES[:5], 2, 80.0)
    assert rows.groupby("seed").size().to_dict() == {1: 24, 2: 5}
    assert curves.groupby("seed").size().to_dict() == {1: 24, 2: 5}
    assert rows.set_index(["model", "seed"])["accuracy"][MODEL_NAMES[0], 2] == 80


def test_the_same_seed_is_replaced(promoted):
    promoted(MODEL_NAMES, 1, 90.0)
    rows, _ = promoted(MODEL_NAMES[:1], 1, 70.0)
    assert len(rows) == 24
    assert sorted(rows["accuracy"].unique()) == [70, 90]


def test_a_run_that_failed_takes_no_good_ones_place(promoted, refused):
    with refused("1 models are missing"):
        promoted(MODEL_NAMES, 1, 90.0, failed=MODEL_NAMES[:1])
    promoted(MODEL_NAMES, 1, 80.0)
    rows, curves = promoted(MODEL_NAMES, 1, 70.0, failed=MODEL_NAMES[:2])
    assert rows["accuracy"].value_counts().to_dict() == {70: 22, 80: 2}
    assert set(rows["status"]) == {"ok"}
    assert curves["valid_accuracy"].value_counts().to_dict() == {70: 22, 80: 2}


def test_checkpoints_beside_the_rows_stay(promoted):
    weights = Path("data/results/mini/checkpoints/one.safetensors")
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    rows, _ = promoted(MODEL_NAMES, 1, 90.0)
    assert len(rows) == 24
    assert weights.read_bytes() == b"weights"


def test_another_experiment_is_not_mixed_in(promoted, refused):
    promoted(MODEL_NAMES, 1, 90.0)
    with refused("19 models are missing"):
        promoted(MODEL_NAMES[:5], 2, 80.0, dataset="d2")
    rows, _ = promoted(MODEL_NAMES, 2, 80.0, dataset="d2")
    assert set(rows["seed"]) == {2}
    assert Path("figures/one.png").read_bytes() == b"a picture"


def test_a_run_that_is_not_there_or_not_whole_is_told(promoted, refused, tmp_path):
    with refused("no run in "):
        promote.promote_run("mini", tmp_path / "gone")
    with refused("not promoted, 23 models are missing: None-VGG-None-Attn, "):
        promoted(["None-VGG-None-CTC"], 1, 90.0)
    assert not Path("data").exists()
    assert not Path("figures").exists()
