"""The table and the bars that notebooks 30 and 32 show of a spotter's scores."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from ocrkit.papers.spotting.scores import score_bars, score_table


def test_the_table_has_a_line_for_each_run_and_kind_of_scene():
    columns = ("detection_f1", "read", "f1", "low", "high")
    runs = pd.DataFrame(
        [
            {"study": "fots", "seed": seed}
            | {f"{name}_{kind}": 10 * seed + i for kind in "ab" for i, name in enumerate(columns)}
            for seed in (1, 2)
        ]
    )
    table = score_table(runs, ("a", "b"))
    assert table["seed"].tolist() == ["1", "1", "2", "2"]
    assert table["scenes"].tolist() == ["a", "b", "a", "b"]
    assert table.iloc[0].tolist() == ["fots", "1", "a", "10.0", "11.0 %", "12.0", "13.0 to 14.0"]


def test_a_bar_is_the_mean_of_the_seeds_and_each_seed_is_a_dot(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    scored = pd.DataFrame(
        {
            "scenes": ["turned", "turned", "small", "small"],
            "seed": [1, 2, 1, 2],
            "detection_f1": [80.0, 90.0, 40.0, 60.0],
            "read": [70.0, 72.0, 30.0, 32.0],
            "f1": [60.0, 64.0, 10.0, 30.0],
        }
    )
    ax = score_bars(scored)
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    assert heights == [[85, 50], [71, 31], [62, 20]]  # measure by measure; scenes in their order
    for bars, dots in zip(ax.containers, ax.lines, strict=True):
        x, y = dots.get_data()
        for i, bar in enumerate(bars):  # the dots stand in the middle of their bar
            assert x[2 * i : 2 * i + 2] == pytest.approx(bar.get_x() + bar.get_width() / 2)
            assert sum(y[2 * i : 2 * i + 2]) == 2 * bar.get_height()
    plt.close("all")
