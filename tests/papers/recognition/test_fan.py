"""Where attention looks, what it should see there, and that the focusing loss pulls it back."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from ocrkit.data.cache import to_input
from ocrkit.models.features import vgg
from ocrkit.papers.recognition import fan
from ocrkit.papers.recognition.fan import (
    BACKGROUND,
    FAN,
    STUDIES,
    Focusing,
    attention_centres,
    crop,
    drift,
    hard_words,
    labels_at,
    padded,
    patch_points,
    receptive_centres,
)
from ocrkit.papers.recognition.word_readers import RECIPE, AttentionOutput, attention_labels
from ocrkit.training.losses import attention_loss


def square(x: float, y: float, side: float) -> list[list[float]]:
    x, y, end, bottom = map(float, (x, y, x + side, y + side))
    return [[x, y], [end, y], [end, bottom], [x, bottom]]


@pytest.mark.parametrize(
    "layers",
    [
        vgg(lambda channels: 4),
        nn.Sequential(nn.Conv2d(1, 4, 5, 2, padding=1), nn.MaxPool2d(2, (2, 1), (0, 1))),
    ],
    ids=["VGG", "padded"],
)
def test_receptive_centres_are_the_middles_of_what_a_unit_sees(layers):
    """The slow way: which pixels have a gradient."""
    torch.manual_seed(0)
    # With means for maxima and no ReLU every pixel of the field counts; the geometry is the same.
    linear = nn.Sequential(
        *(
            nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding)
            if isinstance(layer, nn.MaxPool2d)
            else layer
            for layer in layers
            if isinstance(layer, nn.Conv2d | nn.MaxPool2d)
        )
    ).double()
    image = torch.zeros(1, 1, 32, 160, dtype=torch.double, requires_grad=True)
    out = linear(image)
    middle = out.shape[3] // 2
    (seen,) = torch.autograd.grad(out[0, :, -1, middle].abs().sum(), image)
    columns = seen[0, 0].abs().sum(0).nonzero().squeeze(1)
    centres = receptive_centres(layers, 160, axis=1)
    assert len(centres) == out.shape[3]
    assert centres[middle] == (columns.min() + columns.max() + 1).item() / 2


def test_centres_are_weighted_means():
    alpha = torch.tensor([[[0.0, 1.0, 0.0], [0.5, 0.0, 0.5], [0.25, 0.25, 0.5]]])
    centres = attention_centres(alpha, torch.tensor([2.0, 6.0, 10.0]), 16.0)
    assert centres.tolist() == [[[6, 16], [6, 16], [7, 16]]]
    assert receptive_centres(FAN(10, False).reader.features, 96, 1).tolist() == list(
        range(2, 96, 4)
    )
    assert FAN(10, False).y == 16


def test_labels_agree_with_opencv():
    rng = np.random.default_rng(1)
    words = hard_words("test", 6)
    quads = padded(words.character_quads)
    ids = torch.arange(2, 6).expand(6, 4)
    points = torch.from_numpy(rng.uniform(0, [96, 32], (6, 50, 2)).astype(np.float32))
    found = labels_at(points, quads, ids)
    for row, own in enumerate(words.character_quads):
        for point, label in zip(points[row].tolist(), found[row].tolist(), strict=True):
            held = [i for i, q in enumerate(own) if cv2.pointPolygonTest(q, point, False) > 0]
            assert label == (2 + max(held) if held else BACKGROUND)


def test_a_crop_is_bilinear_and_differentiable():
    torch.manual_seed(2)
    features = torch.randn(2, 3, 4, 6, dtype=torch.double, requires_grad=True)
    # Each feature is a square of 4 pixels: at its centre it is itself.
    at = torch.tensor([[[[10.0, 6.0], [14.0, 6.0], [12.0, 6.0]]]], dtype=torch.double)
    seen = crop(features, at.expand(2, -1, -1, -1), (16, 24))
    torch.testing.assert_close(seen[:, 0, 0], features[:, :, 1, 2])
    torch.testing.assert_close(seen[:, 0, 2], features[:, :, 1, 2:4].mean(2))
    points = (at + 0.3).expand(2, 2, -1, -1).clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda f, p: crop(f, p, (16, 24)), (features, points))


def test_a_patch_lies_around_its_centre():
    patch = patch_points()
    torch.testing.assert_close(patch.mean(0), torch.zeros(2))
    assert (patch[1] - patch[0]).tolist() == [4, 0]  # along a row first


class AsItIs(nn.Module):
    """A focusing network for maps whose channels are the classes' logits."""

    def forward(self, states, patches):
        return patches


