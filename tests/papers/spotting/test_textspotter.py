"""TextSpotter: shapes, where its attention is told to look, gradients, and that it learns."""

import math
from functools import partial
from itertools import chain

import numpy as np
import pytest
import torch

from ocrkit.labels import charset_of
from ocrkit.papers.shared.study import find_study
from ocrkit.papers.spotting.spotter import spotting_loss, spotting_scenes
from ocrkit.papers.spotting.textspotter import (
    FRAMES,
    MAX_LENGTH,
    TextSpotter,
    alignment_loss,
    columns,
    cover,
)

pytestmark = pytest.mark.usefixtures("few_scenes")


def test_shapes(small_spotter):
    model = TextSpotter("가나다")
    features, _ = model(torch.zeros(2, 1, 64, 96))
    quads = [torch.zeros(0, 4, 2), torch.tensor([[[4.0, 4], [44, 4], [44, 24], [4, 24]]])]
    output = model.attend(features, quads)
    assert output.logits.shape == (1, MAX_LENGTH + 1, 5)
    assert output.alpha.shape == (1, MAX_LENGTH + 1, FRAMES)
    assert torch.allclose(output.alpha.sum(2), torch.ones(1, MAX_LENGTH + 1))
    assert len(model.read(features, quads)) == 1


def test_how_much_of_a_frame_a_character_covers():
    got = cover(torch.tensor([0.0, 1.5]), torch.tensor([2.0, 3.25]), 4)
    assert got.tolist() == [[1, 1, 0, 0], [0, 0.5, 1, 0.25]]


def test_alignment_loss_is_the_share_that_misses():
    spans = [torch.tensor([[0.0, 2.0], [2.0, 4.0]]), torch.tensor([[1.0, 2.0]])]
    alpha = torch.zeros(2, 3, 4)
    alpha[0, 0, 1] = alpha[0, 1, 2] = alpha[1, 0, 1] = 1.0
    assert alignment_loss(alpha, spans).item() == pytest.approx(0, abs=1e-5)
    even = torch.full((2, 3, 4), 0.25)
    wanted = (2 * math.log(2) + math.log(4)) / 3
    assert alignment_loss(even, spans).item() == pytest.approx(wanted, rel=1e-4)
    # What the decoder looks at for [s] is its own business.
    alpha[0, 2, 0] = alpha[1, 1:, 3] = 1.0
    assert alignment_loss(alpha, spans).item() == pytest.approx(0, abs=1e-5)


def test_the_characters_of_a_scene_lie_one_after_the_other():
    scenes = spotting_scenes("train", "rotated")
    spans = columns(scenes.words, [torch.from_numpy(q) for q in scenes.quads])
    assert [len(s) for s in spans] == [len(t) for t in chain(*scenes.texts)]
    for span in spans:
        middle = span.mean(1)
        assert (span[:, 1] > span[:, 0]).all()
        assert (middle[1:] > middle[:-1]).all()
        assert 0 <= span.min() <= 2
        assert FRAMES - 2 <= span.max() <= FRAMES


def test_the_alignment_loss_teaches_where_to_look():
    alpha = torch.zeros(1, 2, 8, dtype=torch.float64, requires_grad=True)
    spans = [torch.tensor([[0.5, 3.0], [3.0, 7.5]], dtype=torch.float64)]
    loss = alignment_loss(alpha.softmax(2), spans)
    (gradient,) = torch.autograd.grad(loss, alpha)
    assert (gradient[0, 0, 1:3] < 0).all()  # more of these
    assert (gradient[0, 0, 3:] > 0).all()


@pytest.mark.parametrize("name", ["textspotter", "textspotter-plain"])
def test_studies_differ_in_the_weight_alone(name):
    model = find_study(name).make(1)
    assert model.alignment == (0 if name.endswith("plain") else 1)
    assert sum(p.numel() for p in model.parameters()) < 750_000
    assert model.labels.classes == 82


def test_it_learns_one_scene_by_heart(fall, small_spotter):
    torch.manual_seed(0)
    scenes = spotting_scenes("train", "upright")
    model = TextSpotter(charset_of(scenes.texts[0]))
    loss = partial(spotting_loss, model, scenes.images[:1], scenes.words[:1])
    assert fall(model, lambda: loss(np.random.default_rng(0)), 30, 0.01) < 0.6
