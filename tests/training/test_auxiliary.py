"""The CTC loss that frames have of their own, for the first part of training."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ocrkit.data.cache import Pixels
from ocrkit.models import MODEL_NAMES
from ocrkit.models.recognizer import Recognizer
from ocrkit.training import RECIPES, Trainer
from ocrkit.training.losses import ctc_loss, make_converter, training_loss

TEXTS = ["가나", "다", "나나", "가"]
NEWER = ("None-VGG-SVTR-CTC", "None-VGG-BiLSTM-JamoCTC", "None-VGG-BiLSTM-PARSeq")


def made(name: str) -> tuple[Recognizer, object]:
    torch.manual_seed(0)
    converter = make_converter(name.rsplit("-", 1)[1], "가나다", 3)
    sizes = {"max_length": 3, "image_width": 40, "width": 0.125}
    return Recognizer(name, classes=converter.classes, **sizes), converter


def images() -> torch.Tensor:
    return torch.randn(4, 1, 32, 40, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", [*MODEL_NAMES, *NEWER])
def test_every_model_that_does_not_read_straight_from_its_frames_has_one(name):
    model, _ = made(name)
    _, _, sequence, prediction = name.split("-")
    writes = prediction in ("Attn", "PARSeq")
    parameters = model.stage_parameters()
    assert model.add_auxiliary("extractor") == (writes or sequence != "None")
    assert (model.auxiliary is not None) == (writes or sequence != "None")
    assert model.stage_parameters() == parameters  # the paper's counts do not move
    other, _ = made(name)
    assert other.add_auxiliary("decoder") == writes


@pytest.mark.parametrize("frames", ["extractor", "decoder"])
@pytest.mark.parametrize("name", ["None-VGG-BiLSTM-Attn", "None-VGG-BiLSTM-CTC", *NEWER])
def test_its_loss_reaches_the_layers_below_its_frames_and_no_others(name, frames):
    model, converter = made(name)
    if not model.add_auxiliary(frames):
        assert frames == "decoder"
        assert name.endswith("CTC")
        return
    model.train()
    ids, lengths = converter.encode(TEXTS)
    writes = name.endswith(("Attn", "PARSeq"))
    _, beside, _ = model(images(), ids[:, :-1]) if writes else model(images())
    assert beside.shape[:2] == (4, model.frames)
    labels = (ids[:, 1:] - 1).clamp(min=0) if writes else ids
    ctc_loss(beside, labels, lengths - int(writes)).backward()

    def reached(module: torch.nn.Module) -> bool:
        return any(p.grad is not None and p.grad.any() for p in module.parameters())

    assert reached(model.features)
    assert reached(model.sequence) == (frames == "decoder")
    assert not reached(model.head)


@pytest.mark.parametrize("name", ["TPS-VGG-BiLSTM-CTC", "None-VGG-BiLSTM-JamoCTC"])
def test_the_two_losses_of_ctc_are_added(name):
    model, converter = made(name)
    model.add_auxiliary("extractor")
    model.train()
    ids, lengths = converter.encode(TEXTS)
    with torch.no_grad():
        logits, beside, alpha = model(images())
        one, other = (float(ctc_loss(each, ids, lengths)) for each in (logits, beside))
        both = float(training_loss(model, converter, images(), TEXTS, 0.25))
    assert alpha is None
    assert both == pytest.approx(one + 0.25 * other, rel=1e-5)


@pytest.mark.parametrize("name", ["None-VGG-BiLSTM-CTC", "None-VGG-BiLSTM-Attn"])
def test_reading_knows_nothing_of_it(name):
    model, _ = made(name)
    model.eval()
    with torch.no_grad():
        before = model(images())
        model.add_auxiliary("extractor")
        assert torch.equal(model(images()), before)


@pytest.mark.parametrize("name", ["None-VGG-BiLSTM-CTC", "None-VGG-BiLSTM-Attn"])
@pytest.mark.parametrize("frames", ["extractor", "decoder"])
def test_training_has_it_for_its_share_of_the_steps_and_ends_without_it(name, frames, monkeypatch):
    weights: list[tuple[bool, float]] = []

    def watched(model, converter, images, texts, weight, part):
        weights.append((model.auxiliary is not None, weight))
        return training_loss(model, converter, images, texts, weight, part)

    monkeypatch.setattr("ocrkit.training.trainer.training_loss", watched)
    pixels = np.random.default_rng(0).integers(0, 255, (4, 32, 40), dtype=np.uint8)
    sets = Pixels(pixels, TEXTS, [])
    recipe = replace(RECIPES["fast"], steps=4, batch_size=2, auxiliary_frames=frames)
    recipe = replace(recipe, auxiliary_ctc=0.5, precision="fp32")
    model, converter = made(name)
    trainer = Trainer(model, converter, [sets, sets], None, recipe)
    trainer.run()
    has = frames == "extractor" or name.endswith("Attn")
    assert weights == [(has, weight if has else 0.0) for weight in (1.0, 0.5, 0.0, 0.0)]
    assert model.auxiliary is None