@pytest.mark.parametrize("start", [28.0, 48.0])
def test_the_loss_pulls_the_centre_to_the_glyph(start):
    """With a map that shows plainly where the glyph is, descent moves the centre onto it."""
    model = FAN(10, focusing=True)
    model.focus = AsItIs()
    glyph = torch.tensor([[square(26, 4, 24)] + [[[0.0, 0.0]] * 4] * 3])
    ids = torch.tensor([[5, 0, 0, 0]])
    rows, columns = (torch.arange(n) * 4 + 2.0 for n in (8, 24))
    grid = torch.cartesian_prod(rows, columns).flip(1)
    there = (labels_at(grid[None], fan.inner_quads(glyph), ids) == 5).float()
    local = torch.zeros(1, 10, 8, 24)
    local[:, 5], local[:, 0] = 10 * there.unflatten(1, (8, 24)), 5.0
    x = torch.tensor(start, requires_grad=True)
    looks = AttentionOutput(*3 * [torch.zeros(1, 5, 3)])
    for _ in range(60):
        centres = torch.stack([x, torch.tensor(16.0)]).expand(1, 5, 2)
        loss = fan.focus_loss(model, (looks, centres, local), ids, glyph)
        (pull,) = torch.autograd.grad(loss, x)
        x = (x - 10 * pull).detach().requires_grad_()
    assert x.item() == pytest.approx(38, abs=1.5)


def test_the_inner_half_of_a_quad():
    quad = torch.tensor(square(10, 4, 8))
    assert fan.inner_quads(quad).tolist() == square(12, 6, 4)


def test_only_characters_count_in_the_loss():
    model = FAN(10, focusing=True)
    torch.manual_seed(3)
    images, quads = torch.randn(2, 1, 32, 96), torch.tensor([[square(20, 8, 16)] * 4] * 2)
    looked = model.attend(images, torch.tensor([[0, 4, 5, 6, 7, 1]] * 2))
    one = fan.focus_loss(model, looked, torch.tensor([[4, 1, 0, 0]] * 2), quads)
    quads[:, 1:] = 99.0
    assert fan.focus_loss(model, looked, torch.tensor([[4, 1, 0, 0]] * 2), quads) == one
    one.backward()
    assert all(p.grad is not None for p in model.focus.parameters())
    assert model.reader.head.score.weight.grad.abs().sum() > 0  # the weights alone move centres


def test_looking_is_reading():
    torch.manual_seed(4)
    model = FAN(10, focusing=False).eval()
    images = torch.randn(2, 1, 32, 96)
    ids = torch.tensor([[0, 4, 5, 6, 7], [0, 3, 2, 1, 0]])
    torch.testing.assert_close(model.attend(images, ids)[0].logits, model(images, ids))
    assert model.focus is None


def test_drift_of_known_centres(monkeypatch):
    words = hard_words("test", 5)
    quads = padded(words.character_quads)
    model = FAN(10, focusing=False)
    monkeypatch.setattr(fan, "centres_of", lambda model, words: quads.mean(2))
    assert drift(model, words) == {"centre_px": 0, "across_px": 0, "outside": 0}
    away = torch.tensor([30.0, 40.0])
    monkeypatch.setattr(fan, "centres_of", lambda model, words: quads.mean(2) + away)
    found = drift(model, words)
    assert found["centre_px"] == pytest.approx(50, rel=1e-4)
    assert found["across_px"] == pytest.approx(30, rel=1e-4)
    assert found["outside"] > 90


def test_hard_words_are_kept_and_longer_sets_begin_alike():
    few, more = hard_words("valid", 3), hard_words("valid", 6)
    np.testing.assert_array_equal(few.images, more.images[:3])
    assert hard_words("valid", 3) is few
    assert few.texts == more.texts[:3]


def test_both_studies_learn_from_the_same_batch_until_focusing_begins():
    task = Focusing(1, RECIPE, images=32)
    assert (task.focus_start, RECIPE.steps) == (900, 3000)
    plain, focusing = (STUDIES[name].make(1) for name in ("fan-plain", "fan"))
    for step, same in ((0, True), (899, True), (900, False)):
        (rows,) = task.batches.indices(step)
        ids, _ = attention_labels().encode([task.words.texts[row] for row in rows])
        images = to_input(task.words.images[rows])
        alone = task.loss(plain, step)
        torch.testing.assert_close(alone, attention_loss(plain(images, ids), ids))
        assert torch.isclose(task.loss(focusing, step), alone).item() is same


def test_a_toy_is_learnt_in_a_few_steps(fall):
    """One batch, again and again: both losses fall."""
    torch.manual_seed(5)
    task, model = Focusing(1, RECIPE, images=16), STUDIES["fan"].make(1)
    assert fall(model, lambda: task.loss(model, RECIPE.steps - 1), 12, 2e-3) < 0.7
