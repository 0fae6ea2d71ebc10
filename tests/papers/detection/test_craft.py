"""CRAFT: its maps are drawn as defined, read back as words, guessed from words, and learned."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from ocrkit.papers.detection import craft
from ocrkit.papers.detection.craft import (
    STUDIES,
    Craft,
    CraftTask,
    craft_loss,
    detect,
    predict_maps,
    weak_batch,
)
from ocrkit.papers.detection.craft_maps import (
    REGION,
    SIGMA,
    affinity_quads,
    draw_maps,
    find_words,
    level_radius,
    scene_maps,
    splat,
    word_margin,
)
from ocrkit.papers.detection.craft_weak import (
    confidence_map,
    equal_parts,
    guess_characters,
    length_confidence,
    split_word,
)
from ocrkit.papers.shared.detection_metrics import detection_scores
from ocrkit.papers.shared.quads import iou_matrix
from ocrkit.papers.shared.scene_sets import scene_set
from ocrkit.synth.scenes import SCENES
from ocrkit.training import Loop, Recipe

SLANTED = np.float32([[5, 6], [25, 3], [28, 24], [8, 21]])
SCENE = scene_set("valid", 12, SCENES["rotated"])


def box(left, top, right, bottom):
    return np.float32([[left, top], [right, top], [right, bottom], [left, bottom]])


def test_a_gaussian_is_warped_as_opencv_warps_a_picture_of_it():
    side = 401
    at = np.linspace(-1, 1, side)
    picture = np.exp(-(at**2 + at[:, None] ** 2) / (2 * SIGMA**2)).astype(np.float32)
    # Pixel centres of the picture lie on -1..1; the map's lie half a pixel inside its cells.
    corners = np.float32([[0, 0], [side - 1, 0], [side - 1, side - 1], [0, side - 1]])
    matrix = cv2.getPerspectiveTransform(corners, SLANTED - 0.5)
    expected = cv2.warpPerspective(picture, matrix, (32, 32))
    score = np.zeros((32, 32))
    splat(score, SLANTED)
    assert np.abs(score - expected).max() < 0.05  # at the edge one of them may stop a pixel sooner
    assert np.abs(score - expected)[8:18, 10:22].max() < 1e-3


def test_a_gaussian_over_the_edge_is_cut_and_one_outside_is_not_drawn():
    score = np.zeros((8, 8))
    splat(score, box(-4, -4, 4, 4))
    assert score[0, 0] == score.max() > 0.9
    before = score.copy()
    splat(score, box(20, 20, 30, 30))
    splat(score, box(-30, 0, -20, 8))
    np.testing.assert_array_equal(score, before)


def test_the_affinity_quad_of_two_squares():
    pair = np.stack([box(0, 0, 6, 6), box(8, 0, 14, 6)])
    # The centre of a triangle is the mean of its corners: (0, 0), (6, 0), (3, 3) -> (3, 1).
    np.testing.assert_allclose(affinity_quads(pair), box(3, 1, 11, 5)[None], atol=1e-6)
    assert affinity_quads(pair[:1]).shape == (0, 4, 2)


def test_diagonals_that_do_not_halve_each_other():
    kite = np.float32([[[0, 0], [4, 0], [4, 2], [0, 6]]])
    upper = affinity_quads(np.concatenate([kite, kite]))[0, 0]
    # (4, 2)·t meets (4, 0) + (-4, 6)·u at t = 3/4: (3, 1.5).
    np.testing.assert_allclose(upper, [(0 + 4 + 3) / 3, (0 + 0 + 1.5) / 3], rtol=1e-6)


@pytest.mark.parametrize("kind", SCENES)
def test_maps_drawn_from_a_scene_give_its_words_back(kind):
    scenes = scene_set("valid", 12, SCENES[kind])
    found = [find_words(scene_maps(words, (128, 128))) for words in scenes.words]
    assert detection_scores(found, scenes.quads).f1 > 99
    assert detection_scores(found, scenes.quads, 0.7).f1 > 88


def test_the_threshold_does_not_change_the_size_of_a_word():
    characters = np.stack([box(20, 30, 40, 50), box(42, 30, 62, 50)])
    maps = draw_maps([characters], (80, 80))
    for region in (0.25, 0.35, 0.5):
        (quad,) = find_words(maps, region=region)
        assert iou_matrix([quad], [box(20, 30, 62, 50)]) > 0.85


def test_a_round_word_gets_the_same_margin_on_every_side():
    y, x = np.mgrid[:40, :40] - 19.5
    along, down = np.cos(0.6) * x + np.sin(0.6) * y, np.cos(0.6) * y - np.sin(0.6) * x
    spot = np.zeros((2, 40, 40), np.float32)
    spot[0] = np.exp(-((along / 11) ** 2) - (down / 9.5) ** 2)  # round, but not quite
    big = cv2.resize(spot[0], None, fx=2, fy=2) > REGION
    rows, columns = (np.flatnonzero(big.any(axis)) for axis in (1, 0))
    margin = word_margin(big)
    left, top = columns[0] - margin, rows[0] - margin
    right, bottom = columns[-1] + 1 + margin, rows[-1] + 1 + margin
    np.testing.assert_allclose(find_words(spot)[0], box(left, top, right, bottom), atol=0.01)


def test_maps_without_text_hold_no_words():
    assert find_words(np.zeros((2, 64, 64))).shape == (0, 4, 2)
    spot = np.zeros((2, 64, 64))
    spot[:, 30:34, 30:34] = 0.45  # above the threshold, and no peak
    assert find_words(spot).shape == (0, 4, 2)


def test_level_radius_is_where_the_gaussian_has_that_height():
    for height in (0.1, 0.35, 0.9):
        assert np.exp(-(level_radius(height) ** 2) / (2 * SIGMA**2)) == pytest.approx(height)


def test_confidence_is_the_papers_equation():
    assert [length_confidence(4, found) for found in (4, 3, 5, 2, 8, 20)] == [
        1,
        0.75,
        0.75,
        0.5,
        0,
        0,
    ]


def test_characters_are_guessed_back_from_a_true_region_score():
    overlaps = []
    for words in SCENE.words:
        region = scene_maps(words, (128, 128))[0]
        for word in words:
            guess, sure = guess_characters(region, word.quad, len(word.text))
            assert 0.5 <= sure <= 1
            if len(guess) == len(word.text):
                overlaps += [*np.diag(iou_matrix(guess, word.character_quads))]
    assert len(overlaps) > 60
    assert np.median(overlaps) > 0.6


def test_where_nothing_is_seen_the_word_is_cut_into_equal_parts():
    word = box(20, 40, 80, 60)
    guess, sure = guess_characters(np.zeros((64, 64)), word, 3)
    assert sure == 0.5
    np.testing.assert_allclose(guess[1], box(40, 40, 60, 60), atol=0.6)
    assert equal_parts(3, 60, 20)[:, 0].tolist() == [0, 20, 40]


def test_watershed_parts_characters_that_touch():
    score = np.zeros((24, 60))
    splat(score, box(0, 0, 32, 24))
    splat(score, box(28, 0, 60, 24))
    boxes = split_word(score)
    assert len(boxes) == 2
    assert abs(boxes[0, 2] - 30) <= 2


def test_confidence_counts_inside_the_words_alone():
    weights = confidence_map([box(20, 20, 60, 40)], [0.5], (80, 80))
    assert weights.shape == (40, 40)
    assert weights[15, 20] == 0.5
    assert weights[5, 5] == 1


def test_the_loss_weighs_squared_errors():
    scores, targets = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, 2)
    scores[0, 0, 0, 0], scores[0, 1, 0, 0], scores[0, 0, 1, 1] = 1, 2, 3
    weights = torch.ones(1, 2, 2)
    weights[0, 0, 0] = 0.5
    assert craft_loss(scores, targets, weights).item() == pytest.approx((0.5 * (1 + 4) + 9) / 4)


def test_shapes_and_size_of_the_model():
    model = Craft()
    assert model(torch.zeros(2, 1, 64, 96)).shape == (2, 2, 32, 48)
    assert sum(p.numel() for p in model.parameters()) < 600_000
    assert predict_maps(model, SCENE.images[:3]).shape == (3, 2, 64, 64)
    assert all(quads.shape[1:] == (4, 2) for quads in detect(model, SCENE.images[:3]))


def test_every_weight_learns():
    model = Craft((8, 8, 8, 8), 8)
    maps = torch.from_numpy(np.stack([scene_maps(w, (128, 128)) for w in SCENE.words[:2]]))
    craft_loss(model(torch.randn(2, 1, 128, 128)), maps, torch.ones(2, 64, 64)).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_a_weak_batch_needs_no_character_quads():
    hidden = replace(
        SCENE,
        words=tuple(tuple(replace(w, character_quads=None) for w in ws) for ws in SCENE.words),
    )
    images, targets, weights = weak_batch(Craft(), hidden, np.array([3, 5]))
    assert images.shape == (2, 128, 128)
    assert targets.shape == (2, 2, 64, 64)
    assert targets.max() > 0.8
    assert set(np.unique(weights)) <= {0.5, 0.75, np.float32(2 / 3), 1.0}


@pytest.mark.parametrize("weak", [None, SCENES["rotated"]], ids=["strong", "weak"])
def test_a_small_model_learns_in_a_few_steps(weak, monkeypatch):
    monkeypatch.setattr(craft, "WEAK_FROM", 12)
    torch.manual_seed(0)
    recipe = Recipe("toy", "adamw", 0.01, steps=24, batch_size=8, validate_every=8)
    task = CraftTask(1, 8, SCENES["upright"], weak=weak, count=8, valid=4)
    history = Loop(Craft((8, 16, 16, 16), 16), task, recipe, seed=1).run().history
    assert history[-1]["train_loss"] < 0.6 * history[0]["train_loss"]
    assert next(iter(task.validate(Craft()))) == "f1"


def test_the_studies_differ_in_what_they_are_taught():
    assert list(STUDIES) == ["craft", "craft-upright", "craft-weak"]
    kept = [study.task.keywords for study in STUDIES.values()]
    assert [t["strong"] == SCENES["curved"] for t in kept] == [True, False, False]
    assert [t.get("weak") for t in kept] == [None, None, SCENES["curved"]]
