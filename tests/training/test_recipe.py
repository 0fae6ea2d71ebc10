"""Recipes: the paper's as written, ours, and the schedule by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ocrkit.data.cache import Pixels
from ocrkit.experiments.setup import new_trainer
from ocrkit.models import Recognizer
from ocrkit.models.transformation import start_fiducials, target_fiducials
from ocrkit.training.recipe import RECIPES, Recipe, find_recipe, make_optimizer, make_schedule

TOY = Recipe("toy", "adamw", 1e-2, steps=100, batch_size=2, one_cycle=True, weight_decay=0.1)


def model() -> torch.nn.Module:
    made = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    made[1].bias.requires_grad = False
    return made


def rates(recipe: Recipe) -> list[float]:
    """The learning rate of each step."""
    optimizer = make_optimizer(recipe, model())
    schedule, found = make_schedule(recipe, optimizer), []
    for _ in range(recipe.steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_the_papers_recipe():
    recipe = RECIPES["2019"]
    assert (recipe.steps, recipe.batch_size, recipe.grad_clip) == (300_000, 192, 5.0)
    assert (recipe.validate_every, recipe.precision) == (2000, "fp32")
    optimizer = make_optimizer(recipe, model())
    assert isinstance(optimizer, torch.optim.Adadelta)
    options = optimizer.param_groups[0]
    assert (options["lr"], options["rho"], options["eps"]) == (1.0, 0.95, 1e-8)
    assert options["weight_decay"] == 0
    assert make_schedule(recipe, optimizer) is None


def test_the_fast_recipe_takes_fewer_steps():
    fast, old = RECIPES["fast"], RECIPES["2019"]
    assert fast.steps <= old.steps / 10
    assert isinstance(make_optimizer(fast, model()), torch.optim.AdamW)
    assert (fast.one_cycle, fast.precision) == (True, "auto")


def test_adadelta_by_hand():
    # Zeiler (2012), algorithm 1, with a gradient of 2: the first step is
    # sqrt(eps) / sqrt(0.05 * 2^2 + eps) * 2.
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    module = torch.nn.Module()
    module.weight = weight
    optimizer = make_optimizer(RECIPES["2019"], module)
    (2 * weight).sum().backward()
    optimizer.step()
    step = math.sqrt(1e-8) / math.sqrt(0.05 * 4 + 1e-8) * 2
    assert weight.item() == pytest.approx(1 - step, abs=1e-7)


def test_decay_pulls_on_matrices_alone():
    made = model()
    matrices, vectors = make_optimizer(TOY, made).param_groups
    assert [p.ndim for p in matrices["params"]] == [2]
    assert matrices["weight_decay"] == 0.1
    assert {p.ndim for p in vectors["params"]} == {1}
    assert vectors["weight_decay"] == 0
    # Every trainable parameter once, the frozen one not at all.
    held = [id(p) for group in (matrices, vectors) for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in made.parameters() if p.requires_grad)


def test_one_cycle_rises_to_its_peak_and_falls_to_nothing():
    found = rates(TOY)
    peak = found.index(max(found))
    assert found[0] == pytest.approx(1e-2 / 25)
    assert max(found) == pytest.approx(1e-2, rel=0.02)
    assert 12 <= peak <= 17  # 15 % of 100 steps
    assert found[: peak + 1] == sorted(found[: peak + 1])
    assert found[peak:] == sorted(found[peak:], reverse=True)
    assert found[-1] < 1e-2 / 1000


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_runs_have_a_schedule(steps):
    assert len(rates(replace(TOY, steps=steps))) == steps


def test_a_recipe_is_found_by_its_name(refused):
    assert find_recipe("2019").optimizer == "adadelta"
    with refused(r"no recipe 'slow': choose one of 2019, fast"):
        find_recipe("slow")


def test_the_fast_recipe_takes_muon_for_matrices_and_adamw_for_the_rest():
    reader = Recognizer("TPS-ResNet-BiLSTM-Attn", classes=12, image_width=64, width=0.25)
    optimizer = make_optimizer(RECIPES["fast"], reader)
    group_of = {id(p): g for g in optimizer.param_groups for p in g["params"]}
    names = dict(reader.named_parameters())
    assert len(group_of) == len(names)
    by_muon = {name for name, p in names.items() if group_of[id(p)]["muon"]}
    assert {"features.layer3.0.conv1.weight", "sequence.0.rnn.weight_hh_l0_reverse"} <= by_muon
    assert {"head.rnn.weight_ih", "head.i2h.weight", "sequence.0.linear.weight"} <= by_muon
    for name in ("features.conv0_1.weight", "head.generator.weight", "head.score.weight"):
        assert name not in by_muon
    assert not any("localization" in name or "bn" in name for name in by_muon)
    assert group_of[id(names["head.rnn.weight_hh"])]["pieces"] == 4
    localization = group_of[id(names["transformation.localization.fc2.weight"])]
    assert localization["lr"] == pytest.approx(RECIPES["fast"].learning_rate / 10)


def test_each_group_keeps_its_own_peak():
    reader = Recognizer("TPS-VGG-None-CTC", classes=12, image_width=64, width=0.25)
    recipe = replace(RECIPES["fast"], steps=20, batch_size=1)
    optimizer = make_optimizer(recipe, reader)
    schedule, peaks = make_schedule(recipe, optimizer), [0.0] * len(optimizer.param_groups)
    for _ in range(recipe.steps):
        peaks = [max(p, g["lr"]) for p, g in zip(peaks, optimizer.param_groups, strict=True)]
        optimizer.step()
        schedule.step()
    assert sorted(set(peaks)) == pytest.approx([2e-4, 2e-3, 1e-2], rel=0.01)


@pytest.mark.parametrize("name", ["TPS-VGG-BiLSTM-Attn", "None-VGG-BiLSTM-Attn"])
def test_a_straight_start_is_the_orthogonal_one_with_tps_at_the_edges(name):
    image = Pixels(np.zeros((2, 32, 40), np.uint8), ["가", "나"], [])
    sizes = {"image_width": 40, "width": 0.125, "max_length": 3}

    def fresh(start: str) -> dict[str, torch.Tensor]:
        recipe = replace(RECIPES["fast"], batch_size=2, start=start)
        return new_trainer(name, "가나", [image], None, sizes, recipe, 1).model.state_dict()

    reference, orthogonal, straight = map(fresh, ("reference", "orthogonal", "straight"))
    assert RECIPES["fast"].start == "straight"
    points = "transformation.localization.fc2.bias"
    assert {k for k in straight if not torch.equal(straight[k], orthogonal[k])} == (
        {points} if name.startswith("TPS") else set()
    )
    assert not torch.equal(
        reference["sequence.0.rnn.weight_hh_l0"], orthogonal["sequence.0.rnn.weight_hh_l0"]
    )
    if name.startswith("TPS"):
        assert torch.equal(orthogonal[points], start_fiducials().flatten())
        assert torch.equal(straight[points], target_fiducials().float().flatten())
