"""Names, sizes and shapes of the 24 models."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_models import golden_json, golden_parameters, noise_images, thin

from ocrkit.errors import OcrkitError
from ocrkit.models import MODEL_NAMES, STAGES, Recognizer, initialise, parse_name
from ocrkit.models.reference import reference_name

PARAMETERS = golden_parameters()


def test_names_come_in_the_reference_order():
    assert list(PARAMETERS) == list(MODEL_NAMES)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_parameter_counts_are_exact(name, monkeypatch):
    # The counts need no weights: leave out the seconds it takes to draw them.
    monkeypatch.setattr("ocrkit.models.recognizer.initialise", lambda model: None)
    with torch.device("meta"):
        model = Recognizer(name, classes=973 + name.endswith("Attn"))
    stages = model.stage_parameters()
    assert list(stages) == list(STAGES)
    assert sum(stages.values()) == PARAMETERS[name]
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
    assert stages["transformation"] == (1_692_392 if name.startswith("TPS") else 0)


@pytest.mark.parametrize(("name", "keys"), golden_json("checkpoint_keys.json").items())
def test_state_dict_translates_to_the_reference(name, keys):
    model = Recognizer(name, classes=973 + name.endswith("Attn"))
    ours = {reference_name(key): list(value.shape) for key, value in model.state_dict().items()}
    grid = {key for key in keys if "GridGenerator" in key}
    assert ours == {key: shape for key, shape in keys.items() if key not in grid}


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_thin_models_train_one_step_in_every_part(name):
    model = thin(name).train()
    text = torch.tensor([[0, 2, 3, 1], [0, 4, 1, 0]])
    logits = model(noise_images(40), text if model.prediction == "Attn" else None)
    steps = model.frames if model.prediction == "CTC" else 4
    assert logits.shape == (2, steps, 10)
    logits.logsumexp(dim=2).sum().backward()
    without = [key for key, p in model.named_parameters() if p.grad is None]
    assert without == []


def test_width_multiplies_every_layer_but_not_the_output():
    full = Recognizer("TPS-RCNN-BiLSTM-Attn", classes=20)
    half = Recognizer("TPS-RCNN-BiLSTM-Attn", classes=20, width=0.5)
    kept = {"head.generator.bias": 20, "transformation.localization.fc2.bias": 40}
    for (key, wide), narrow in zip(full.named_parameters(), half.parameters(), strict=True):
        if wide.dim() == 1:
            expected = kept.get(key, len(wide) // 2)
            assert len(narrow) == expected, key
    assert half.head.score.weight.shape == (1, 128)
    assert half.head.rnn.weight_ih.shape == (512, 128 + 20)


@pytest.mark.parametrize("feature", STAGES["feature"])
@given(width=st.integers(8, 200))
@settings(max_examples=12, deadline=None)
def test_frames_are_what_the_extractor_gives(feature, width):
    model = thin(f"None-{feature}-None-CTC", image_width=width, width=0.02).eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 1, 32, width)).shape == (1, model.frames, 10)


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("tps-vgg-bilstm-attn", "TPS-VGG-BiLSTM-Attn"),
        ("TPS-VGG-BiLSTM", "TPS-VGG-BiLSTM"),
        ("None-ResNet-LSTM-CTC", "None-ResNet-BiLSTM-CTC"),
        ("CRNN", "None-VGG-BiLSTM-CTC"),
        ("star-net", "TPS-ResNet-BiLSTM-CTC"),
        ("", "did you mean"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(wrong, nearest):
    with pytest.raises(OcrkitError, match=nearest):
        parse_name(wrong)


@given(st.text(max_size=30))
def test_any_other_name_is_refused_in_one_line(text):
    if text not in MODEL_NAMES:
        with pytest.raises(OcrkitError) as error:
            parse_name(text)
        assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "options", [{"classes": 1}, {"max_length": 0}, {"image_width": 4}, {"width": 0.0}]
)
def test_impossible_sizes_are_refused(options):
    with pytest.raises(OcrkitError):
        thin("None-VGG-None-CTC", **options)


def test_images_of_another_size_are_refused():
    with pytest.raises(OcrkitError, match="resize"):
        thin("None-VGG-None-CTC")(noise_images(48))


def test_initialise_follows_the_reference():
    model = thin("TPS-VGG-BiLSTM-Attn", width=0.5)
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, 7)
    initialise(model)
    for key, parameter in model.named_parameters():
        if "localization.fc2" in key:
            assert (parameter == 7).all()
        elif "bias" in key:
            assert (parameter == 0).all(), key
        elif parameter.dim() == 1:
            assert (parameter == 1).all(), key
    weight = model.features[14].weight  # 256 x 256 x 3 x 3: enough draws for a close estimate
    assert weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.01)


@pytest.mark.parametrize("name", ["TPS-ResNet-BiLSTM-Attn", "TPS-RCNN-None-CTC"])
def test_channels_last_equals_contiguous(name):
    model = thin(name).eval()
    images = noise_images(40)
    with torch.inference_mode():
        last = model(images.contiguous(memory_format=torch.channels_last))
        plain = model.to(memory_format=torch.contiguous_format)(images)
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["TPS-RCNN-BiLSTM-Attn", "TPS-ResNet-BiLSTM-CTC"])
def test_bfloat16_autocast_keeps_the_grid_in_float32(name, monkeypatch):
    model = thin(name).train()
    seen = []
    sample = torch.nn.functional.grid_sample

    def spy(images, grid, **options):
        seen.append((images.dtype, grid.dtype))
        return sample(images, grid, **options)

    monkeypatch.setattr("ocrkit.models.transformation.F.grid_sample", spy)
    images, text = noise_images(40), torch.tensor([[0, 2, 3, 1]] * 2)
    with torch.autocast("cpu", torch.bfloat16):
        low = model(images, text)
        assert model.transformation.localization(images).dtype == torch.float32
    low.float().square().mean().backward()
    assert seen == [(torch.float32, torch.float32)]
    assert low.dtype == torch.bfloat16
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
