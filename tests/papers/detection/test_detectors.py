"""What the detectors share: the batches of a seed, hard negatives, scores."""

import numpy as np
import pytest
import torch
from torch import nn

from ocrkit.papers.detection.detectors import (
    SceneTask,
    detector_study,
    f1_scores,
    hardest,
    quick,
    recall_by_angle,
)
from ocrkit.papers.shared.quads import from_boxes
from ocrkit.papers.shared.scene_sets import scene_set
from ocrkit.papers.shared.study import find_study, run_study, trained
from ocrkit.synth.scenes import SceneSettings

SMALL = SceneSettings(size=(64, 64), words=(1, 2), em=(12, 16))


def slow_hardest(losses, negative, count):
    chosen = torch.zeros_like(negative)
    for b in range(len(losses)):
        ranked = sorted(torch.nonzero(negative[b]).flatten(), key=lambda i: -losses[b, i])
        for i in ranked[: int(count[b])]:
            chosen[b, i] = True
    return chosen


def test_hardest_is_what_sorting_by_hand_gives():
    losses = torch.rand(5, 40)
    negative = torch.rand(5, 40) > 0.4
    count = torch.tensor([0, 3, 10, 40, 1])
    assert torch.equal(hardest(losses, negative, count), slow_hardest(losses, negative, count))


def test_hardest_keeps_the_number_where_losses_are_equal():
    chosen = hardest(torch.ones(1, 9), torch.ones(1, 9, dtype=torch.bool), torch.tensor([4]))
    assert chosen.sum() == 4


def batches(seed, steps=3):
    seen = []

    def remember(model, images, quads):
        seen.append((images, np.concatenate(quads)))
        return images.sum()

    task = SceneTask(seed, SMALL, 3, remember, detect=None, count=6, valid=1)
    for step in range(steps):
        task.loss(nn.Identity(), step)
    return seen


def test_batches_depend_on_seed_and_step_alone():
    one, again, other = batches(1), batches(1), batches(2)
    for (images, quads), (same, same_quads) in zip(one, again, strict=True):
        assert torch.equal(images, same)
        assert np.array_equal(quads, same_quads)
    assert not torch.equal(one[0][0], one[1][0])
    assert not torch.equal(one[0][0], other[0][0])
    assert one[0][0].shape == (3, 1, 64, 64)
    assert one[0][0].min() >= -1
    assert one[0][0].max() <= 1


def test_the_truth_scores_100_and_nothing_scores_0():
    scenes = scene_set("test", 4, SMALL)
    perfect = f1_scores(lambda model, images: scenes.quads, nn.Identity(), scenes)
    assert perfect["f1"] == perfect["f1_tight"] == perfect["recall_percent"] == 100
    nothing = f1_scores(lambda model, images: [[]] * len(images), nn.Identity(), scenes)
    assert nothing["f1"] == nothing["f1_tight"] == nothing["recall_percent"] == 0


def test_a_task_is_validated_on_other_scenes_than_it_is_tested_on():
    asked = []

    def detect(model, images):
        asked.append(images)
        return [np.empty((0, 4, 2))] * len(images)

    SceneTask(1, SMALL, 2, loss=None, detect=detect, count=2, valid=3).validate(nn.Identity())
    study = detector_study("any", nn.Identity, SceneTask, detect, SMALL, steps=10)
    study.test(nn.Identity(), count=4)
    valid, test = asked
    assert [len(valid), len(test)] == [3, 4]
    assert np.array_equal(study.images(count=4), test)
    assert not any(np.array_equal(a, b) for a in valid for b in test)


def test_recall_by_angle_counts_each_word_in_its_bin():
    boxes = np.array([[30, 20, 40, 10, 0.0], [30, 60, 40, 10, 0.3], [90, 60, 40, 10, -0.3]])
    true = [from_boxes(boxes[:2]), from_boxes(boxes[2:])]
    found = [true[0], np.empty((0, 4, 2))]
    recall = recall_by_angle(found, true, [0, 10, 20, 30])
    assert recall[:2].tolist() == [100, 50]
    assert np.isnan(recall[2])


@pytest.mark.parametrize("name", ["textboxes", "textboxes-ssd", "pixellink"])
def test_the_quick_study_runs_from_end_to_end(name, tmp_path):
    study = quick(find_study(name))
    row = run_study(study, 1, tmp_path)
    assert 0 <= row["f1_tight"] <= row["f1"] <= 100
    assert row["params"] < 600_000
    assert len(row["history"]) == 2
    model = trained(study, tmp_path)
    again = study.test(model)
    assert again.keys() <= row.keys()
    # No score has the name of something else in the row.
    assert all(isinstance(row[name], float) for name in again)
