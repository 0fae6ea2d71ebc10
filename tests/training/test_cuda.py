"""Training on an NVIDIA GPU: what the tests on processors say holds there too.

    pytest -o addopts= tests/training/test_cuda.py

Tolerances, not equal bits: some of CUDA's kernels add in an order that differs from run to run.
"""

import math
from dataclasses import replace

import pytest
import torch
from toys import ATTN, CTC, RECIPE, pixels, toy_model, toy_trainer

from ocrkit.data.cache import to_input
from ocrkit.training.checkpoint import load_state
from ocrkit.training.engines import make_engine
from ocrkit.training.precision import resolve_precision

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")
GPU = torch.device("cuda")
LONGER = replace(RECIPE, steps=40, validate_every=10)
BY_PRECISION = {name: replace(LONGER, precision=name) for name in ("fp32", "bf16", "fp16")}


def curve(trainer) -> list[float]:
    """The training loss at each validation of a whole run."""
    return [row["train_loss"] for row in trainer.run().history]


def first_loss(name: str, device: torch.device, precision: str) -> float:
    """The loss of the first step, with the same weights and images everywhere."""
    trainer = toy_trainer(name, device=device, recipe=BY_PRECISION[precision])
    trainer.engine.model.train()
    with trainer.engine.autocast():
        return trainer.task.loss(trainer.engine.model, 0).item()


@pytest.mark.parametrize("name", [CTC, ATTN])
@pytest.mark.parametrize(("precision", "within"), [("fp32", 1e-3), ("bf16", 0.05), ("fp16", 0.01)])
def test_the_first_loss_is_that_of_a_processor(name, precision, within):
    expected = first_loss(name, torch.device("cpu"), "fp32")
    assert first_loss(name, GPU, precision) == pytest.approx(expected, rel=within)


@pytest.mark.parametrize("name", [CTC, ATTN])
@pytest.mark.parametrize("precision", BY_PRECISION)
def test_every_precision_learns(name, precision):
    trainer = toy_trainer(name, device=GPU, recipe=BY_PRECISION[precision])
    losses = curve(trainer)
    assert trainer.precision == precision
    assert {weight.device.type for weight in trainer.model.parameters()} == {"cuda"}
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0]


def test_auto_takes_bf16_where_the_gpu_has_it():
    expected = "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    assert resolve_precision("auto", GPU) == expected


def test_fp16_is_scaled_and_an_overflow_moves_nothing():
    engine = make_engine("native", toy_model(CTC), BY_PRECISION["fp16"], GPU)
    images = to_input(pixels(4).pixels).to(GPU)
    before = [weight.detach().clone() for weight in engine.plain.parameters()]

    def step(factor: float) -> bool:
        with engine.autocast():
            logits = engine.model(images)
            assert logits.dtype == torch.float16
            loss = logits.float().square().mean() * factor
        engine.backward(loss)
        return engine.step()

    scale = engine.scaler.get_scale()
    assert scale > 1
    assert step(math.inf) is False
    assert engine.scaler.get_scale() == scale / 2
    weights = list(engine.plain.parameters())
    assert all(map(torch.equal, weights, before))
    assert any(step(1e-4) for _ in range(20)), "some scale must be small enough"
    assert not all(map(torch.equal, weights, before))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_channels_last_gives_what_other_layouts_give(precision):
    trainer = toy_trainer(CTC, device=GPU, recipe=BY_PRECISION[precision])
    weight = trainer.model.features[3].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    images = to_input(pixels(4).pixels).to(GPU)
    plain = toy_model(CTC).to(GPU).eval()
    with torch.inference_mode(), trainer.engine.autocast():
        ours, theirs = trainer.model.eval()(images), plain(images)
    torch.testing.assert_close(ours.float(), theirs.float(), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", [CTC, ATTN])
@pytest.mark.parametrize("precision", BY_PRECISION)
def test_stopped_and_resumed_it_goes_on_along_the_same_curve(tmp_path, name, precision):
    recipe = BY_PRECISION[precision]
    whole = curve(toy_trainer(name, device=GPU, recipe=recipe))

    def watch(progress) -> None:
        if progress.step == 21:
            raise KeyboardInterrupt

    stopped = toy_trainer(name, tmp_path, device=GPU, recipe=recipe)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(watch)
    assert load_state(tmp_path)["step"] == 20
    torch.manual_seed(1234)  # whatever happened to the process's random numbers meanwhile
    resumed = curve(toy_trainer(name, tmp_path, device=GPU, recipe=recipe))
    assert len(resumed) == len(whole) == 4
    assert resumed == pytest.approx(whole, rel=0.02 if precision == "fp32" else 0.1)


def test_a_run_begun_on_the_gpu_is_finished_by_a_processor(tmp_path):
    def watch(progress) -> None:
        if progress.step == 21:
            raise KeyboardInterrupt

    recipe = BY_PRECISION["fp32"]
    with pytest.raises(KeyboardInterrupt):
        toy_trainer(CTC, tmp_path, device=GPU, recipe=recipe).run(watch)
    there = toy_trainer(CTC, tmp_path, recipe=recipe)
    whole = curve(toy_trainer(CTC, recipe=recipe))
    assert curve(there) == pytest.approx(whole, rel=0.02)
    assert {weight.device.type for weight in there.model.parameters()} == {"cpu"}
