"""Training on own sets: what is refused, what is written, and going on after a stop."""

import json
from dataclasses import replace
from functools import partial

import pytest
import torch
from own_sets import CHARSET, own_set, picture, words

from ocrkit.data.cache import resize
from ocrkit.data.store import ImageSet, Item, write_set
from ocrkit.experiments.own import OWN_RECIPE, find_charset, preset_charset, train_own
from ocrkit.experiments.presets import get_preset
from ocrkit.models import Recognizer, load_checkpoint, save_checkpoint
from ocrkit.models.transfer import load_start
from ocrkit.reading import Reader
from ocrkit.training import Trainer
from ocrkit.training.distributed import World
from ocrkit.training.trainer import ReadingTask

CTC, ATTN = "None-VGG-BiLSTM-CTC", "TPS-RCNN-None-Attn"
RECIPE = replace(OWN_RECIPE, steps=6, batch_size=4, validate_every=2, precision="fp32")


@pytest.fixture
def sets(tmp_path):
    """Two training sets and a validation set, 64 x 32, with spaces in some labels."""
    paths = [tmp_path / name for name in ("mine", "drawn", "valid")]
    own_set(paths[0], words(9, seed=1))
    own_set(paths[1], [f"{w[0]} {w[1:]}" for w in words(7, seed=2)], first=100)
    own_set(paths[2], words(5, seed=3), first=200)
    return paths


def train(sets, folder, model=CTC, **changes):
    settings = {
        "charset": CHARSET,
        "image_width": 64,
        "width": 0.05,
        "max_length": 4,
        "recipe": RECIPE,
        "seed": 3,
        "folder": folder,
        "device": "cpu",
    }
    return train_own(sets[:2], sets[2], model, **{**settings, **changes})


@pytest.mark.parametrize("model", [CTC, ATTN])
def test_a_trained_checkpoint_reads(sets, tmp_path, model):
    steps = []
    checkpoint = train(sets, tmp_path / "run", model, watch=lambda p: steps.append(p.step))
    assert steps == list(range(1, 7))
    reader = Reader(checkpoint)
    assert reader.charset == CHARSET
    assert (reader.model.image_width, reader.model.width) == (64, 0.05)
    assert reader.info["info"]["trained_on"] == ["mine", "drawn"]
    told = json.loads((tmp_path / "run" / "own.json").read_text(encoding="utf-8"))
    assert [row["step"] for row in told["history"]] == [2, 4, 6]
    # The state of the optimiser is of no more use.
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        f"{model}.json",
        f"{model}.safetensors",
        "own.json",
    ]


def test_every_batch_has_equal_parts_of_each_set(sets, tmp_path, monkeypatch):
    seen = []

    def run(self, watch):
        seen.append((self.batches.indices(0), self.recipe.batch_size))
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "run", run)
    with pytest.raises(KeyboardInterrupt):
        train(sets, tmp_path / "run", recipe=replace(RECIPE, batch_size=5))
    (parts, size) = seen[0]
    assert size == 6  # 5 do not divide by two sets
    assert [len(part) for part in parts] == [3, 3]


@pytest.mark.parametrize(("asked", "taken"), [(5, 6), (6, 6), (7, 12)])
def test_every_process_has_an_equal_part_of_each_batch(sets, tmp_path, monkeypatch, asked, taken):
    seen = []

    def new_trainer(*what, **_):
        seen.append(what[5].batch_size)
        raise KeyboardInterrupt

    monkeypatch.setattr("ocrkit.experiments.own.new_trainer", new_trainer)
    monkeypatch.setattr(World, "barrier", lambda self: None)
    recipe = replace(RECIPE, batch_size=asked)
    with pytest.raises(KeyboardInterrupt):  # two sets on three processes
        train(sets, tmp_path / "run", recipe=recipe, world=World(0, 3))
    assert seen == [taken]


def test_a_set_on_its_own_without_validation(sets, tmp_path):
    checkpoint = train_own(
        sets[:1],
        None,
        CTC,
        charset=CHARSET,
        image_width=64,
        width=0.05,
        recipe=RECIPE,
        folder=tmp_path / "run",
    )
    assert Reader(checkpoint).info["info"]["step"] == 6


