"""Our checkpoints come back as they went; foreign and broken files end in one clear line."""

import hashlib
import json
import math
import pickle

import pytest
import torch
from reference_models import formula_state, golden_json, noise_images, thin
from safetensors.torch import load_file, save

from ocrkit.errors import OcrkitError
from ocrkit.models import (
    MODEL_NAMES,
    Recognizer,
    load_checkpoint,
    load_reference,
    save_checkpoint,
)
from ocrkit.models.reference import find_name, reference_name, save_reference

CTC_CHARSET, ATTN_CHARSET = "가나다라마바사아자", "가나다라마바사아"


def charset_of(model: Recognizer) -> str:
    return CTC_CHARSET if model.prediction == "CTC" else ATTN_CHARSET


@pytest.mark.parametrize("name", ["None-VGG-None-CTC", "TPS-RCNN-BiLSTM-Attn"])
@pytest.mark.parametrize("suffix", ["", ".safetensors", ".json"])
def test_round_trip(tmp_path, name, suffix):
    model = thin(name).to(memory_format=torch.channels_last)
    model.load_state_dict(formula_state(model))
    stem = tmp_path / "deep" / f"{name}.width0.125"
    written = save_checkpoint(model, f"{stem}{suffix}", charset_of(model), steps=2000, note="한글")
    assert written == stem.parent / f"{stem.name}.safetensors"
    assert sorted(file.name for file in stem.parent.iterdir()) == [
        f"{stem.name}.json",
        f"{stem.name}.safetensors",
    ]

    loaded, described = load_checkpoint(f"{stem}{suffix}")
    assert not loaded.training
    assert described["name"] == name
    assert described["charset"] == charset_of(model)
    assert described["info"] == {"steps": 2000, "note": "한글"}
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key
    with torch.inference_mode():
        torch.testing.assert_close(loaded(noise_images(40)), model.eval()(noise_images(40)))


def test_saving_twice_replaces_the_first(tmp_path):
    model = thin("None-VGG-None-CTC")
    save_checkpoint(model, tmp_path / "m", CTC_CHARSET, steps=1)
    save_checkpoint(model, tmp_path / "m", CTC_CHARSET, steps=2)
    assert load_checkpoint(tmp_path / "m")[1]["info"] == {"steps": 2}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_charset_of_another_size_is_refused(tmp_path):
    with pytest.raises(OcrkitError, match="classes"):
        save_checkpoint(thin("None-VGG-None-CTC"), tmp_path / "m", ATTN_CHARSET)
    assert list(tmp_path.iterdir()) == []


def _missing_json(stem):
    stem.with_suffix(".json").unlink()


def _cut_weights(stem):
    file = stem.with_suffix(".safetensors")
    file.write_bytes(file.read_bytes()[:-10])


def _no_json(stem):
    stem.with_suffix(".json").write_bytes(b"\xff{not json")


def _deep_json(stem):
    stem.with_suffix(".json").write_text("[" * 100_000)


def _list_json(stem):
    stem.with_suffix(".json").write_text("[]")


def _nan_weights(stem):
    state = load_file(stem.with_suffix(".safetensors"))
    state["head.bias"][0] = math.nan
    weights = save(state)
    stem.with_suffix(".safetensors").write_bytes(weights)
    _edit(weights_sha256=hashlib.sha256(weights).hexdigest())(stem)


def _edit(**changes):
    def edit(stem):
        file = stem.with_suffix(".json")
        file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes))

    return edit


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_missing_json, "is missing"),
        (_cut_weights, "damaged"),
        (_no_json, "is broken"),
        (_edit(format=99), "update ocrkit"),
        (_edit(format=None), "format: should be a valid integer"),
        (_edit(name="None-VGG-None-CTX"), "did you mean"),
        (_edit(name="TPS-VGG-None-CTC"), "does not describe"),
        (_edit(width=0.25), "does not describe"),
        (_edit(charset="가나"), "classes"),
        (_edit(charset=None), "charset: should be a valid string"),
        (_edit(classes="many"), "classes: should be a valid integer"),
        (_edit(weights_sha256="0"), "damaged or belongs to another"),
        (_edit(format=float("inf")), "format: "),
        (_edit(image_width=3.5), "image_width: "),
        (_edit(image_width=2**31), "image_width: "),
        (_edit(width=float("inf")), "width: "),
        (_edit(width=float("nan")), "width: "),
        (_edit(info=[]), "info: should be a valid dictionary"),
        (_deep_json, "is broken"),
        (_list_json, "the whole file: should be a valid dictionary"),
        (_nan_weights, "head.bias holds NaN or infinite numbers"),
    ],
)
def test_damage_is_told_in_one_line(tmp_path, damage, words):
    stem = tmp_path / "model"
    save_checkpoint(thin("None-VGG-None-CTC"), stem, CTC_CHARSET)
    damage(stem)
    with pytest.raises(OcrkitError, match=words) as error:
        load_checkpoint(stem)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_no_numbers_are_not_saved(tmp_path, bad, refused):
    model = thin("None-VGG-None-CTC")
    with torch.no_grad():
        model.head.bias[1] = bad
    with refused("m: head.bias holds NaN or infinite numbers"):
        save_checkpoint(model, tmp_path / "m", CTC_CHARSET)
    assert list(tmp_path.iterdir()) == []


