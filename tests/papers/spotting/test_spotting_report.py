"""The spotters' notebooks: a model to draw with, tables of the runs, worlds and their bars."""

import pandas as pd
import pytest
import torch

from ocrkit.files import write_json
from ocrkit.papers.spotting import spotting_report
from ocrkit.papers.spotting.fots import STUDIES
from ocrkit.papers.spotting.spotting_report import (
    WORLDS,
    score_bars,
    score_table,
    tell,
    tried,
    world_scores,
)

MARKS = {"f1": 50.0, "low": 40.25, "high": 60.5, "detection_f1": 97.04, "read": 80.0}


@pytest.fixture
def folder(tmp_path):
    """Two runs of fots and one of another."""
    for study, seed in (("fots", 2), ("fots", 1), ("textspotter", 1)):
        scores = {
            f"{name}_{kind}": m for name, m in MARKS.items() for kind in ("upright", "rotated")
        }
        row = {"study": study, "seed": seed, **scores, "f1_rotated": 70.0 + seed, "history": []}
        row |= {"params": 585_791, "steps": 4500, "cpu_seconds": 295.4}
        write_json(tmp_path / f"{study}-s{seed}.json", row)
    return tmp_path


def test_a_model_of_a_few_steps_has_a_curve():
    model, curve = tried(STUDIES["fots"])
    assert not model.training
    assert curve["step"].tolist() == [1, 2, 3]
    assert set(curve["study"]) == {"fots"}
    assert curve["f1"].between(0, 100).all()
    features, maps = model(torch.zeros(1, 1, 64, 64))
    assert features.shape[-2:] == (32, 32)
    assert maps.score.shape[-2:] == (16, 16)


def test_each_run_and_kind_of_scenes_has_a_line(folder):
    table = score_table(folder, "fots")
    assert table[["model", "seed", "scenes"]].values.tolist() == [
        ["fots", "1", "upright"],
        ["fots", "1", "rotated"],
        ["fots", "2", "upright"],
        ["fots", "2", "rotated"],
    ]
    assert table["end to end, F1"].tolist() == ["50.0", "71.0", "50.0", "72.0"]
    assert set(table["found, F1"]) == {"97.0"}
    assert set(table["read (true boxes)"]) == {"80.0 %"}
    assert set(table["95 % interval"]) == {"40.2 to 60.5"}
    assert len(score_table(folder)) == 6


def test_without_runs_the_table_is_empty(tmp_path, capsys):
    assert score_table(tmp_path, "fots").empty
    tell(tmp_path, "fots")
    assert capsys.readouterr().out == ""


def test_runs_are_told_in_a_line_each(folder, capsys):
    tell(folder, "fots")
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        "fots, seed 1: end to end F1 50.0 upright, 71.0 rotated (585,791 weights, 4,500 steps, "
        "295 s of processor time)"
    )
    assert second.startswith("fots, seed 2: end to end F1 50.0 upright, 72.0 rotated")


def test_every_world_is_tried_on_its_own_scenes(monkeypatch):
    shown = []

    def look(model, scenes):
        shown.append((model, scenes))
        return MARKS

    monkeypatch.setattr(spotting_report, "scores", look)
    marks = world_scores({1: "a model", 2: "another"}, 3)
    assert marks["world"].tolist() == [name for name in WORLDS for _ in range(2)]
    assert marks["seed"].tolist() == [1, 2] * len(WORLDS)
    assert (marks[list(MARKS)] == list(MARKS.values())).all(axis=None)
    assert [(m, len(scenes)) for m, scenes in shown] == [("a model", 3), ("another", 3)] * 4
    assert len({scenes.images.tobytes() for _, scenes in shown}) == len(WORLDS)


def test_bars_are_as_high_as_the_mean_of_the_seeds_and_dots_as_high_as_each():
    lines = [
        ("as trained", 1, 50.0),
        ("as trained", 2, 70.0),
        ("curved", 1, 5.0),
        ("curved", 2, 5.0),
    ]
    marks = pd.DataFrame([MARKS | {"world": w, "seed": s, "f1": f} for w, s, f in lines])
    (ax,) = score_bars(marks).axes
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    assert heights == [[97.04, 97.04], [80.0, 80.0], [60.0, 5.0]]
    assert ax.lines[2].get_ydata().tolist() == [50.0, 70.0, 5.0, 5.0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["as trained", "curved"]
