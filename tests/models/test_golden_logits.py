"""Our outputs are the reference's, number by number."""

import functools

import numpy as np
import pytest
import torch
from reference_models import formula_state, golden_json, noise_images

from ocrkit.models import Recognizer

GOLDEN = golden_json("logits.json")
RTOL, ATOL = 1e-4, 2e-6
# TPS magnifies rounding, and a noise image has an edge at every pixel: two processors whose matrix
# libraries sum in another order differ by this much (logits have a standard deviation of 0.2 to 2).
TPS_ATOL = 5e-4


@functools.lru_cache(maxsize=1)
def cached_state(name: str) -> dict:
    return formula_state(Recognizer(name, classes=973 + name.endswith("Attn")))


def golden_text() -> torch.Tensor:
    text = torch.arange(52).reshape(2, 26) * 37 % 972 + 2
    text[:, 0] = 0
    return text


@pytest.mark.parametrize("case", GOLDEN)
def test_logits_equal_the_reference(case):
    name, width = case.split("@")
    golden = GOLDEN[case]
    attention = name.endswith("Attn")
    model = Recognizer(name, classes=973 + attention, image_width=int(width)).eval()
    model.load_state_dict(cached_state(name))
    with torch.inference_mode():
        logits = model(noise_images(int(width)), golden_text() if attention else None)

    assert list(logits.shape) == golden["shape"]
    atol = TPS_ATOL if name.startswith("TPS") else ATOL
    np.testing.assert_allclose(logits[0, 0, :6], golden["first"], rtol=RTOL, atol=atol)
    np.testing.assert_allclose(logits[1, -1, -6:], golden["last"], rtol=RTOL, atol=atol)
    assert logits[:, :12].argmax(dim=2).tolist() == golden["argmax"]
    assert logits.std().item() == pytest.approx(golden["std"], rel=RTOL)
    assert logits.mean().item() == pytest.approx(golden["mean"], rel=RTOL, abs=5e-5)
    if attention:
        with torch.inference_mode():
            greedy = model(noise_images(int(width)))
        assert greedy[:, :12].argmax(dim=2).tolist() == golden["greedy"]
    else:
        assert model.frames == golden["shape"][1]
