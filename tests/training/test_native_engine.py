"""torch's own engine: fp16 and its scale, torch.compile, what is wrapped and what is saved."""

import math
from dataclasses import replace

import pytest
import torch
from toys import CTC, RECIPE, toy_model, toy_trainer

from ocrkit.training import engines
from ocrkit.training.engines import make_engine

CPU, GPU = torch.device("cpu"), torch.device("cuda")
FP16 = replace(RECIPE, precision="fp16")


class Line(torch.nn.Module):
    """y = w x, the smallest thing that can be trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.ones_(self.layer.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def test_fp16_learns_and_scales_its_loss():
    heard = []
    trainer = toy_trainer(CTC, valid=None, recipe=replace(FP16, steps=20))
    result = trainer.run(lambda progress: heard.append(progress.loss))
    assert result.precision == "fp16"
    assert all(map(math.isfinite, heard))
    assert heard[-1] < heard[0]
    assert trainer.engine.scaler.get_scale() > 1


@pytest.mark.parametrize("optimizer", ["adamw", "adadelta"])
def test_an_overflow_moves_nothing_and_halves_the_scale(optimizer):
    engine = make_engine("native", Line(), replace(FP16, optimizer=optimizer), CPU)
    x = torch.ones(1, 1)

    def step(factor: float) -> tuple[bool, float]:
        with engine.autocast():
            loss = engine.model(x).float().sum() * factor
        engine.backward(loss)
        return engine.step(), engine.plain.layer.weight.item()

    assert step(math.inf) == (False, 1.0)
    assert engine.scaler.get_scale() == 2.0**15
    moved, weight = step(1e-3)
    assert moved
    assert weight < 1.0


def test_fp16_goes_on_with_what_was_begun_without_a_scale():
    before = make_engine("native", Line(), RECIPE, CPU).state_dict()
    engine = make_engine("native", Line(), FP16, CPU)
    engine.load_state_dict(before)
    assert engine.scaler.get_scale() == 2.0**16


def test_a_step_that_was_not_taken_does_not_move_the_schedule(monkeypatch):
    trainer = toy_trainer(CTC, valid=None, recipe=FP16)
    step, taken = trainer.engine.step, []

    def overflows_twice() -> bool:
        taken.append(step() and len(taken) not in (2, 5))
        return taken[-1]

    monkeypatch.setattr(trainer.engine, "step", overflows_twice)
    result = trainer.run()
    assert result.steps == 8  # its images are used up all the same
    assert taken.count(False) >= 2
    assert trainer.schedule.last_epoch == taken.count(True)


def test_only_fp16_is_scaled():
    for precision in ("fp32", "bf16"):
        engine = make_engine("native", Line(), replace(RECIPE, precision=precision), CPU)
        assert engine.state_dict() == {"scaler": {}}
        assert engine.model is engine.plain


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_kernels_lie_channels_last(precision):
    model = toy_model(CTC).to(memory_format=torch.contiguous_format)
    make_engine("native", model, replace(RECIPE, precision=precision), CPU)
    assert model.features[3].weight.is_contiguous(memory_format=torch.channels_last)


def test_compiled_it_takes_the_same_steps(monkeypatch):
    if engines.shutil.which("g++") is None:
        pytest.skip("no C++ compiler here")
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")  # no pool of processes for one kernel
    weights = []
    for compile in (False, True):
        engine = make_engine("native", Line(), RECIPE, CPU, compile=compile)
        assert (engine.model is engine.plain) != compile
        for x in (1.0, 2.0):
            engine.backward(engine.model(torch.full((2, 1), x)).square().mean())
            assert engine.step()
        weights.append(engine.plain.layer.weight.item())
        assert list(engine.plain.state_dict()) == ["layer.weight"]
    assert weights[0] == pytest.approx(weights[1], abs=1e-6)
    assert weights[0] < 1.0


def test_compile_is_passed_on(monkeypatch):
    compiled = []
    monkeypatch.setattr(engines, "check_compiler", lambda device: None)
    monkeypatch.setattr(torch, "compile", lambda model: compiled.append(model) or model)
    trainer = toy_trainer(CTC, compile=True)
    assert compiled == [trainer.model]
    toy_trainer(CTC)
    assert len(compiled) == 1


def test_without_a_compiler(monkeypatch, refused):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with refused(
        "needs a C\\+\\+ compiler, and there is no no-such-compiler here: .*apt install g"
    ):
        toy_trainer(CTC, compile=True)
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    with refused("needs Triton on a GPU"):
        engines.check_compiler(GPU)