@pytest.mark.parametrize("stop_at", [1, 4, 5])
def test_stopped_and_started_again_it_ends_the_same(sets, tmp_path, monkeypatch, stop_at):
    whole, _ = load_checkpoint(train(sets, tmp_path / "whole"))
    # A checkpoint after every step.
    monkeypatch.setattr("ocrkit.experiments.setup.Trainer", partial(Trainer, save_every=0.0))

    def stop(progress) -> None:
        if progress.step == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(sets, tmp_path / "stopped", watch=stop)
    assert not (tmp_path / "stopped" / "own.json").exists()
    steps = []
    again = train(sets, tmp_path / "stopped", watch=lambda p: steps.append(p.step))
    # The step at which it stopped was not saved; those before were.
    assert steps == list(range(stop_at, 7))
    model, _ = load_checkpoint(again)
    for key, value in whole.state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key


def test_the_best_of_the_validations_is_kept(sets, tmp_path, monkeypatch):
    accuracies = iter([10.0, 30.0, 20.0])

    monkeypatch.setattr(ReadingTask, "validate", lambda *_: {"valid_accuracy": next(accuracies)})
    info = Reader(train(sets, tmp_path / "run")).info["info"]
    assert (info["step"], info["valid_accuracy"]) == (4, 30.0)


def test_a_finished_run_is_not_trained_again(sets, tmp_path, refused):
    first = train(sets, tmp_path / "run")
    steps = []
    assert train(sets, tmp_path / "run", watch=steps.append) == first
    assert steps == []
    with refused("finished training with another seed: choose another folder"):
        train(sets, tmp_path / "run", seed=4)
    with refused("with another model, width:"):
        train(sets, tmp_path / "run", ATTN, width=0.06)
    first.with_name(f"{CTC}.safetensors").write_bytes(b"damaged")
    train(sets, tmp_path / "run", watch=steps.append)
    assert len(steps) == 6
    Reader(first)


def test_what_is_trained_on_padded_images_reads_padded_images(sets, tmp_path, monkeypatch, refused):
    image = tmp_path / "narrow.png"
    image.write_bytes(picture(1, 32, 32))
    read = []
    monkeypatch.setattr(
        "ocrkit.reading.resize", lambda *args: read.append(args[3]) or resize(*args)
    )
    for pad in (False, True):
        checkpoint = train(sets, tmp_path / f"{pad}", pad=pad)
        Reader(checkpoint).read(image)
        Reader(checkpoint, pad=not pad).read(image)
        assert (sets[0] / f"pixels-32x64{'-pad' if pad else ''}.npy").exists()
    assert read == [False, True, True, False]
    with refused("finished training with another pad: choose another folder"):
        train(sets, tmp_path / "True")
    with refused("finished training with another pad: choose another folder"):
        train(sets, tmp_path / "False", pad=True)


def test_what_would_fail_is_refused_before_anything_is_written(sets, tmp_path, refused):
    folder = tmp_path / "run"
    with refused(r"frames: 16 of 16 labels \(100.0 %\) .*; what to do: --image-width 16"):
        train(sets, folder, image_width=8)
    with refused("charset: .* 1 characters that the charset of 9 lacks: 차"):
        train(sets, folder, charset=CHARSET[:-1])
    with refused("length: 16 of 16 .*attention cannot be trained.*--max-length 3"):
        train(sets, folder, ATTN, max_length=2)
    with refused("valid: same images: 9 of 9"):
        train([*sets[:2], sets[0]], folder)
    with refused("did you mean"):
        train(sets, folder, "TPS-VG-None-CTC")
    with refused("unknown device"):
        train(sets, folder, device="abacus")
    with refused("gone is missing"):
        train([tmp_path / "gone", *sets[1:]], folder)
    with refused("nothing to train on"):
        train_own([], None, CTC, charset=CHARSET, image_width=64, folder=folder)
    assert not folder.exists()


def test_a_validation_label_that_cannot_be_encoded_is_refused_first(sets, tmp_path, refused):
    own_set(sets[2], ["뷁", "가"], first=300)
    with refused(r"valid: charset: 1 of 2 labels .* 뷁"):
        train(sets, tmp_path / "run")


def test_validation_labels_too_long_for_the_frames_are_refused_first(sets, tmp_path, refused):
    own_set(sets[2], ["가나다라" * 9, "가"], first=300)
    with refused(r"valid: frames: 1 of 2 labels"):
        train(sets, tmp_path / "run", max_length=40)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_found_out_first(sets, tmp_path, refused, monkeypatch):
    monkeypatch.setattr(Trainer, "run", None)
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with refused(f"cannot write {folder}: "):
            train(sets, folder)


