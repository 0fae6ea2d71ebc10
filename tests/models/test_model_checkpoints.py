"""Our checkpoints come back as they went; foreign and broken files end in one clear line."""

import json
import pickle

import pytest
import torch
from reference_models import formula_state, golden_json, noise_images, thin

from ocrkit.errors import OcrkitError
from ocrkit.models import Recognizer, load_checkpoint, load_reference, save_checkpoint
from ocrkit.models.checkpoints import reference_name

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
        (_no_json, "no checkpoint description"),
        (_edit(format=99), "update ocrkit"),
        (_edit(format=None), "no checkpoint description"),
        (_edit(name="None-VGG-None-CTX"), "did you mean"),
        (_edit(name="TPS-VGG-None-CTC"), "does not describe"),
        (_edit(width=0.25), "does not describe"),
        (_edit(charset="가나"), "classes"),
        (_edit(charset=None), "does not describe"),
        (_edit(classes="many"), "does not describe"),
        (_edit(weights_sha256="0"), "damaged or belongs to another"),
    ],
)
def test_damage_is_told_in_one_line(tmp_path, damage, words):
    stem = tmp_path / "model"
    save_checkpoint(thin("None-VGG-None-CTC"), stem, CTC_CHARSET)
    damage(stem)
    with pytest.raises(OcrkitError, match=words) as error:
        load_checkpoint(stem)
    assert len(str(error.value).splitlines()) == 1


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
    model = load_reference(path, name, charset="가나다")
    assert not model.training
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_a_grid_of_another_width_is_rebuilt_with_a_warning(tmp_path):
    path = tmp_path / "best_accuracy.pth"
    reference_file(path, "TPS-RCNN-None-CTC", "가나다")
    with pytest.warns(UserWarning, match="100 pixels wide, and is used at 400"):
        model = load_reference(path, "TPS-RCNN-None-CTC", charset="가나다", image_width=400)
    with torch.inference_mode():
        assert model(noise_images(400)).shape == (2, 101, 4)


def test_every_golden_key_and_shape_loads(tmp_path):
    name = "TPS-VGG-BiLSTM-Attn"
    keys = golden_json("checkpoint_keys.json")[name]
    torch.save({f"module.{key}": torch.ones(shape) for key, shape in keys.items()}, tmp_path / "m")
    charset = "".join(chr(0xAC00 + i) for i in range(972))
    model = load_reference(tmp_path / "m", name, charset=charset, image_width=400)
    assert all((value == 1).all() for value in model.state_dict().values())


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


def _other_model(path):
    reference_file(path, "None-RCNN-None-CTC", "가나다")


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
        (_other_model, "check the model's name"),
        (_other_charset, "5 classes but this charset makes 4"),
        (_other_shape, "check the model's name"),
    ],
)
def test_unfit_reference_files_are_refused_and_run_nothing(tmp_path, make, words):
    path = tmp_path / "m.pth"
    make(path)
    with pytest.raises(OcrkitError, match=words) as error:
        load_reference(path, "None-VGG-None-CTC", charset="가나다")
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
