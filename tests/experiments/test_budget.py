"""Hours on machines that are not here follow from counts and printed ceilings."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ocrkit.cost import training_cost
from ocrkit.experiments.budget import AUTHOR, MACHINES, budget
from ocrkit.experiments.presets import get_preset
from ocrkit.training.recipe import find_recipe


@pytest.fixture(scope="module")
def small():
    return replace(get_preset("mix"), models=("None-VGG-None-CTC", "TPS-VGG-None-CTC"))


def test_hours_follow_from_the_ceiling(small):
    table = budget(small, machine="P40", share=0.5).set_index("model")
    row = table.loc["None-VGG-None-CTC"]
    cost = training_cost("None-VGG-None-CTC", 81, 128, 12, 0.25)
    assert row["images"] == 3000 * 16
    assert row["pflops"] == pytest.approx(cost.flops * 48_000 / 1e15)
    arithmetic = row["pflops"] * 1e15 / MACHINES["P40"].flops / 3600
    memory = 48_000 * cost.image_bytes / MACHINES["P40"].bandwidth / 3600
    assert row["least_hours"] >= max(arithmetic, memory)
    assert row["expected_hours"] == pytest.approx(2 * row["least_hours"])
    assert table.loc["TPS-VGG-None-CTC", "pflops"] > row["pflops"]


def test_half_the_bytes_a_number_are_twice_the_bandwidth(small):
    t4, p40 = (budget(small, machine=name, share=1)["least_hours"].sum() for name in ("T4", "P40"))
    assert t4 < p40  # for all that its memory is slower


def test_the_authors_run_tells_a_plausible_share():
    assert 0.05 < AUTHOR.share() < 0.6
    assert AUTHOR.images == 300_000 * 192


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_a_share_is_a_share(small, share, refused):
    with refused("share of the ceiling"):
        budget(small, share=share)


def test_unknown_machine(small, refused):
    with refused("no machine 'K80': choose one of P40, T4, V100"):
        budget(small, machine="K80")


def test_the_page_on_the_papers_sizes_says_what_is_counted():
    page = (Path(__file__).parents[2] / "docs" / "paper_scale.md").read_text(encoding="utf-8")
    table = page.split("The paper's best model alone")[1]
    best = replace(get_preset("paper-v2"), models=("TPS-VGG-BiLSTM-Attn",))
    for machine in MACHINES:
        told = re.search(rf"^\| {machine}\b.*\| ([\d.]+) h \| ([\d.]+) h \|$", table, re.MULTILINE)
        for said, recipe in zip(told.groups(), ("fast", "2019"), strict=True):
            hours = budget(best, find_recipe(recipe), machine)["expected_hours"].item()
            assert float(said) == pytest.approx(hours, abs=0.06, rel=3e-3), (machine, recipe)
