"""FOTS: shapes, what its reader sees, gradients into the shared map, and that it learns."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from ocrkit.labels import charset_of
from ocrkit.papers.shared.scene_sets import vocabulary
from ocrkit.papers.shared.study import find_study, rows, run_study, trained
from ocrkit.papers.spotting import spotter
from ocrkit.papers.spotting.fots import CROP, FOTS, STUDIES
from ocrkit.papers.spotting.spotter import spot, spotting_loss, spotting_scenes

pytestmark = pytest.mark.usefixtures("few_scenes")


def test_shapes(small_spotter):
    model = FOTS("가나다")
    features, maps = model(torch.zeros(2, 1, 64, 96))
    assert features.shape == (2, 8, 32, 48)
    assert maps.score.shape == (2, 16, 24)
    quads = [torch.tensor([[[4.0, 4], [44, 4], [44, 24], [4, 24]]]), torch.zeros(0, 4, 2)]
    logits = model.logits(features, quads)
    assert logits.shape == (1, CROP[1] // 2, 4)
    assert len(model.read(features, quads)) == 1


def test_reading_teaches_the_shared_map_and_not_the_detector(small_spotter):
    torch.manual_seed(0)
    scenes = spotting_scenes("train", "rotated")
    model = FOTS(vocabulary().charset)
    features, _ = model(torch.randn(2, 1, 128, 128))
    quads = [torch.from_numpy(q) for q in scenes.quads]
    model.reading_loss(features, scenes.words, quads).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.shared.parameters())
    assert all(p.grad is None for p in model.detector.parameters())


def test_it_learns_one_scene_by_heart(fall, small_spotter):
    torch.manual_seed(0)
    scenes = spotting_scenes("train", "upright")
    model = FOTS(charset_of(scenes.texts[0]))
    loss = partial(spotting_loss, model, scenes.images[:1], scenes.words[:1])
    assert fall(model, lambda: loss(np.random.default_rng(0)), 30, 0.01) < 0.6


def test_the_study_runs_and_comes_back(tmp_path, monkeypatch):
    study = find_study("fots")
    recipe = replace(study.recipe, steps=2, batch_size=2, validate_every=1)
    short = replace(study, recipe=recipe, task=lambda seed: spotter.SpottingTask(seed, 2))
    row = run_study(short, 1, tmp_path)
    assert {"f1_upright", "f1_rotated", "read_rotated"} <= row.keys()
    assert [set(point) >= {"f1", "detection_f1", "read"} for point in row["history"]] == [True] * 2
    assert row["params"] < 600_000
    assert rows(tmp_path, *STUDIES)["study"].tolist() == ["fots"]
    spot(trained(short, tmp_path), spotting_scenes("test", "upright").images)
