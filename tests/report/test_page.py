"""The page holds everything, stands alone, and is written whatever is missing."""

import base64
import io
import re

import pandas as pd
import pytest
from PIL import Image

from ocrkit import published
from ocrkit.errors import OcrkitError
from ocrkit.report.page import write_report

ALWAYS = {
    *("table1", "table2", "frontier_time", "frontier_parameters", "all_models", "run_facts"),
    *("accuracy_time", "accuracy_parameters", "stage_averages", "curves_2019"),
    "variance_by_stage",
}
NO_RUN = {"claims_yours", "existing_yours"}  # the paper alone, before there is a run
OURS = ("kinds", "errors", "costs", "claims", "intervals", "existing")


def ids(page: str) -> set[str]:
    return set(re.findall(r'<figure[^>]* id="(\w+)"', page))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, make_rows, make_curves):
    folder = tmp_path_factory.mktemp("report")
    rows = make_rows(missing=("TPS-VGG-None-CTC",), failed=("TPS-VGG-BiLSTM-CTC",))
    path = write_report(
        folder / "here",
        reference=make_rows(seeds=(1, 2)),
        yours=rows,
        curves=make_curves(missing=("TPS-VGG-None-CTC",)),
        samples={"basic": Image.new("L", (200, 64), 255)},
    )
    return path, path.read_text(encoding="utf-8")


def test_the_page_contains_every_table_and_figure(whole):
    path, page = whole
    ours = {f"{name}_{who}" for name in OURS for who in ("reference", "yours")}
    assert ids(page) == ALWAYS | ours | {"five_kinds", "learning_yours", "failed_yours"}
    tables = {file.stem for file in (path.parent / "tables").glob("*.csv")}
    drawings = {file.stem for file in (path.parent / "figures").glob("*.png")}
    assert tables | drawings == ids(page)
    assert {file.stem for file in (path.parent / "tables").glob("*.md")} == tables


def test_the_page_stands_alone(whole):
    _, page = whole
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert "<script" not in page
    codes = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(codes) == 9
    for code in codes:
        Image.open(io.BytesIO(base64.b64decode(code))).verify()


def test_the_page_states_what_the_run_was_made_with(whole):
    _, page = whole
    for fact in ("a stand-in", "bf16", "2020-01-02T03:04:05", "22 of 24 models", "1, 2"):
        assert fact in page
    # The error of a failed run is text, never markup.
    assert "loss became &lt;NaN&gt; | step 7" in page
    assert "<NaN>" not in page


def test_links_lead_to_the_parts(whole):
    _, page = whole
    targets = re.findall(r'href="#([\w-]+)"', page)
    assert len(targets) == 11
    assert all(f'id="{target}"' in page for target in targets)


def test_the_tables_of_numbers_can_be_read_back(whole):
    path, _ = whole
    table = pd.read_csv(path.parent / "tables" / "table1.csv")
    printed = published.tables().query("table == 1")
    assert table["paper_accuracy_percent"].tolist() == printed["accuracy_percent"].tolist()


def test_without_any_run_the_page_says_so_and_other_files_stay(tmp_path):
    (tmp_path / "runs.csv").write_text("mine")
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert ids(page) == ALWAYS | NO_RUN
    assert "The reference run: no results yet." in page
    assert "Your run: no results yet." in page
    assert (tmp_path / "runs.csv").read_text() == "mine"
    assert not list(tmp_path.rglob("*.part"))


def test_a_grid_that_failed_whole_is_reported_with_a_warning_of_smoke(tmp_path, make_rows):
    rows = make_rows(failed=published.model_names(), preset="smoke")
    page = write_report(tmp_path, yours=rows).read_text(encoding="utf-8")
    assert ids(page) == ALWAYS | NO_RUN | {"failed_yours"}
    assert "claim nothing" in page
    assert "0 of 24 models have results; failed: 24 models" in page


def test_mixed_presets_are_refused_before_anything_is_written(tmp_path, make_rows):
    rows = pd.concat([make_rows(), make_rows(preset="smoke")])
    with pytest.raises(OcrkitError, match="mix presets"):
        write_report(tmp_path / "new", yours=rows)
    assert not (tmp_path / "new").exists()


def test_the_page_judges_the_claims_and_answers_the_reviewers(whole):
    _, page = whole
    for words in ("holds only when", "rank correlation over 24", "More analysis of", "RARE"):
        assert words in page
