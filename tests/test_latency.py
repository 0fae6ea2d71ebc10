"""Latency against a clock that the test turns by hand."""

import pytest
import torch

from ocrkit import latency
from ocrkit.latency import measure_latency


class Clock:
    """A model that takes as many seconds a call as it is told, and the clock that shows them."""

    def __init__(self, seconds: list[float]):
        self.now, self.seconds, self.calls = 100.0, iter(seconds), 0
        self.training, self.inference = True, False

    def eval(self) -> None:
        self.training = False

    def __call__(self, images: torch.Tensor) -> None:
        self.calls += 1
        self.inference = torch.is_inference_mode_enabled()
        self.now += next(self.seconds)


def test_median_and_p95_without_the_first_calls(monkeypatch):
    # Two slow first calls, then 1..21 ms; 20 lies at 95 % of the way from 1 to 21.
    clock = Clock([9.0, 5.0, *(i / 1000 for i in range(21, 0, -1))])
    monkeypatch.setattr(latency.time, "perf_counter", lambda: clock.now)
    found = measure_latency(clock, torch.zeros(1, 1, 4, 4), repeats=21)
    assert found == pytest.approx((11, 20))
    assert clock.calls == 23
    assert not clock.training
    assert clock.inference


def test_milliseconds_are_those_of_one_image(monkeypatch):
    clock = Clock([1.0] * 2 + [0.032] * 5)
    monkeypatch.setattr(latency.time, "perf_counter", lambda: clock.now)
    found = measure_latency(clock, torch.zeros(64, 1, 4, 4), repeats=5)
    assert found == pytest.approx((0.5, 0.5))


def test_a_gpu_is_waited_for_and_a_processor_is_not(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    latency.call_times(lambda number: None, repeats=2, warmup=1)
    assert waited == []
    latency.call_times(lambda number: None, repeats=2, warmup=1, device="cuda:1")
    assert waited == ["cuda:1"] * 6
