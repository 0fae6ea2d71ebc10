"""Offsets move every part of an image, and the three stages of learning them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from ocrkit.papers.recognition.bent_words import IMAGE_SIZE, READER_SIZE, words
from ocrkit.papers.recognition.moran import MORN, STUDIES, Curriculum, identity_grid, rectify
from ocrkit.papers.recognition.word_readers import RECIPE

QUICK = replace(RECIPE, steps=40)


@pytest.fixture(scope="module")
def task() -> Curriculum:
    return Curriculum(1, QUICK, images=32)


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 1, *IMAGE_SIZE, generator=torch.manual_seed(0)) * 2 - 1


def test_no_offset_gives_the_image_back():
    some = images(2)
    torch.testing.assert_close(rectify(some, torch.zeros(2, 2, 3, 5), IMAGE_SIZE), some)
    # 64 rows read as 32: each stands between two.
    squeezed = rectify(some, torch.zeros(2, 2, 3, 5), READER_SIZE)[:, 0]
    torch.testing.assert_close(squeezed, some[:, 0].unflatten(1, (32, 2)).mean(2))


def test_identity_grid_holds_pixel_centres():
    grid = identity_grid(2, 4)
    assert grid.shape == (2, 4, 2)
    assert grid[0, :, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert grid[:, 0, 1].tolist() == [-0.5, 0.5]


def test_rectify_agrees_with_opencv():
    """The slow way: offsets spread corner to corner, then each pixel fetched."""
    rng = np.random.default_rng(1)
    picture = rng.uniform(-1, 1, IMAGE_SIZE).astype(np.float32)
    offsets = rng.uniform(-0.2, 0.2, (2, 7, 11)).astype(np.float32)
    rows, columns = READER_SIZE
    place = np.meshgrid(np.linspace(0, 10, columns), np.linspace(0, 6, rows))
    fine = [cv2.remap(o, *(p.astype(np.float32) for p in place), cv2.INTER_LINEAR) for o in offsets]
    x = (np.arange(columns) + 0.5) / columns + fine[0] / 2
    y = (np.arange(rows)[:, None] + 0.5) / rows + fine[1] / 2
    expected = cv2.remap(
        picture,
        (x * IMAGE_SIZE[1] - 0.5).astype(np.float32),
        (y * IMAGE_SIZE[0] - 0.5).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    found = rectify(
        torch.from_numpy(picture)[None, None], torch.from_numpy(offsets)[None], READER_SIZE
    )
    # OpenCV rounds places to 1/32 of a pixel.
    assert np.abs(found[0, 0].numpy() - expected).mean() < 0.02


def test_gradients_of_the_sampling():
    torch.manual_seed(2)
    small = torch.randn(1, 2, 6, 7, dtype=torch.double, requires_grad=True)
    offsets = (0.1 * torch.randn(1, 2, 2, 3, dtype=torch.double) + 0.03).requires_grad_()
    assert torch.autograd.gradcheck(lambda i, o: rectify(i, o, (4, 5)), (small, offsets))


def test_an_offset_moves_what_is_read():
    some = images(1)
    down = torch.zeros(1, 2, 7, 11)
    down[:, 1] = 2 * 3 / IMAGE_SIZE[0]  # three rows
    moved = rectify(some, down, IMAGE_SIZE)
    torch.testing.assert_close(moved[:, :, :-3], some[:, :, 3:])
    torch.testing.assert_close(moved[:, :, -2], some[:, :, -1])  # the border goes on


def test_morn_moves_nothing_at_first():
    torch.manual_seed(3)
    offsets = MORN()(images(2))
    assert offsets.shape == (2, 2, 3, 5)
    assert offsets.abs().max() == 0
    models = {name: study.make(1).eval() for name, study in STUDIES.items()}
    straight = [model.straight(images(2)) for model in models.values()]
    torch.testing.assert_close(*straight)
    assert straight[0].shape == (2, 1, *READER_SIZE)


def test_left_and_right_cost_the_same():
    """Pooling must not prefer a direction: the opposite map gives the opposite offsets."""
    torch.manual_seed(4)
    morn = MORN().eval()
    torch.nn.init.normal_(morn.layers[-1].weight)
    offsets = morn(images(2))
    with torch.no_grad():
        morn.layers[-1].weight.neg_()
    torch.testing.assert_close(morn(images(2)), -offsets)


def test_the_stages_learn_their_parts(task):
    assert [task.stage(step) for step in (0, 7, 8, 9, 39)] == [1, 1, 2, 3, 3]
    model = STUDIES["moran"].make(1)
    learning = {}
    for step in (0, 8, 9):
        model.train()
        model.zero_grad()
        task.loss(model, step).backward()
        learning[step] = tuple(
            any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
            for part in (model.reader, model.morn)
        )
    assert learning == {0: (True, False), 8: (False, True), 9: (True, True)}


def test_the_frozen_reader_keeps_its_norms(task):
    model = STUDIES["moran"].make(1).train()
    before = {k: v.clone() for k, v in model.reader.state_dict().items()}
    task.loss(model, 8)
    assert all(torch.equal(v, before[k]) for k, v in model.reader.state_dict().items())


def test_the_plain_reader_learns_all_the_time_from_the_same_images(task):
    model = STUDIES["moran-plain"].make(1).train()
    task.loss(model, 8).backward()
    assert model.morn is None
    assert all(p.grad is not None for p in model.reader.parameters())
    own, other = Curriculum(1, QUICK, images=32).batches, task.batches
    for step in (0, 7, 8, 39):
        assert own[step].texts == other[step].texts
        np.testing.assert_array_equal(own[step].pixels, other[step].pixels)


def test_upright_words_come_before_bent_ones(task):
    batches = task.batches
    assert batches[7].texts == batches.upright.texts(7)
    assert batches[8].texts == batches.bent.texts(8)
    assert set(batches[8].texts) <= set(words("train", "bent", 32).texts)


def test_a_toy_is_learnt_in_a_few_steps(task, fall):
    """One batch, again and again, through all the model."""
    torch.manual_seed(5)
    model = STUDIES["moran"].make(1).train()
    assert fall(model, lambda: task.loss(model, 39), 12, 2e-3) < 0.75
    assert model.morn(images(1)).abs().max() > 0
