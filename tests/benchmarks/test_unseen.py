"""The study of unseen syllables: what is kept out, and that a stopped study goes on."""

import pandas as pd
import unseen

from ocrkit.hangul import decompose
from ocrkit.synth import common_syllables, read_words


def test_each_letter_of_what_is_kept_out_is_learnt_elsewhere_in_its_place():
    syllables = common_syllables(read_words(), 100)
    drawn = {unseen.held_out(syllables, 10, seed) for seed in (1, 2, 3)}
    assert len(drawn) == 3
    for out in drawn:
        learnt = [decompose(c) for c in syllables if c not in out]
        places = [set(place) for place in zip(*learnt, strict=True)]
        assert len(set(out)) == 10
        assert all(a in place for c in out for a, place in zip(decompose(c), places, strict=True))


def test_nothing_is_kept_out_that_could_not_be_read():
    assert unseen.held_out("가낙", 2, 1) == ""  # each of their consonants stands in one alone
    assert len(unseen.held_out("가각나낙", 4, 1)) == 2  # two of the four hold all letters


def test_a_study_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(unseen.SIZES, "width", 0.05)
    table = tmp_path / "unseen.csv"
    few = {"steps": 3, "pool": 20, "images": 16, "tests": 8, "out": table}
    call = ["unseen.py", *(f"--{name}={value}" for name, value in few.items())]
    for seeds in ("1",), ("1", "2"):
        monkeypatch.setattr("sys.argv", [*call, "--seeds", *seeds])
        unseen.main()
    rows = pd.read_csv(table)
    assert list(zip(rows["head"], rows["seed"], strict=True)) == [
        *(("CTC", 1), ("JamoCTC", 1)),
        *(("CTC", 2), ("JamoCTC", 2)),
    ]
    assert (rows["unseen_high"] >= rows["unseen"]).all()
    assert capsys.readouterr().out.count("held_out") == 4  # no row was made twice
    assert rows["params"][1] - rows["params"][0] == (69 - 21) * (26 + 1)  # the heads' outputs
