"""TextBoxes: default boxes in the order of the answers, offsets, matching, and the loss."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ocrkit.papers.detection import textboxes
from ocrkit.papers.detection.detectors import f1_scores
from ocrkit.papers.detection.textboxes import (
    MATCH,
    SCALES,
    STUDIES,
    TextBoxes,
    box_quads,
    decode,
    default_boxes,
    detect,
    encode,
    overlaps,
    targets,
    upright_boxes,
)
from ocrkit.papers.shared import quads as geometry
from ocrkit.papers.shared.scene_sets import scene_set

SIZE = (128, 128)
THIN = (4, 4, 8, 8, 8)


@pytest.fixture(scope="module")
def scenes():
    return scene_set("train", 6, textboxes.UPRIGHT)


def random_boxes(count, seed=0):
    random = torch.Generator().manual_seed(seed)
    place = 100 * torch.rand(count, 2, generator=random, dtype=torch.float64)
    return torch.cat([place, 5 + 40 * torch.rand(count, 2, generator=random).double()], dim=1)


@pytest.mark.parametrize("shape", [{}, textboxes.SSD])
@pytest.mark.parametrize("size", [(128, 128), (64, 96)])
def test_there_is_an_answer_for_each_default_box(shape, size):
    model = TextBoxes(THIN, **shape)
    scores, offsets = model(torch.zeros(2, 1, *size))
    count = len(model.defaults(size))
    assert scores.shape == (2, count, 2)
    assert offsets.shape == (2, count, 4)


def test_default_boxes_have_their_size_and_stand_half_a_cell_lower():
    boxes = default_boxes(SIZE)
    areas = boxes[:, 2:].prod(1)
    assert set(areas.sqrt().round(decimals=3).tolist()) == set(SCALES.values())
    first, lower = boxes[0], boxes[len(textboxes.RATIOS)]
    assert (lower - first).tolist() == [0, 4, 0, 0]
    assert first[:2].tolist() == [4, 4]
    assert len(default_boxes(SIZE, offset=False)) * 2 == len(boxes)


class Tells(nn.Module):
    """Says where it is asked: row, column and number of the box, in every value of that box."""

    def forward(self, x):
        rows, columns = x.shape[-2:]
        kinds = 2 * len(textboxes.RATIOS)
        y, x, kind = torch.arange(rows), torch.arange(columns), torch.arange(kinds)
        code = 1e4 * y[:, None] + 1e2 * x + kind.repeat_interleave(6)[:, None, None]
        return code[None]


def test_answers_come_in_the_order_of_the_default_boxes():
    model = TextBoxes(THIN)
    model.text_box = nn.ModuleList(Tells() for _ in SCALES)
    code = model(torch.zeros(1, 1, *SIZE))[0][0, :, 0].long()
    row, column, kind = code // 10_000, code // 100 % 100, code % 100
    boxes, sizes = default_boxes(SIZE), default_boxes(SIZE)[:, 2:].prod(1).sqrt().round()
    stride = torch.tensor([{scale: s for s, scale in SCALES.items()}[a] for a in sizes.tolist()])
    half = len(textboxes.RATIOS)
    assert torch.equal(boxes[:, 0], (column + 0.5) * stride)
    assert torch.equal(boxes[:, 1], (row + 0.5 + 0.5 * (kind >= half)) * stride)
    ratio = torch.tensor(textboxes.RATIOS)[kind % half]
    assert torch.allclose(boxes[:, 2] / boxes[:, 3], ratio)


def test_decode_undoes_encode_and_is_differentiable():
    boxes, defaults = random_boxes(30), random_boxes(30, seed=1)
    assert torch.allclose(decode(encode(boxes, defaults), defaults), boxes)
    assert torch.equal(encode(defaults, defaults), torch.zeros(30, 4, dtype=torch.float64))
    offsets = encode(boxes, defaults).requires_grad_()
    assert torch.autograd.gradcheck(decode, (offsets, defaults))


def test_overlaps_are_those_of_the_quads():
    boxes, others = random_boxes(20), random_boxes(15, seed=1)
    slow = geometry.iou_matrix(box_quads(boxes), box_quads(others))
    assert overlaps(boxes, others).numpy() == pytest.approx(slow, abs=1e-5)


def test_upright_boxes_hold_their_quads():
    turned = geometry.from_boxes(np.array([[50, 40, 30, 10, 0.5]]))
    corners = geometry.bounds(box_quads(upright_boxes(turned)))
    assert corners == pytest.approx(geometry.bounds(turned), abs=1e-4)
    assert len(upright_boxes(np.empty((0, 4, 2)))) == 0


def test_each_word_has_a_default_box_and_each_default_box_a_near_word(scenes):
    defaults = default_boxes(SIZE)
    for quads in scenes.quads:
        boxes = upright_boxes(quads)
        word, offsets = targets(boxes, defaults)
        back = decode(offsets[word], defaults[word])
        near = overlaps(boxes, back)
        assert (near.max(1).values > 0.99).all()  # every word is somebody's
        assert (near.max(0).values > 0.99).all()  # and nobody learns anything else
        own = overlaps(boxes, defaults).max(0).values
        assert (own[~word] <= MATCH).all()
        assert word[own > MATCH].all()


class Knows(nn.Module):
    """A model that gives the targets as its answers."""

    def __init__(self, scenes):
        super().__init__()
        wanted = [targets(upright_boxes(q), self.defaults(SIZE)) for q in scenes.quads]
        self.word, self.offsets = (torch.stack(part) for part in zip(*wanted, strict=True))

    def defaults(self, size):
        return default_boxes(size)

    def forward(self, images):
        return 9.0 * F.one_hot(self.word.long(), 2), self.offsets


def test_what_is_learned_gives_the_words_back(scenes):
    assert f1_scores(detect, Knows(scenes), scenes)["f1_tight"] == 100


def test_the_loss_is_the_one_added_up_by_hand(scenes):
    torch.manual_seed(0)
    model = TextBoxes(THIN).eval()
    images = torch.randn(2, 1, *SIZE)
    scores, offsets = model(images)
    defaults, total, words = default_boxes(SIZE), 0.0, 0
    for b in range(2):
        word, wanted = targets(upright_boxes(scenes.quads[b]), defaults)
        each = -scores[b].log_softmax(-1)
        error = (offsets[b] - wanted)[word].abs()
        total += torch.where(error < 1, error**2 / 2, error - 0.5).sum()
        negatives = each[~word, 0].sort(descending=True).values
        total += each[word, 1].sum() + negatives[: 3 * int(word.sum())].sum()
        words += int(word.sum())
    ours = textboxes.loss(model, images, scenes.quads[:2])
    assert ours.item() == pytest.approx((total / words).item(), rel=1e-5)


def test_a_small_model_learns_two_scenes_in_a_few_steps(scenes, fall):
    torch.manual_seed(0)
    model, images = TextBoxes(THIN), textboxes.to_input(scenes.images[:2])
    assert fall(model, lambda: textboxes.loss(model, images, scenes.quads[:2]), 25, 0.01) < 0.5
    assert all(p.grad is not None for p in model.parameters())


def test_an_untrained_model_finds_quads_of_the_right_shape(scenes):
    found = detect(STUDIES["textboxes"].make(1).eval(), scenes.images[:2], score=0.0)
    assert [f.shape[1:] for f in found] == [(4, 2), (4, 2)]
    nothing = detect(STUDIES["textboxes"].make(1).eval(), scenes.images[:1], score=1.0)
    assert nothing[0].shape == (0, 4, 2)


def test_the_seed_makes_the_weights():
    one, same, other = (STUDIES["textboxes"].make(seed).text_box[0].weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_images_that_do_not_fit_are_refused(refused):
    with refused("100 x 100 is no multiple of 32"):
        detect(STUDIES["textboxes"].make(1).eval(), np.zeros((1, 100, 100), np.uint8))