def test_the_head_that_only_training_needs_is_not_saved(tmp_path):
    model = thin("None-VGG-None-Attn")
    model.auxiliary = torch.nn.Linear(64, 9)
    save_checkpoint(model, tmp_path / "m", ATTN_CHARSET)
    assert load_checkpoint(tmp_path / "m")[0].auxiliary is None
    save_reference(model, tmp_path / "m.pth")
    assert not any("auxiliary" in key for key in torch.load(tmp_path / "m.pth"))


def reference_file(path, name: str, charset: str, prefix: str = "", **changes) -> dict:
    """Write a made-up .pth file of the reference framework; returns its tensors by our names."""
    classes = len(charset) + (1 if name.endswith("CTC") else 2)
    state = formula_state(Recognizer(name, classes=classes))
    stored = {prefix + reference_name(key): value for key, value in state.items()}
    if name.startswith("TPS"):
        grid = f"{prefix}Transformation.GridGenerator."
        stored |= {grid + "inv_delta_C": torch.zeros(23, 23), grid + "P_hat": torch.ones(3200, 23)}
    torch.save(stored | changes, path)
    return state


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("name", ["TPS-VGG-BiLSTM-Attn", "None-RCNN-BiLSTM-CTC"])
def test_reference_checkpoints_load(tmp_path, name, prefix):
    path = tmp_path / "best_accuracy.pth"
    state = reference_file(path, name, "가나다", prefix)
    model = load_reference(path, charset="가나다")
    assert not model.training
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_a_width_that_nobody_gives_is_told(tmp_path, recwarn):
    path = tmp_path / "best_accuracy.pth"
    reference_file(path, "None-RCNN-None-CTC", "가나다")
    with pytest.warns(UserWarning, match="how wide its images were: 100 pixels are taken"):
        assert load_reference(path, charset="가나다").image_width == 100
    recwarn.clear()
    assert load_reference(path, charset="가나다", image_width=64).image_width == 64
    assert not recwarn.list


def test_a_grid_of_another_width_is_rebuilt_with_a_warning(tmp_path):
    path = tmp_path / "best_accuracy.pth"
    reference_file(path, "TPS-RCNN-None-CTC", "가나다")
    with pytest.warns(UserWarning, match="100 pixels wide, and is used at 400"):
        model = load_reference(path, charset="가나다", image_width=400)
    with torch.inference_mode():
        assert model(noise_images(400)).shape == (2, 101, 4)


def test_every_golden_key_and_shape_loads(tmp_path):
    name = "TPS-VGG-BiLSTM-Attn"
    keys = golden_json("checkpoint_keys.json")[name]
    torch.save({f"module.{key}": torch.ones(shape) for key, shape in keys.items()}, tmp_path / "m")
    charset = "".join(chr(0xAC00 + i) for i in range(972))
    model = load_reference(tmp_path / "m", charset=charset, image_width=400)
    assert all((value == 1).all() for value in model.state_dict().values())


@pytest.mark.parametrize("name", ["TPS-VGG-BiLSTM-Attn", "TPS-ResNet-None-CTC"])
def test_an_export_has_the_references_keys_and_shapes(tmp_path, name):
    keys = golden_json("checkpoint_keys.json")[name]
    model = Recognizer(name, classes=973 + name.endswith("Attn"), image_width=400)
    save_reference(model, tmp_path / "m.pth")
    stored = torch.load(tmp_path / "m.pth", weights_only=True)
    found = {key.removeprefix("module."): list(value.shape) for key, value in stored.items()}
    assert all(key.startswith("module.") for key in stored)
    assert found == keys
    assert all(value.dtype in (torch.float32, torch.int64) for value in stored.values())


@pytest.mark.parametrize("name", ["TPS-RCNN-BiLSTM-Attn", "None-VGG-None-CTC"])
def test_an_export_loads_as_a_reference_checkpoint(tmp_path, name):
    model = Recognizer(name, classes=5 if name.endswith("Attn") else 4)
    model.load_state_dict(formula_state(model))
    path = save_reference(model, tmp_path / "m.pth")
    loaded = load_reference(path, charset="가나다")
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key


