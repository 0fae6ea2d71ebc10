"""The closing table: one line a paper, and a gap where nothing was run."""

from pathlib import Path

import pandas as pd
import pytest

from ocrkit.files import write_json
from ocrkit.papers.shared.study import find_study
from ocrkit.papers.shared.table import IN_THE_GRID, METRICS, comparison, in_the_grid, reading_list
from ocrkit.published import model_names
from ocrkit.report.text import MISSING, display

NOTEBOOKS = Path(__file__).resolve().parents[3] / "notebooks"


def leave(folder, study: str, seed: int, **scores: float) -> None:
    row = {"study": study, "seed": seed, **scores, "params": 250_000, "ms_image": 1.0 + seed}
    write_json(folder / f"{study}-s{seed}.json", {**row, "history": []})


def line(table: pd.DataFrame, paper: str) -> pd.Series:
    return table.set_index("paper").loc[paper]


def test_every_paper_is_there_with_all_its_facts():
    listed = reading_list()
    assert len(listed) == 12
    assert listed["paper"].is_unique
    assert listed["year"].is_monotonic_increasing
    for column in ("title", "venue", "task", "taught_next"):
        assert listed[column].str.len().min() > 3, column
    for number in listed["notebook"]:
        assert len([*NOTEBOOKS.glob(f"{number}_*.ipynb")]) == 1, number


def test_its_studies_exist_and_say_what_they_are_told_by():
    listed = reading_list()
    studied = listed[listed["study"] != ""]
    for name in {*studied["study"], *filter(None, listed["without"])} - {"tesseract"}:
        assert find_study(name).name == name
    assert set(studied["metric"]) == set(METRICS)
    assert studied["tested_on"].str.len().min() > 0


def test_without_a_run_all_numbers_are_missing(tmp_path):
    table = comparison(tmp_path)
    assert len(table) == 12
    assert table[["score", "params_millions", "time_ms", "without_it"]].isna().all(axis=None)
    assert (display(table).xs("score", axis=1, level=1) == MISSING).all(axis=None)


def test_scores_are_means_over_the_seeds(tmp_path):
    leave(tmp_path, "aster", 2, accuracy=80.0)
    leave(tmp_path, "aster", 1, accuracy=70.0)
    leave(tmp_path, "aster-plain", 1, accuracy=55.5)
    leave(tmp_path, "fan", 1, centre_px=2.5, accuracy=60.0)
    table = comparison(tmp_path)
    aster = line(table, "ASTER")
    assert (aster["score"], aster["each_seed"], aster["without_it"]) == (75.0, "70.0, 80.0", 55.5)
    assert (aster["params_millions"], aster["time_ms"]) == (0.25, 2.0)
    assert aster["metric"] == "words right (%)"
    assert line(table, "FAN")["score"] == 2.5
    assert pd.isna(line(table, "MORAN")["score"])
    assert list(table["taught_next"]) == list(reading_list()["taught_next"])


def test_tesseract_is_told_by_its_trial(tmp_path):
    assert pd.isna(line(comparison(tmp_path), "Tesseract")["score"])
    named = {"task": "scenes", "setting": "sparse, x1", "f1": 60.0, "version": "5"}
    kinds = {"upright": 40.0, "upright, large letters": 50.0}
    lines = [{**named, "kind": k, "f1_read": f1, "ms_image": 70.0} for k, f1 in kinds.items()]
    pd.DataFrame(lines).to_csv(tmp_path / "tesseract.csv", index=False)
    leave(tmp_path, "fots", 1, f1_rotated=75.0)
    table = comparison(tmp_path)
    own = line(table, "Tesseract")
    assert (own["score"], own["each_seed"], own["time_ms"]) == (50.0, "50.0", 70.0)
    assert pd.isna(own["params_millions"])
    assert line(table, "FOTS")["score"] == 75.0


def test_ideas_in_the_grid_stand_beside_the_study():
    assert {m for pair in IN_THE_GRID.values() for m in pair} <= {*model_names()}
    ours = [("TPS-VGG-BiLSTM-Attn", 2, 90.0), ("TPS-VGG-BiLSTM-Attn", 1, 80.0)]
    ours += [("None-VGG-BiLSTM-Attn", 1, 70.0)]
    table = in_the_grid(pd.DataFrame(ours, columns=["model", "seed", "accuracy"]))
    tps = table.set_index("model").loc["TPS-VGG-BiLSTM-Attn"]
    assert (tps["score"], tps["each_seed"], tps["without_it"]) == (85.0, "80.0, 90.0", 70.0)
    assert (tps["study"], tps["study_without"]) == (88.24, 53.25)
    crnn = table.set_index("model").loc["None-VGG-BiLSTM-CTC"]
    assert pd.isna(crnn["score"])
    assert pd.isna(crnn["each_seed"])


@pytest.mark.parametrize("others", [False, True])
def test_a_run_without_its_score_is_refused(tmp_path, refused, others):
    leave(tmp_path, "craft", 1, precision=90.0)
    if others:
        leave(tmp_path, "textboxes", 1, f1=90.0)
    with refused("run of craft has no score called 'f1'"):
        comparison(tmp_path)
