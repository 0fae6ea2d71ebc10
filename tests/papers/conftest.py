"""What the papers' tests share."""

from collections.abc import Callable

import pytest
import torch

from ocrkit.papers.spotting import spotter


@pytest.fixture
def fall() -> Callable[..., float]:
    """Learn one and the same loss again and again: the last one as a share of the first."""

    def learn(
        model: torch.nn.Module, loss: Callable[[], torch.Tensor], steps: int, rate: float
    ) -> float:
        optimizer = torch.optim.AdamW(model.parameters(), rate)
        losses = []
        for _ in range(steps):
            optimizer.zero_grad()
            found = loss()
            found.backward()
            optimizer.step()
            losses.append(found.item())
        return losses[-1] / losses[0]

    return learn


@pytest.fixture
def small_spotter(monkeypatch):
    """Spotters of few channels, which learn quickly."""
    monkeypatch.setattr(spotter, "CHANNELS", (4, 8, 8, 8, 8))
    monkeypatch.setattr(spotter, "SHARED", 8)


@pytest.fixture
def few_scenes(monkeypatch):
    """Two scenes of each kind to learn spotting from, and one to be judged and tested on."""
    monkeypatch.setattr(spotter, "SCENES_IN", {"train": 2, "valid": 1, "test": 1})
    spotter.spotting_scenes.cache_clear()
    yield
    spotter.spotting_scenes.cache_clear()
