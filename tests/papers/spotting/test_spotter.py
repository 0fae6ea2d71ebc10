"""What the spotters share: crops for the reader, finding and reading in one, and the scores."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ocrkit.papers.detection.east import EastMaps, east_targets
from ocrkit.papers.shared.quads import iou_matrix, to_boxes
from ocrkit.papers.shared.scene_sets import SceneSet
from ocrkit.papers.spotting import spotter
from ocrkit.papers.spotting.spotter import (
    UNFAMILIAR,
    CropEncoder,
    jitter,
    read_true,
    shared_map,
    spot,
    spotting_loss,
    spotting_scenes,
    unfamiliar_scores,
)


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(spotter, "SCENES_IN", {"train": 4, "valid": 2, "test": 3})
    spotting_scenes.cache_clear()
    yield
    spotting_scenes.cache_clear()


class Knowing(nn.Module):
    """Knows where all words of the test scenes are and what they say; reads `says`, if given."""

    def __init__(self, says: str | None = None) -> None:
        super().__init__()
        self.says = says
        scenes = [spotting_scenes("test", kind) for kind in spotter.KINDS]
        self.answers = {
            image.tobytes(): words
            for s in scenes
            for image, words in zip(s.images, s.words, strict=True)
        }

    def forward(self, images: Tensor) -> tuple[list, EastMaps]:
        pixels = ((images[:, 0] + 1) * 127.5).round().to(torch.uint8).numpy()
        self.words = [self.answers[image.tobytes()] for image in pixels]
        boxes = [torch.from_numpy(to_boxes(np.stack([w.quad for w in s]))) for s in self.words]
        true = east_targets([b.float() for b in boxes], (32, 32), 4)
        said = EastMaps(20 * (true.score - 0.5), true.distances.clamp_min(0), true.angle)
        return self.words, said

    def read(self, features: list, quads: list[Tensor]) -> list[str]:
        if self.says is not None:
            return [self.says for some in quads for _ in some]
        return [
            words[
                int(iou_matrix(quad.numpy()[None], np.stack([w.quad for w in words])).argmax())
            ].text
            for words, some in zip(features, quads, strict=True)
            for quad in some
        ]


def test_a_model_that_knows_all_has_full_marks():
    scores = spotter.test_scores(Knowing())
    assert list(scores)[:2] == ["f1_upright", "f1_rotated"]
    whole = [v for name, v in scores.items() if not name.startswith(("low", "high"))]
    assert whole == pytest.approx([100] * len(whole))


def test_reading_counts_end_to_end_and_not_for_detection():
    scores = spotter.test_scores(Knowing("가"))
    assert scores["detection_f1_rotated"] == pytest.approx(100)
    assert scores["f1_rotated"] == scores["read_rotated"] == 0


def test_a_box_in_which_nothing_is_read_is_dropped():
    scenes = spotting_scenes("test", "rotated")
    found = spot(Knowing(""), scenes.images)
    assert [len(f.quads) for f in found] == [0] * len(scenes)


def test_an_image_without_words_has_none():
    class Blind(Knowing):
        def forward(self, images):
            return [], EastMaps(
                *(torch.full((len(images), *s, 32, 32), -9.0) for s in ((), (4,), ()))
            )

    (found,) = spot(Blind(), np.zeros((1, 128, 128), np.uint8))
    assert found.quads.shape == (0, 4, 2)
    assert found.texts == []


def test_true_quads_are_read_one_after_the_other():
    scenes = spotting_scenes("test", "upright")
    assert read_true(Knowing(), scenes) == scenes.texts


def test_jittered_boxes_stay_close():
    quads = np.concatenate(spotting_scenes("train", "rotated").quads)
    moved = jitter(quads, np.random.default_rng(1))
    overlap = np.diag(iou_matrix(quads, moved))
    assert (overlap > 0.6).all()
    assert (overlap < 1).all()


def test_the_shared_map_is_half_the_image():
    features = shared_map((4, 6, 8, 8, 8), 5)(torch.zeros(2, 1, 64, 96))
    assert features.shape == (2, 5, 32, 48)


def test_the_encoder_keeps_half_the_columns():
    assert CropEncoder(5, 7)(torch.zeros(3, 5, 16, 24)).shape == (3, 12, 7)


def test_the_loss_adds_finding_and_reading():
    class Reading(Knowing):
        def reading_loss(self, features, words, quads) -> Tensor:
            assert [len(w) for w in words] == [len(q) for q in quads]
            return torch.tensor(7.0)

    scenes: SceneSet = spotting_scenes("test", "upright")
    rng = np.random.default_rng(0)
    loss = spotting_loss(Reading(), scenes.images.copy(), scenes.words, rng)
    assert loss.item() == pytest.approx(7, abs=0.01)


def test_unfamiliar_scenes_are_tried_with_every_model(monkeypatch):
    shown = []

    def score(model, scenes):
        shown.append((model, scenes))
        return {"f1": 50.0}

    monkeypatch.setattr(spotter, "scores", score)
    table = unfamiliar_scores({1: "a model", 2: "another"}, 3)
    assert table["scenes"].tolist() == [name for name in UNFAMILIAR for _ in range(2)]
    assert table["seed"].tolist() == [1, 2] * len(UNFAMILIAR)
    assert [(m, len(scenes)) for m, scenes in shown] == [("a model", 3), ("another", 3)] * 4
    assert len({scenes.images.tobytes() for _, scenes in shown}) == len(UNFAMILIAR)
