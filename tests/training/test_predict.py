"""Reading everything: the same whatever the batches; confidence by hand."""

import math

import numpy as np
import pytest
import torch
from toys import ATTN, CTC, pixels, toy_model

from ocrkit.labels import AttentionLabels, CTCLabels
from ocrkit.training.losses import make_converter
from ocrkit.training.predict import read_all


class Says(torch.nn.Module):
    """A model whose logits were written down: row i for the image whose first pixel is i."""

    def __init__(self, probabilities: list):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor(probabilities).log())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert not self.training
        which = ((images[:, 0, 0, 0] + 1) * 127.5).round().long()
        return self.logits[which]


def images(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.uint8).reshape(count, 1, 1)


def test_ctc_confidence_is_the_best_paths_probability():
    model = Says([[[0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.2, 0.2, 0.6]]])
    found = read_all(model, CTCLabels("가나"), images(1))
    assert found.texts == ["가나"]
    assert found.confidence == pytest.approx([0.8 * 0.7 * 0.6])
    assert math.isnan(found.loss)


def test_attention_confidence_ends_with_the_end():
    # 가 [s] and then noise, which must not count; and a row that never ends.
    ends = [[0.1, 0.1, 0.7, 0.1], [0.1, 0.8, 0.05, 0.05], [0.3, 0.3, 0.3, 0.1]]
    goes_on = [[0.1, 0.1, 0.2, 0.6], [0.1, 0.1, 0.2, 0.6], [0.1, 0.2, 0.2, 0.5]]
    found = read_all(Says([ends, goes_on]), AttentionLabels("가나", 2), images(2))
    assert found.texts == ["가", "나나나"]
    assert found.confidence == pytest.approx([0.7 * 0.8, 0.6 * 0.6 * 0.5])


def test_the_loss_is_the_mean_over_images_whatever_the_batches():
    rows = torch.rand(5, 3, 3, generator=torch.Generator().manual_seed(0)).softmax(2).tolist()
    model, converter = Says(rows), CTCLabels("가나")
    truth = ["가", "나", "가나", "나가", "가"]
    losses = {
        batch: read_all(model, converter, images(5), truth, batch_size=batch).loss
        for batch in (1, 2, 5, 100)
    }
    assert all(loss == pytest.approx(losses[1], rel=1e-5) for loss in losses.values())


@pytest.mark.parametrize("name", [CTC, ATTN])
def test_batches_do_not_change_what_is_read(name):
    model = toy_model(name)
    model.train()
    shown = pixels(7, longest=1)  # of equal length, for attention's loss is a mean over steps
    converter = make_converter(name.split("-")[-1], "가나다라마바사아", 4)
    whole = read_all(model, converter, shown.pixels, shown.texts)
    assert not model.training
    parts = read_all(model, converter, shown.pixels, shown.texts, batch_size=3)
    assert parts.texts == whole.texts
    assert parts.confidence == pytest.approx(whole.confidence, rel=1e-3)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-4)
    assert len(whole.texts) == len(whole.confidence) == 7


def test_no_images():
    found = read_all(
        toy_model(), CTCLabels("가나다라마바사아"), np.zeros((0, 32, 32), np.uint8), []
    )
    assert (found.texts, found.confidence) == ([], [])
    assert math.isnan(found.loss)


def test_a_label_that_cannot_be_said_does_not_count_as_a_loss_of_0():
    rows = torch.rand(3, 3, 3, generator=torch.Generator().manual_seed(0)).softmax(2).tolist()
    model, converter = Says(rows), CTCLabels("가나")
    mixed = ["가", "가가나나가가", "나"]
    sayable = [read_all(model, converter, images(3)[[i]], [mixed[i]]).loss for i in (0, 2)]
    for batch in (1, 2, 3):
        found = read_all(model, converter, images(3), mixed, batch_size=batch)
        assert found.loss == pytest.approx(sum(sayable) / 2, rel=1e-5)
    assert math.isnan(read_all(model, converter, images(1), mixed[1:2]).loss)
