"""The published record: what is in it, and what the facts say of it."""

import pandas as pd
import pytest

from ocrkit import published

FRAMES = {
    "tables": (published.tables, 10),
    "figures": (published.figures, 24),
    "experiment1_test": (published.experiment1_test, 24),
    "training_curves": (published.training_curves, 5617),
}


@pytest.mark.parametrize("name", FRAMES)
def test_every_row_names_one_of_the_24_models(name):
    read, rows = FRAMES[name]
    frame = read()
    assert len(frame) == rows
    assert set(frame["model"]) <= set(published.model_names())
    # The option "None" must never turn into a missing value.
    assert frame[list(published.STAGES)].notna().all(axis=None)


def test_the_figures_hold_each_model_once():
    assert sorted(published.figures()["model"]) == sorted(published.model_names())


def test_the_printed_tables_agree_with_the_recovered_points():
    both = published.tables().merge(published.figures(), on="model", suffixes=("", "_figure"))
    assert len(both) == 10
    for column, tolerance in (("accuracy_percent", 0.02), ("time_ms", 0.02)):
        assert (both[column] - both[f"{column}_figure"]).abs().max() <= tolerance + 1e-9
    # The paper cuts parameter counts to two decimals.
    gap = both["params_millions_figure"] - both["params_millions"]
    assert gap.between(-0.0051, 0.0101).all()


def test_two_rows_of_the_first_experiment_are_blank():
    blank = published.experiment1_test()["accuracy_percent"].isna()
    assert blank.sum() == 2


def test_the_second_experiments_log_peaks_where_the_facts_say():
    curves = published.training_curves()
    second = curves[curves["experiment"] == "exp2"]
    assert set(second["model"]) == {"TPS-VGG-BiLSTM-Attn"}
    assert second["valid_accuracy_percent"].max() == pytest.approx(84.10, abs=0.01)


def test_an_attempt_is_one_process_going_forward():
    curves = published.training_curves()
    runs = curves.groupby(["model", "experiment", "log", "seed", "attempt"])
    assert len(runs) > 53  # some logs hold several processes
    for column in ("iteration", "elapsed_seconds"):
        assert runs[column].apply(lambda values: values.is_monotonic_increasing).all()
    assert (runs["iteration"].first() == 0).all()
    # Each line of a run is 2,000 iterations after the one before it.
    assert (runs["iteration"].diff().dropna() == 2000).all()


def attempts_of(iterations: list[int], memory: int = 4) -> list[int]:
    """The process each line of a log belongs to, found from the iterations alone.

    A line continues the process that is nearest below its iteration, among those heard of within
    the last `memory` lines; of two equally near, the one that has been silent longer, for two
    processes side by side take turns. A line that continues none starts a new process.
    """
    last: list[tuple[int, int]] = []  # for each process, its last iteration and its line
    owners = []
    for line, iteration in enumerate(iterations):
        near = [
            (iteration - reached, heard, process)
            for process, (reached, heard) in enumerate(last)
            if reached < iteration and line - heard <= memory
        ]
        if near:
            owner = min(near)[2]
            last[owner] = (iteration, line)
        else:
            owner = len(last)
            last.append((iteration, line))
        owners.append(owner)
    return owners


@pytest.mark.parametrize(
    ("iterations", "attempts"),
    [
        ([0, 2, 4], [0, 0, 0]),
        ([*range(9), *range(12)], [0] * 9 + [1] * 12),  # started again, and got further
        ([0, 0, 2, 2, 4, 4], [0, 1, 0, 1, 0, 1]),  # two side by side
        ([0, 2, 4, 0, 6, 2, 8, 4], [0, 0, 0, 1, 0, 1, 0, 1]),  # the second joined later
    ],
)
def test_attempts_are_told_apart(iterations, attempts):
    assert attempts_of(iterations) == attempts


def test_the_record_tells_the_attempts_apart():
    curves = published.training_curves()
    for _, log in curves.groupby(["model", "experiment", "log", "seed"], sort=False):
        assert log["attempt"].tolist() == attempts_of(log["iteration"].tolist())


def test_the_readers_give_fresh_frames():
    first = published.figures()
    first.loc[0, "accuracy_percent"] = 0.0
    assert published.figures().loc[0, "accuracy_percent"] == 88.24
    assert isinstance(first, pd.DataFrame)
