"""The list of papers behind the closing table of notebook 33."""

from pathlib import Path

import pandas as pd
import pytest

from ocrkit.papers.shared.study import find_study, rows
from ocrkit.resources import resource

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def listed() -> pd.DataFrame:
    path = resource("published", "reading_list", "papers.csv")
    return pd.read_csv(path, dtype=str).fillna("")


def test_every_paper_is_there_with_all_its_facts(listed):
    assert len(listed) == 12
    assert listed["paper"].is_unique
    assert listed["year"].is_monotonic_increasing
    for column in ("title", "venue", "task", "taught_next"):
        assert listed[column].str.len().min() > 3, column
    for number in listed["notebook"]:
        assert len([*(ROOT / "notebooks").glob(f"{number}_*.ipynb")]) == 1, number


def test_its_studies_have_runs_with_the_score_they_are_listed_by(listed):
    studied = listed[(listed["study"] != "") & (listed["study"] != "tesseract")]
    assert studied["tested_on"].str.len().min() > 0
    kept = rows(ROOT / "data" / "results" / "papers")
    for paper in studied.itertuples():
        for name in filter(None, (paper.study, paper.without)):
            assert find_study(name).name == name
            scores = kept.loc[kept["study"] == name, paper.metric]
            assert len(scores) >= 2, name
            assert scores.notna().all(), name
