"""The loop: what it tells, what it writes, and when it stops."""

import math
from dataclasses import replace

import pandas as pd
import pytest
import torch
from toys import ATTN, CHARSET, CTC, RECIPE, pixels, toy_trainer

from ocrkit.data.cache import Pixels
from ocrkit.training.loop import Loop, Progress


@pytest.mark.parametrize("name", [CTC, ATTN])
def test_a_toy_is_learnt_by_heart(name):
    one = pixels(2, seed=4, longest=2)
    recipe = replace(RECIPE, steps=60, batch_size=2, learning_rate=1e-2, validate_every=20)
    trainer = toy_trainer(name, sources=[one], valid=one, recipe=recipe)
    result = trainer.run()
    losses = [row["train_loss"] for row in result.history]
    assert losses[-1] < losses[0]
    assert result.final_loss < 0.5
    assert trainer.unfit_share == 0
    assert result.precision == "fp32"


def test_history_and_what_a_watcher_hears(tmp_path):
    told: list[Progress] = []
    result = toy_trainer(CTC, tmp_path).run(told.append)
    assert [p.step for p in told] == list(range(1, 9))
    assert {p.steps for p in told} == {8}
    # Validation every third step, and at the last.
    assert [p.step for p in told if p.valid_accuracy is not None] == [3, 6, 8]
    assert [row["step"] for row in result.history] == [3, 6, 8]
    assert [row["images"] for row in result.history] == [12, 24, 32]
    assert all(0 <= row["valid_accuracy"] <= 100 for row in result.history)
    assert all(math.isfinite(row["valid_loss"]) for row in result.history)
    assert result.seconds > 0
    assert result.cpu_seconds > 0
    written = pd.read_csv(tmp_path / "history.csv")
    for ours, theirs in zip(written.to_dict("records"), result.history, strict=True):
        assert ours == pytest.approx(theirs)


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = toy_trainer(CTC, valid=None).run()
    assert result.history == []
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_wait_their_time(tmp_path):
    seen = []

    def watch(progress) -> None:
        seen.append((tmp_path / "last.pt").exists())

    toy_trainer(CTC, tmp_path, save_every=3600).run(watch)
    assert not any(seen)
    assert (tmp_path / "last.pt").exists()  # but the end is always kept


def test_unfit_labels_stop_training_with_the_numbers(refused):
    # 32 pixels give VGG 7 frames; four equal characters need 7, four pairs of them 12.
    texts = ["가가가가"] * 8 + ["가가나나다다라라"] * 2
    bad = Pixels(pixels(10).pixels, texts, [])
    with refused(
        r"20\.0 % of the labels do not fit: they need up to 12 CTC frames, and the model has 7; "
        r".*raise --unfit-limit \(0\.01\)"
    ):
        toy_trainer(CTC, sources=[bad])
    trainer = toy_trainer(CTC, sources=[bad], unfit_limit=0.25)
    assert trainer.unfit_share == 0.2
    assert "20.0 %" in trainer.unfit_said
    # What cannot be said teaches nothing, and breaks nothing.
    assert math.isfinite(trainer.run().final_loss)


def test_overlong_labels_stop_attention_whatever_the_limit(refused):
    bad = Pixels(pixels(4).pixels, ["가", "나", "다", "가나다라마"], [])
    with refused(r"25\.0 % .* have up to 5 characters, and max_length is 4; raise max_length$"):
        toy_trainer(ATTN, sources=[bad], unfit_limit=0.9)


@pytest.mark.parametrize("name", [CTC, ATTN])
def test_a_label_outside_the_charset_stops_training(name, refused):
    bad = Pixels(pixels(4).pixels, ["가", "나", "힣", "다"], [])
    with refused(f"'힣', which the charset of {len(CHARSET)} characters lacks"):
        toy_trainer(name, sources=[bad]).run()


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_training(tmp_path, poison, refused):
    trainer = toy_trainer(CTC, tmp_path)

    def watch(progress) -> None:
        if progress.step == 3:
            with torch.no_grad():
                next(trainer.model.parameters()).fill_(poison)

    with refused(r"the loss became (nan|inf) at step 4: lower the learning rate \(0\.002\)"):
        trainer.run(watch)


def test_a_batch_that_cannot_be_split(refused):
    with refused("a batch of 3 cannot be split over 2 sources"):
        toy_trainer(CTC, recipe=replace(RECIPE, batch_size=3))


def test_gradients_are_clipped(monkeypatch):
    limits = []
    clip = torch.nn.utils.clip_grad_norm_

    def clipped(parameters, limit):
        parameters = list(parameters)
        clip(parameters, limit)
        norms = [p.grad.norm() for p in parameters if p.grad is not None]
        limits.append((limit, float(torch.stack(norms).norm())))

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clipped)
    toy_trainer(CTC, valid=None, recipe=replace(RECIPE, steps=3, grad_clip=0.01)).run()
    assert len(limits) == 3
    assert all(limit == 0.01 and norm <= 0.0101 for limit, norm in limits)


def test_the_seed_orders_the_images():
    orders = {
        seed: [toy_trainer(CTC, seed=seed).batches[step].texts for step in range(4)]
        for seed in (1, 2)
    }
    assert orders[1] != orders[2]
    assert orders[1] == [toy_trainer(CTC, seed=1).batches[step].texts for step in range(4)]


class Line:
    """A task that is not reading: find the slope of a line."""

    def __init__(self, validated: bool = True) -> None:
        self.steps, self.validated = [], validated

    def loss(self, model: torch.nn.Module, step: int) -> torch.Tensor:
        self.steps.append(step)
        x = torch.tensor([[-1.0], [1.0], [2.0]])
        return (model(x) - 3 * x).square().mean()

    def validate(self, model: torch.nn.Module) -> dict[str, float]:
        return {"slope": model.weight.item(), "other": 0.0} if self.validated else {}


@pytest.mark.parametrize("validated", [True, False])
def test_any_task_is_learnt_and_gone_on_with(tmp_path, validated):
    torch.manual_seed(0)
    recipe = replace(RECIPE, steps=200, learning_rate=0.1, validate_every=100, weight_decay=0.0)
    told: list[Progress] = []
    result = Loop(torch.nn.Linear(1, 1), Line(validated), recipe, folder=tmp_path).run(told.append)
    assert result.final_loss < 1e-2
    slopes = [p.valid_accuracy for p in told if p.valid_accuracy is not None]
    assert [row.get("slope") for row in result.history] == slopes
    assert len(slopes) == (2 if validated else 0)
    assert not validated or slopes[-1] == pytest.approx(3, abs=0.1)

    again = Line(validated)
    ended = Loop(torch.nn.Linear(1, 1), again, recipe, folder=tmp_path)
    assert ended.run().final_loss == result.final_loss
    assert again.steps == []
