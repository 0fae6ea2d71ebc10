"""The study of handwriting faces: what is kept out, that it goes on, what it says without faces."""

import handwriting
import pandas as pd
import pytest

from ocrkit.synth import find_fonts
from ocrkit.synth.fonts import HANDWRITING


@pytest.fixture
def faces(monkeypatch):
    """The pinned faces in the place of handwriting, which not every machine has."""
    pinned = find_fonts("koreanize")
    stand_ins = {family: pinned[i % len(pinned)] for i, family in enumerate(HANDWRITING)}
    monkeypatch.setattr(handwriting, "faces", lambda: stand_ins)
    return stand_ins


def test_each_seed_keeps_other_faces_out():
    out = [set(handwriting.held_out(seed)) for seed in (1, 2, 3)]
    assert all(len(pair) == 2 and pair < set(HANDWRITING) for pair in out)
    assert len(set.union(*out)) == 6
    assert set(handwriting.held_out(4)) == out[0]


def test_faces_kept_out_are_not_drawn_and_test_words_not_learnt(faces, monkeypatch):
    drawn = []
    monkeypatch.setattr(handwriting, "_pixels", drawn.append)
    handwriting.training_sets("mixed", 2, 400)
    learnt, drawn[:] = list(drawn), []
    assert [(g.kind, g.count) for g in learnt] == [
        *(("basic", 100), ("skew", 100)),
        *(("handwriting", 100), ("handwriting", 100)),
    ]
    assert learnt[2].seed != learnt[3].seed
    kept = [faces[name] for name in HANDWRITING if name not in ("NanumBrush", "NanumPen")]
    assert list(learnt[2].fonts) == kept
    handwriting.tests(50, 10)
    assert {(g.kind, g.fonts) for g in drawn} >= {("handwriting", (f,)) for f in faces.values()}
    words = {word for g in drawn for word in g.words}
    assert all(words.isdisjoint(g.words) and words <= g.held_out for g in learnt)


def test_print_is_what_mini_learns(faces):
    sets = handwriting.training_sets("print", 1, 24)
    assert [len(one) for one in sets] == [12, 12]


def test_a_study_goes_on(faces, tmp_path, monkeypatch, capsys):
    table = tmp_path / "handwriting.csv"
    few = {"steps": 2, "tests": 6, "face-tests": 4, "models": "None-VGG-None-CTC", "out": table}
    call = ["handwriting.py", *(f"--{name}={value}" for name, value in few.items())]
    for seeds in ("1",), ("1", "2"):
        monkeypatch.setattr("sys.argv", [*call, "--seeds", *seeds])
        handwriting.main()
    assert capsys.readouterr().out.count("of a core") == 4  # none was trained twice
    rows = pd.read_csv(table)
    assert len(rows) == 2 * 2 * (3 + 2 * len(HANDWRITING))
    for seed, part in rows[rows["held_out"]].groupby("seed"):
        assert set(part["face"]) == set(handwriting.held_out(seed))
    assert ((rows["low"] <= rows["accuracy"]) & (rows["accuracy"] <= rows["high"])).all()


def test_missing_faces_are_told_before_the_training(tmp_path, monkeypatch, refused):
    only = find_fonts("koreanize")[:1]
    monkeypatch.setattr(handwriting, "find_fonts", lambda source: only)
    monkeypatch.setattr("sys.argv", ["handwriting.py", f"--out={tmp_path / 'none.csv'}"])
    with refused("Gaegu.*make fonts"):
        handwriting.main()