def test_the_exported_grid_is_the_references(tmp_path):
    """Straightening written out as the reference does it: P_hat (inv_delta_C [C'; 0])."""
    model = Recognizer("TPS-VGG-None-CTC", classes=4, image_width=40).eval()
    stored = torch.load(save_reference(model, tmp_path / "m.pth"), weights_only=True)
    grid = {key.split(".")[-1]: value for key, value in stored.items() if "GridGenerator" in key}
    fiducials = torch.randn(2, 20, 2, generator=torch.Generator().manual_seed(0))
    padded = torch.cat([fiducials, torch.zeros(2, 3, 2)], dim=1)
    points = grid["P_hat"] @ (grid["inv_delta_C"] @ padded)
    ours = model.transformation.grid(fiducials).flatten(1, 2)
    torch.testing.assert_close(points, ours, atol=2e-3, rtol=0)


def test_a_thin_model_and_the_reference(tmp_path, refused):
    """Output channels and hidden size are options of the framework; the TPS's are not."""
    thin_one = thin("None-RCNN-BiLSTM-Attn")
    path = save_reference(thin_one, tmp_path / "m.pth")
    sizes = {"max_length": 3, "image_width": 40}
    loaded = load_reference(path, charset=ATTN_CHARSET, **sizes)
    assert torch.equal(loaded.head.generator.weight, thin_one.head.generator.weight)
    with refused("has 0.125 times the reference's channels"):
        save_reference(thin("TPS-VGG-None-CTC"), tmp_path / "m.pth")


def _nan(path):
    reference_file(
        path, "None-VGG-None-CTC", "가나다", **{"Prediction.bias": torch.full((4,), math.nan)}
    )


class Malice:
    """Unpickled, it would write a file."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def _malice(path):
    torch.save({"Prediction.weight": Malice(path.parent / "owned")}, path)


def _bare_pickle(path):
    path.write_bytes(pickle.dumps(Malice(path.parent / "owned"), protocol=2))


def _garbage(path):
    path.write_bytes(b"\x00\x01 not a checkpoint")


def _whole_model(path):
    torch.save(thin("None-VGG-None-CTC"), path)


def _list(path):
    torch.save([torch.zeros(1)], path)


def _other_charset(path):
    reference_file(path, "None-VGG-None-CTC", "가나다라")


def _other_shape(path):
    changes = {"FeatureExtraction.ConvNet.0.weight": torch.zeros(64, 3, 3, 3)}
    reference_file(path, "None-VGG-None-CTC", "가나다", **changes)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "is missing"),
        (_malice, "more than weights"),
        (_bare_pickle, "more than weights"),
        (_garbage, "damaged"),
        (_whole_model, "more than weights"),
        (_list, "no state dict"),
        (_other_charset, "5 classes but this charset makes 4"),
        (_other_shape, "give a file of the reference framework"),
        (_nan, "head.bias holds NaN"),
    ],
)
def test_unfit_reference_files_are_refused_and_run_nothing(tmp_path, make, words):
    path = tmp_path / "m.pth"
    make(path)
    with pytest.raises(OcrkitError, match=words) as error:
        load_reference(path, charset="가나다")
    assert len(str(error.value).splitlines()) == 1
    assert not (tmp_path / "owned").exists()


def test_half_a_checkpoint_reads_nearly_the_same(tmp_path):
    model = thin("TPS-VGG-BiLSTM-CTC").eval()
    whole = save_checkpoint(model, tmp_path / "whole", CTC_CHARSET)
    half = save_checkpoint(model, tmp_path / "half", CTC_CHARSET, half=True)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    loaded, _ = load_checkpoint(half)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    with torch.inference_mode():
        ours, theirs = loaded(noise_images(40)), model(noise_images(40))
    assert (ours - theirs).norm() < 0.02 * theirs.norm()


def test_the_names_of_its_tensors_tell_which_of_the_24_a_file_is():
    for name in MODEL_NAMES:
        with torch.device("meta"):
            model = Recognizer(name, classes=9, width=0.1)
        assert find_name("m.pth", map(reference_name, model.state_dict())) == name


@pytest.mark.parametrize("name", ["None-VGG-None-CTC", "None-RCNN-BiLSTM-Attn", "TPS-VGG-None-CTC"])
def test_a_reference_file_tells_its_model(tmp_path, name):
    width = 1.0 if name.startswith("TPS") else 0.125
    torch.manual_seed(0)
    classes = 4 if name.endswith("CTC") else 5
    model = Recognizer(name, classes=classes, image_width=64, width=width)
    loaded = load_reference(save_reference(model, tmp_path / "m.pth"), charset="가나다")
    assert (loaded.name, loaded.width) == (name, width)
    assert loaded.image_width == (64 if name.startswith("TPS") else 100)


def test_a_file_of_none_of_the_24_is_named(tmp_path, refused):
    torch.save({"module.conv.weight": torch.zeros(3, 3)}, tmp_path / "m.pth")
    with refused("m.pth has the tensors of none of the 24 models"):
        load_reference(tmp_path / "m.pth", charset="가나다")
