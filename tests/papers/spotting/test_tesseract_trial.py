"""The trial of Tesseract: whole and kept by one command, and the committed one is of that form."""

import numpy as np
import pandas as pd
import pytest

from ocrkit.papers.shared.scene_sets import vocabulary
from ocrkit.papers.spotting import tesseract_trial
from ocrkit.papers.spotting.tesseract import Page, Word
from ocrkit.papers.spotting.tesseract_trial import (
    ANGLES,
    COUNT,
    LIGHT,
    PREPARED,
    WORLDS,
    read_trial,
    trial,
)
from ocrkit.synth.kinds import KINDS

ROWS = {"sentences": 10, "words": 10, "faces": 8, "prepared": 3, "scenes": 10}
ROWS["turned"] = 2 * len(ANGLES)


@pytest.fixture
def asked(monkeypatch) -> list[tuple]:
    """An engine that reads 가 in the middle of everything; what it was asked."""
    calls = []

    def read(images, mode, **options):
        calls.append((len(images), mode, options))
        quad = np.float32([[60, 60], [70, 60], [70, 70], [60, 70]])
        return [Page("가", (Word("가", 90.0, quad),)) for _ in images]

    monkeypatch.setattr(tesseract_trial, "read_images", read)
    monkeypatch.setattr(tesseract_trial, "version", lambda: "9.9")
    return calls


def test_every_task_is_tried_and_kept_by_one_command(asked, tmp_path, monkeypatch, ocrkit):
    monkeypatch.setattr(tesseract_trial, "WORLDS", dict([*WORLDS.items()][:1]))
    monkeypatch.setattr(tesseract_trial, "ANGLES", (0, 30))
    monkeypatch.setattr(tesseract_trial, "COUNT", 2)
    code, printed, _ = ocrkit("papers", "tesseract", "--out", tmp_path)
    assert code == 0
    assert "sentences, skew, line" in printed
    table = read_trial(tmp_path)
    assert table.groupby("task").size().to_dict() == {**ROWS, "turned": 4, "scenes": 2}
    assert set(table["version"]) == {"9.9"}
    assert len(asked) == len(table)
    lines = table[table["task"] != "scenes"]
    assert (lines["accuracy"] == 0).all()
    assert (lines["empty"] == 0).all()
    assert (2, "line", {"spaces": False}) in asked
    assert (2, "sparse", {"scale": 2}) in asked


def test_it_tells_what_comes_next(asked):
    told = []
    trial(1, told.append)
    assert told[0] == "sentences, basic, line"
    assert told[-1] == "scenes, rotated, large letters, x2"
    assert len(told) == sum(ROWS.values())


def test_the_committed_trial_is_whole():
    table = read_trial()
    assert table.groupby("task").size().to_dict() == ROWS
    assert set(table["images"]) == {COUNT, COUNT // 5}
    assert set(table[table["task"] == "sentences"]["kind"]) == set(KINDS)
    assert set(table[table["task"] == "scenes"]["kind"]) == set(WORLDS)
    scenes = table["task"] == "scenes"
    assert table.loc[~scenes, "accuracy"].between(0, 100).all()
    assert table.loc[scenes, "f1_read"].between(0, 100).all()
    assert (table["f1_read"] <= table["f1"])[scenes].all()
    assert (table["ms_image"] > 0).all()
    assert pd.notna(table["version"]).all()


def test_what_helps_a_thin_face_is_done_to_the_image():
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (8, 1))
    as_it_is, two, blurred = (prepare(ramp) for prepare in PREPARED.values())
    np.testing.assert_array_equal(as_it_is, ramp)
    assert set(np.unique(two)) == {0, 255}
    assert blurred.shape == ramp.shape
    assert vocabulary().fonts[LIGHT].name.endswith("Light")


def test_the_switch_for_spaces_changes_no_letter():
    table = read_trial().query("task == 'sentences'")
    on, off = (table[table["setting"] == name] for name in ("line", "line, spaces off"))
    assert on["cer"].tolist() == off["cer"].tolist()
    assert (on["with_spaces"].to_numpy() > off["with_spaces"].to_numpy()).all()
