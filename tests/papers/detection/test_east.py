"""East: targets tell the truth, decoding them gives it back, and losses fall with the mistake."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ocrkit.papers.detection.east import (
    SHRINK,
    EastHead,
    EastMaps,
    box_loss,
    decode,
    east_targets,
    score_loss,
)
from ocrkit.papers.shared.quads import from_boxes, iou_matrix

STRIDE, SIZE = 4, (32, 40)
BOXES = torch.tensor(
    [
        [40.0, 30.0, 50.0, 16.0, 0.0],
        [100.0, 60.0, 60.0, 20.0, math.radians(40)],
        [50.0, 90.0, 20.0, 24.0, math.radians(-30)],  # one syllable, taller than wide
    ]
)


def truth() -> EastMaps:
    return east_targets([BOXES, BOXES[:0], BOXES[1:]], SIZE, STRIDE)


def as_said(true: EastMaps) -> EastMaps:
    return EastMaps(20 * (true.score - 0.5), true.distances.clamp_min(0), true.angle)


def test_cells_are_text_rim_or_paper_as_their_centres_lie():
    true = truth()
    for y in range(SIZE[0]):
        for x in range(SIZE[1]):
            at = np.array([STRIDE * (x + 0.5), STRIDE * (y + 0.5)])
            deep, inside, owner = False, False, None
            for cx, cy, w, h, angle in BOXES.tolist():
                along = np.array([math.cos(angle), -math.sin(angle)])
                across = np.array([math.sin(angle), math.cos(angle)])
                a, d = (at - [cx, cy]) @ along, (at - [cx, cy]) @ across
                depth = min(w / 2 - abs(a), h / 2 - abs(d))
                inside |= depth > 0
                if depth > SHRINK * min(w, h):
                    deep, owner = True, (h / 2 + d, w / 2 - a, h / 2 - d, w / 2 + a, angle)
            assert bool(true.score[0, y, x]) == deep
            assert bool(true.care[0, y, x]) == (deep or not inside)
            if deep:
                said = [*true.distances[0, :, y, x].tolist(), true.angle[0, y, x].item()]
                assert said == pytest.approx(owner, abs=1e-4)
    assert not true.score[1].any()
    assert true.care[1].all()


def test_decoding_the_targets_gives_back_the_boxes():
    found = decode(as_said(truth()), STRIDE)
    for (quads, scores), boxes in zip(found, (BOXES, BOXES[:0], BOXES[1:]), strict=True):
        overlap = iou_matrix(quads, from_boxes(boxes.numpy()))
        assert overlap.shape == (len(boxes), len(boxes))
        assert (scores > 0.99).all()
        if len(boxes):
            assert overlap.max(0) == pytest.approx(np.ones(len(boxes)), abs=1e-4)


def test_cells_that_differ_are_averaged_by_their_scores():
    true = east_targets([BOXES[:1]], SIZE, STRIDE)
    said = as_said(true)
    random = torch.Generator().manual_seed(1)
    noise = 3 * torch.randn(said.distances.shape, generator=random)
    ((quads, _),) = decode(said._replace(distances=(said.distances + noise).clamp_min(1)), STRIDE)
    assert len(quads) == 1
    assert np.abs(quads[0] - from_boxes(BOXES[0].numpy())).max() < 2  # each cell is 3 off


def test_losses_are_least_for_the_truth():
    true = truth()
    said = as_said(true)
    assert score_loss(said, true).item() < 1e-3
    assert box_loss(said, true).item() == pytest.approx(0, abs=1e-5)
    assert score_loss(said._replace(score=-said.score), true).item() > 5
    wider = said._replace(distances=2 * said.distances)
    # All four distances doubled: the IoU is 1/4 (but for the 1 that keeps it finite).
    assert box_loss(wider, true).item() == pytest.approx(math.log(4), rel=0.02)
    turned = said._replace(angle=said.angle + 0.1)
    assert box_loss(turned, true).item() == pytest.approx(10 * (1 - math.cos(0.1)), rel=1e-3)


def test_the_rim_does_not_count():
    true = truth()
    said = as_said(true)
    changed = torch.where(true.care, said.score, -said.score)
    assert score_loss(said._replace(score=changed), true).item() < 1e-3


def test_no_word_in_any_image():
    true = east_targets([BOXES[:0]], SIZE, STRIDE)
    said = as_said(true)
    assert box_loss(said, true).item() == 0
    assert score_loss(said, true).item() < 1e-3
    ((quads, scores),) = decode(said, STRIDE)
    assert quads.shape == (0, 4, 2)
    assert scores.shape == (0,)


def test_the_head_learns_one_scene():
    torch.manual_seed(0)
    true = truth()
    head = EastHead(4, 24)
    features = F.interpolate(
        torch.cat([true.score[:, None], true.distances[:, :3] / 50], 1), scale_factor=2
    )
    optimizer = torch.optim.Adam(head.parameters(), 0.02)
    losses = []
    for _ in range(40):
        said = head(features)
        loss = score_loss(said, true) + box_loss(said, true)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert said.distances.shape == (3, 4, *SIZE)
    assert (said.distances > 0).all()
    assert losses[-1] < 0.3 * losses[0]
