"""The study of the newer stages: equal seconds are counted right, and a stopped study goes on."""

from dataclasses import replace

import newer_stages
import pandas as pd

from ocrkit.experiments.presets import get_preset


def test_equal_seconds_give_the_slow_fewer_steps():
    rows = pd.DataFrame(
        [("None-VGG-BiLSTM-CTC", 40.0), ("slow", 79.0), ("slow", 81.0), ("quick", 20.0)],
        columns=["model", "cpu_seconds"],
    ).assign(steps=1000)
    assert newer_stages.steps_for_equal_seconds(rows) == {"quick": 2000, "slow": 500}


def test_a_study_trains_every_part_and_goes_on(tmp_path, monkeypatch):
    small = {"train_images": 32, "test_images": 4, "valid_images": 4, "width": 0.05}
    base = get_preset("smoke")
    preset = replace(base, recipe=replace(base.recipe, steps=75, validate_every=75), **small)
    monkeypatch.setattr(newer_stages, "SEEDS", {"smoke": (1,)})
    monkeypatch.setattr(newer_stages, "MODELS", (newer_stages.REFERENCE, "None-VGG-SVTR-CTC"))
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "rows.csv"
    newer_stages.main(tmp_path / "runs", table, [preset], workers=1)
    rows = pd.read_csv(table, keep_default_na=False)
    assert (rows["status"] == "ok").all(), rows["error"].tolist()
    assert rows["budget"].tolist() == ["equal steps"] * 2 + ["equal seconds"] * 2
    steps = newer_stages.steps_for_equal_seconds(rows[rows["budget"] == "equal steps"])
    chosen = rows[(rows["budget"] == "equal seconds") & (rows["model"] == "None-VGG-SVTR-CTC")]
    assert chosen["steps"].tolist() == [steps["None-VGG-SVTR-CTC"]]
    newer_stages.main(tmp_path / "runs", table, [preset], workers=1)
    assert pd.read_csv(table)["finished"].tolist() == rows["finished"].tolist()
