"""Which runs a sweep has, in which order, and how big its models are."""

import csv
from pathlib import Path

import pytest

from ocrkit.experiments.grid import Run, count_parameters, grid, longest_first, weight
from ocrkit.models import MODEL_NAMES

GOLDEN = Path(__file__).parent.parent / "golden" / "parameters_24.csv"


def test_all_24_unless_named():
    assert [run.model for run in grid()] == list(MODEL_NAMES)
    assert {run.seed for run in grid()} == {1}
    assert len(set(grid(seeds=(1, 2, 3)))) == 72
    assert grid(("TPS-VGG-BiLSTM-Attn",), (4, 5)) == [
        Run("TPS-VGG-BiLSTM-Attn", 4),
        Run("TPS-VGG-BiLSTM-Attn", 5),
    ]


def test_what_is_named_twice_is_one_run():
    assert grid(("None-VGG-None-CTC",) * 2, (1, 1)) == [Run("None-VGG-None-CTC", 1)]


def test_files_are_called_after_model_and_seed():
    assert Run("None-VGG-None-CTC", 3).name == "None-VGG-None-CTC-s3"
    assert len({run.name for run in grid(seeds=(1, 11))}) == 48


def test_an_unknown_model_suggests_the_nearest(refused):
    with refused("did you mean TPS-VGG-BiLSTM-Attn"):
        grid(("None-VGG-None-CTC", "TPS-VGG-BiLSTM-Attention"))


def test_the_longest_run_first():
    ordered = longest_first(grid())
    assert sorted(ordered, key=lambda run: run.name) == sorted(grid(), key=lambda run: run.name)
    weights = [weight(run.model) for run in ordered]
    assert weights == sorted(weights, reverse=True)
    assert ordered[0].model.startswith("TPS-ResNet")
    assert ordered[-1].model.startswith("None-VGG")


@pytest.mark.parametrize("model", ["None-VGG-None-CTC", "TPS-RCNN-BiLSTM-Attn"])
def test_parameters_do_not_depend_on_the_width(model):
    with GOLDEN.open(encoding="utf-8") as rows:
        golden = {
            "-".join(list(r.values())[:4]): int(r["parameters"]) for r in csv.DictReader(rows)
        }
    for width in (100, 400):
        assert sum(count_parameters(model, image_width=width).values()) == golden[model]
    # Two classes fewer are so many weights and biases fewer in the last layer alone.
    fewer = count_parameters(model, classes=971)
    assert fewer["prediction"] < count_parameters(model)["prediction"]
    assert fewer["feature"] == count_parameters(model)["feature"]
