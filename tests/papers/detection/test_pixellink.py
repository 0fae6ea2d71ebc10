"""PixelLink: maps of words, links, weights, the loss, and words put together from pixels."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from ocrkit.papers.detection import pixellink
from ocrkit.papers.detection.detectors import f1_scores
from ocrkit.papers.detection.pixellink import (
    NEIGHBOURS,
    STRIDE,
    STUDIES,
    PixelLink,
    boxes_of,
    components,
    detect,
    instance_map,
    instance_weights,
    link_targets,
    losses,
)
from ocrkit.papers.shared.quads import from_boxes, iou_matrix
from ocrkit.papers.shared.scene_sets import scene_set

SIZE = (128, 128)
THIN = (4, 4, 8, 8)


@pytest.fixture(scope="module")
def scenes():
    return scene_set("train", 6, pixellink.ROTATED)


def maps(scenes):
    return torch.from_numpy(np.stack([instance_map(q, SIZE) for q in scenes.quads]))


def test_a_pixel_belongs_to_the_word_that_its_centre_lies_in(scenes):
    quads = scenes.quads[0]
    found = instance_map(quads, SIZE)
    for i, j in np.ndindex(found.shape):
        centre = ((j + 0.5) * STRIDE, (i + 0.5) * STRIDE)
        inside = [n for n, q in enumerate(quads, 1) if cv2.pointPolygonTest(q, centre, False) > 0]
        assert found[i, j] == (inside[0] if len(inside) == 1 else 0)


def test_a_pixel_of_two_words_is_nobodys():
    boxes = np.array([[30, 20, 40, 16, 0.0], [60, 20, 40, 16, 0.0]])
    found = instance_map(from_boxes(boxes), SIZE)
    assert (found[6:14, 21:24] == 0).all()
    assert set(np.unique(found)) == {0, 1, 2}


def test_an_empty_image_has_no_words():
    assert not instance_map(np.empty((0, 4, 2)), SIZE).any()


def slow_links(instances):
    linked = np.zeros((8, *instances.shape), bool)
    for k, (dy, dx) in enumerate(NEIGHBOURS):
        for i, j in np.ndindex(instances.shape):
            y, x = i + dy, j + dx
            if 0 <= y < instances.shape[0] and 0 <= x < instances.shape[1]:
                linked[k, i, j] = instances[i, j] == instances[y, x] > 0
    return linked


def test_links_are_those_found_one_by_one():
    instances = np.random.default_rng(0).integers(0, 3, (9, 7))
    linked = link_targets(torch.from_numpy(instances)).numpy()
    assert np.array_equal(linked, slow_links(instances))


def test_every_word_of_an_image_weighs_the_same(scenes):
    instances = maps(scenes)
    weights = instance_weights(instances)
    for own, weight in zip(instances, weights, strict=True):
        area = (own > 0).sum().item()
        sums = [weight[own == k].sum().item() for k in range(1, int(own.max()) + 1)]
        assert sums == pytest.approx([area / len(sums)] * len(sums), rel=1e-4)
        assert not weight[own == 0].any()


def test_the_loss_is_the_one_added_up_by_hand(scenes):
    torch.manual_seed(0)
    pixels, links = torch.randn(1, 2, 64, 64), torch.randn(1, 2, 8, 64, 64)
    instances = maps(scenes)[:1]
    weights, linked = instance_weights(instances), link_targets(instances)
    w, text = weights[0], instances[0] > 0
    each = -pixels[0].log_softmax(0)
    area = int(text.sum())
    negatives = each[0][~text].sort(descending=True).values[: 3 * area]
    pixel = ((w * each[1])[text].sum() + negatives.sum()) / (4 * area)
    link = 0.0
    each = -links[0].log_softmax(0)
    for answer, there in ((1, linked[0]), (0, ~linked[0])):
        link += (w * there * each[answer]).sum() / (w * there).sum()
    assert losses(pixels, links, weights, linked).item() == pytest.approx(
        (2 * pixel + link).item(), rel=1e-4
    )


def test_the_loss_of_sure_and_right_answers_is_nearly_nothing(scenes):
    instances = maps(scenes)
    linked = link_targets(instances)
    sure = [10.0 * torch.stack([~yes, yes], 1) for yes in (instances > 0, linked)]
    assert losses(*sure, instance_weights(instances), linked).max() < 1e-3


def slow_components(text, linked):
    """Flood from pixel to pixel."""
    found, number = np.zeros(text.shape, int), 0
    for start in np.argwhere(text):
        if found[tuple(start)]:
            continue
        number += 1
        waiting = [tuple(start)]
        while waiting:
            i, j = waiting.pop()
            found[i, j] = number
            for k, (dy, dx) in enumerate(NEIGHBOURS):
                y, x = i + dy, j + dx
                if not (0 <= y < text.shape[0] and 0 <= x < text.shape[1]):
                    continue
                held = linked[k, i, j] or linked[7 - k, y, x]
                if held and text[y, x] and not found[y, x]:
                    waiting.append((y, x))
    return found


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_components_are_those_of_a_flood(share):
    rng = np.random.default_rng(0)
    text, linked = rng.random((20, 30)) < 0.6, rng.random((8, 20, 30)) < share
    assert np.array_equal(components(text, linked), slow_components(text, linked))


def test_with_all_links_components_are_opencvs():
    text = np.random.default_rng(0).random((30, 40)) < 0.3
    ours = components(text, np.ones((8, *text.shape), bool))
    count, theirs = cv2.connectedComponents(text.astype(np.uint8), connectivity=8)
    assert ours.max() == count - 1
    assert len({*zip(ours.ravel(), theirs.ravel(), strict=True)}) == count  # one name each


def test_words_that_touch_are_kept_apart_by_their_links_alone():
    boxes = np.array([[30, 40, 40, 20, 0.0], [70, 40, 40, 20, 0.0]])
    instances = torch.from_numpy(instance_map(from_boxes(boxes), SIZE))
    text, linked = (instances > 0).numpy(), link_targets(instances).numpy()
    assert components(text, linked).max() == 2
    assert components(text, np.ones_like(linked)).max() == 1


def test_what_is_learned_gives_the_words_back(scenes):
    for quads in scenes.quads:
        instances = torch.from_numpy(instance_map(quads, SIZE))
        found = boxes_of(components((instances > 0).numpy(), link_targets(instances).numpy()))
        assert len(found) == len(quads)
        assert iou_matrix(found, quads).max(1).min() > 0.6
        assert iou_matrix(found, quads).max(1).mean() > 0.85


def test_specks_are_no_words():
    found = np.zeros((64, 64), int)
    found[5, 5] = 1
    found[30:40, 10:30] = 2
    assert len(boxes_of(found)) == 1
    assert boxes_of(np.zeros((64, 64), int)).shape == (0, 4, 2)


class Knows(nn.Module):
    """A model that gives the targets as its answers."""

    def __init__(self, instances):
        super().__init__()
        yes = instances > 0, link_targets(instances)
        self.answers = [9.0 * torch.stack([~y, y], 1).float() for y in yes]

    def forward(self, images):
        return self.answers


def test_detect_finds_what_a_knowing_model_says(scenes):
    assert f1_scores(detect, Knows(maps(scenes)), scenes)["f1"] == 100


def test_answers_are_half_the_image():
    pixels, links = PixelLink(THIN)(torch.zeros(2, 1, 32, 64))
    assert pixels.shape == (2, 2, 16, 32)
    assert links.shape == (2, 2, 8, 16, 32)


def test_a_small_model_learns_two_scenes_in_a_few_steps(scenes, fall):
    torch.manual_seed(0)
    model, images = PixelLink(THIN), pixellink.to_input(scenes.images[:2])
    assert fall(model, lambda: pixellink.loss(model, images, scenes.quads[:2]), 25, 0.01) < 0.7
    assert all(p.grad is not None for p in model.parameters())


def test_the_seed_makes_the_weights():
    one, same, other = (STUDIES["pixellink"].make(seed).fuse[0].weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_images_that_do_not_fit_are_refused(refused):
    with refused("100 x 100 is no multiple of 16"):
        detect(STUDIES["pixellink"].make(1).eval(), np.zeros((1, 100, 100), np.uint8))