def test_broken_images_are_left_out_and_told(sets, tmp_path):
    items = [Item(picture(i), w) for i, w in enumerate(words(6))]
    write_set(sets[0], [*items, Item(b"no picture", "가")], verify=False)
    train(sets, tmp_path / "run")
    told = json.loads((tmp_path / "run" / "own.json").read_text(encoding="utf-8"))
    [[index, reason]], none = told["broken_images"]
    assert index == 6
    assert reason.startswith("the image does not decode: this is no picture file")
    assert none == []


def test_charsets_by_choice(sets, tmp_path, refused):
    images = [ImageSet(path) for path in sets]
    assert find_charset("data", images) == CHARSET
    assert len(find_charset("ksx1001", images)) == 2350
    assert len(find_charset("972", [])) == 972
    listed = tmp_path / "mine.txt"
    listed.write_text("\ufeff나 가\n다가\n", encoding="utf-8")
    assert find_charset(str(listed), images) == "가나다"
    save_checkpoint(
        Recognizer(CTC, classes=4, image_width=64, width=0.05), tmp_path / "m", "다가나"
    )
    assert find_charset(str(tmp_path / "m.json"), images) == "가나다"
    (tmp_path / "list.json").write_text('["가", "나"]')
    with refused("list.json is of another shape"):
        find_charset(str(tmp_path / "list.json"), images)
    with refused("no charset '2350': choose data, 972, ksx1001 or a text file"):
        find_charset("2350", images)
    for encoding in ("cp949", "utf-16"):
        listed.write_bytes("다가".encode(encoding))
        assert find_charset(str(listed), images) == "가다"
    listed.write_bytes(b"\xff\x00")
    with refused("save it as UTF-8"):
        find_charset(str(listed), images)
    listed.write_text(" \n")
    with refused("no characters"):
        find_charset(str(listed), images)


def test_a_preset_s_charset_needs_no_drawing():
    assert len(preset_charset(get_preset("mini"))) == 80
    assert len(preset_charset(get_preset("paper-v2"))) == 972


# From trained weights


@pytest.fixture
def trained(sets, tmp_path):
    return load_start(train(sets, tmp_path / "first"))


def test_training_goes_on_from_another_models_weights(sets, tmp_path, trained, monkeypatch):
    charset, first = f"{CHARSET}카", []
    monkeypatch.setattr(
        ReadingTask, "loss", lambda task, model, step: first.append(model.state_dict()) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        train(sets, tmp_path / "second", charset=charset, start=trained)
    before = trained.model.state_dict()
    assert set(before) == {key for key in first[0] if not key.startswith("auxiliary")}
    for key, value in before.items():
        kept = first[0][key][: len(value)] if key.startswith("head") else first[0][key]
        assert torch.equal(kept, value), key


def test_a_stopped_fine_tuning_goes_on_and_ends_the_same(sets, tmp_path, trained, monkeypatch):
    whole, _ = load_checkpoint(train(sets, tmp_path / "whole", start=trained))
    monkeypatch.setattr("ocrkit.experiments.setup.Trainer", partial(Trainer, save_every=0.0))
    with pytest.raises(KeyboardInterrupt):
        train(sets, tmp_path / "stopped", watch=interrupt, start=trained)
    model, _ = load_checkpoint(train(sets, tmp_path / "stopped", start=trained))
    for key, value in whole.state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key


def test_a_run_from_other_weights_is_another_run(sets, tmp_path, trained, refused, monkeypatch):
    other = replace(trained, model=load_checkpoint(train(sets, tmp_path / "o", seed=9))[0])
    train(sets, tmp_path / "run", start=trained)
    for start in (other, None):
        with refused("finished training with another from: choose another folder"):
            train(sets, tmp_path / "run", start=start)
    monkeypatch.setattr("ocrkit.experiments.setup.Trainer", partial(Trainer, save_every=0.0))
    with pytest.raises(KeyboardInterrupt):
        train(sets, tmp_path / "half", start=trained, watch=interrupt)
    with refused(r"is of another run \(other from\)"):
        train(sets, tmp_path / "half", start=other)


def interrupt(progress) -> None:
    if progress.step == 4:
        raise KeyboardInterrupt


def test_what_would_overwrite_its_own_start_is_refused(sets, tmp_path, trained, refused):
    with refused("would take the place of .*first/None-VGG-BiLSTM-CTC, from which it starts"):
        train(sets, tmp_path / "first", start=trained)
    with refused("not a TPS-RCNN-None-Attn"):
        train(sets, tmp_path / "x", ATTN, start=trained)
    assert not (tmp_path / "x").exists()
