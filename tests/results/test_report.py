"""The page holds everything, stands alone, and is written whatever is missing."""

import base64
import io
import os
import re

import pandas as pd
import pytest
from PIL import Image

from ocrkit import published
from ocrkit.errors import OcrkitError
from ocrkit.report import write_report

LOST = "None-VGG-None-CTC"


def written(folder, rows, curves, preset):
    """The report of these rows: its folder and its page."""
    rows.to_csv(folder / "runs.csv", index=False)
    curves.to_csv(folder / "curves.csv", index=False)
    return folder, write_report(preset, folder).read_text(encoding="utf-8")


def stems(folder):
    return {path.stem for path in folder.iterdir()}


@pytest.fixture(scope="module")
def whole(forked, tmp_path_factory, make_rows, make_curves):
    """A report of two seeds with one model that failed, beside the reference run of mini."""
    rows = make_rows(seeds=(1, 2), failed=(LOST,))
    return written(tmp_path_factory.mktemp("report"), rows, make_curves((LOST,)), "mini")


@pytest.fixture(scope="module")
def poor(forked, tmp_path_factory, make_rows, make_curves):
    """A report of a smoke run in which every model failed, with no reference run."""
    rows = make_rows(failed=published.model_names(), preset="smoke")
    folder = tmp_path_factory.mktemp("poor")
    return written(folder, rows, make_curves().head(0), "smoke")


def test_every_table_and_figure_is_saved_and_its_image_is_in_the_page(whole):
    folder, page = whole
    both = {
        f"{name}_{who}"
        for name in ("kinds", "errors", "costs", "claims", "intervals", "existing")
        for who in ("reference", "yours")
    }
    assert stems(folder / "tables") >= both | {
        *("table1", "table2", "frontier_time", "frontier_parameters", "all_models"),
        *("run_facts", "failed_yours", "stage_gains", "mix_reference"),
    }
    drawn = {
        *("accuracy_time", "accuracy_parameters", "stage_averages", "five_kinds"),
        *("kinds_yours", "kinds_reference", "learning_yours", "learning_reference"),
        *("tps_on_the_mix", "variance_by_stage"),
        *("gains_by_step_yours", "gains_by_step_reference"),
    }
    assert stems(folder / "figures") == drawn
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(images) > len(drawn)
    for code in images:
        Image.open(io.BytesIO(base64.b64decode(code))).verify()


def test_the_page_stands_alone_and_shows_no_code(whole):
    _, page = whole
    assert "<script" not in page
    assert "<link" not in page
    assert set(re.findall(r'\bsrc="(\w+):', page)) == {"data"}
    assert "import pandas" not in page
    assert "Exercises" not in page  # a lesson's parts are left out
    assert "[[" not in page


def test_the_page_says_what_the_run_was_made_with_and_escapes_it(whole):
    _, page = whole
    for fact in ("a stand-in", "bf16", "2020-01-02T03:04:05", "23 of 24", "1, 2", "3 h 04 min"):
        assert fact in page
    # The error of a failed run is text, never markup.
    assert "loss became &lt;NaN&gt; | step 7" in page
    assert "<NaN>" not in page


def test_the_page_judges_the_claims_and_answers_the_reviewers(whole):
    _, page = whole
    for words in ("holds in part", "23 models in common; rank correlation", "The claims", "RARE"):
        assert words in page


def test_the_tables_of_numbers_can_be_read_back(whole):
    folder, _ = whole
    table = pd.read_csv(folder / "tables" / "table1.csv")
    printed = published.tables().query("table == 1")
    assert table["paper_accuracy_percent"].tolist() == printed["accuracy_percent"].tolist()
    facts = pd.read_csv(folder / "tables" / "run_facts.csv").set_index("fact")["yours"]
    assert facts["models with a result"] == "23 of 24"
    assert facts["runs that failed"] == "2"
    failed = pd.read_csv(folder / "tables" / "failed_yours.csv")
    assert failed["note"].tolist() == ["loss became <NaN> | step 7"] * 2


def test_a_grid_that_failed_whole_is_reported_and_says_so(poor):
    folder, page = poor
    assert "no run has results yet" in page
    assert "its accuracies claim nothing" in page
    assert "0 of 24" in page
    assert "failed_yours" in stems(folder / "tables")
    claims = pd.read_csv(folder / "tables" / "claims_yours.csv")
    assert set(claims["yours_verdict"]) == {"cannot be checked"}
    assert not any("yours" in name for name in stems(folder / "figures"))


def test_a_folder_that_a_notebook_cannot_be_told_is_refused_first(
    tmp_path, make_rows, make_curves, refused
):
    folder = tmp_path / os.fsdecode(b"run\xb0")
    folder.mkdir()
    with refused("is not UTF-8: rename the folder"):
        written(folder, make_rows(), make_curves(), "mini")
    assert stems(folder) == {"runs", "curves"}


def test_mixed_presets_are_refused_before_anything_is_written(tmp_path, make_rows, make_curves):
    rows = pd.concat([make_rows(), make_rows(preset="smoke")])
    with pytest.raises(OcrkitError, match="mix presets"):
        written(tmp_path, rows, make_curves(), "mini")
    assert stems(tmp_path) == {"runs", "curves"}
