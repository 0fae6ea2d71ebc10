"""Trained weights under other characters: what is kept, and what cannot be begun with."""

import json

import pytest
import torch

from ocrkit.labels import CTCLabels
from ocrkit.models import Recognizer, load_reference, save_checkpoint
from ocrkit.models.reference import save_reference
from ocrkit.models.transfer import Start, carry_over, load_model, load_start
from ocrkit.training.losses import make_converter

CTC, ATTN = "None-VGG-BiLSTM-CTC", "TPS-VGG-None-Attn"
OLD, NEW = "가나다라", "라마가"


def made(name: str, charset: str, seed: int = 0, **sizes) -> Recognizer:
    torch.manual_seed(seed)
    classes = make_converter(name.split("-")[-1], charset, 5).classes
    sizes = {"max_length": 5, "image_width": 32, "width": 0.05, **sizes}
    return Recognizer(name, classes=classes, **sizes).eval()


@pytest.mark.parametrize("name", [CTC, ATTN])
def test_a_kept_character_has_the_score_it_had_and_a_new_one_another(name, tmp_path):
    old, new = made(name, OLD), made(name, NEW, seed=1, max_length=7)
    carry_over(Start(tmp_path, old, OLD), new, NEW)
    special = 1 if name == CTC else 2
    images = torch.rand(2, 1, 32, 32)
    # Attention is told a character that both know, which is another id in each.
    texts = [None, None]
    if name == ATTN:
        told = [make_converter("Attn", charset, 5).encode(["가라"])[0] for charset in (OLD, NEW)]
        texts = [ids[:, :-1].expand(2, -1) for ids in told]
        new.max_length = old.max_length
    with torch.inference_mode():
        before, after = (m(images, t) for m, t in zip((old, new), texts, strict=True))
    for i, c in enumerate(NEW):
        same = c in OLD and torch.allclose(
            before[..., special + OLD.index(c)], after[..., special + i], atol=1e-6
        )
        assert same == (c in OLD), c
    torch.testing.assert_close(before[..., :special], after[..., :special])


def test_the_same_characters_in_another_order_say_the_same(tmp_path):
    old, turned = made(CTC, OLD), OLD[::-1]
    new = made(CTC, turned, seed=1)
    carry_over(Start(tmp_path, old, OLD), new, turned)
    images = torch.rand(4, 1, 32, 32)
    with torch.inference_mode():
        said = [CTCLabels(c).decode(m(images).argmax(2)) for m, c in ((old, OLD), (new, turned))]
    assert said[0] == said[1]


def test_how_much_is_kept_is_said_in_a_line(tmp_path):
    said = Start(tmp_path / "m", made(CTC, OLD), OLD).kept(NEW, 32)
    # Seven convolutions, two norms, two LSTMs with a linear layer each, the head.
    assert said == (
        f"from {tmp_path / 'm'}: all 14 layers are kept, 2 characters of 3 are known, 1 start anew"
    )
    assert (
        Start(tmp_path, made(CTC, OLD), OLD)
        .kept(OLD, 64)
        .endswith("4 characters of 4 are known; its images were 32 pixels wide, these are 64")
    )


def test_a_start_from_either_kind_of_file_is_the_same_run(tmp_path):
    model = made(CTC, OLD)
    save_checkpoint(model, tmp_path / "m", OLD, pad=True)
    save_reference(model, tmp_path / "m.pth")
    ours, theirs = load_start(tmp_path / "m"), load_start(tmp_path / "m.pth", OLD)
    assert ours.pad
    assert ours.digest == theirs.digest
    assert ours.digest != load_start(tmp_path / "m.pth", OLD[::-1]).digest
    assert ours.digest != Start(tmp_path, made(CTC, OLD, seed=1), OLD).digest


def test_what_cannot_be_begun_with(tmp_path, refused):
    model = made(CTC, OLD)
    save_checkpoint(model, tmp_path / "m", OLD)
    save_reference(model, tmp_path / "m.pth")
    start = load_start(tmp_path / "m")
    with refused("is a None-VGG-BiLSTM-CTC, not a TPS-VGG-None-Attn: leave the model's name out"):
        start.check(ATTN, 0.05)
    with refused(r"has layers of width 0.05, not 0.25: leave --width out"):
        start.check(CTC, 0.25)
    with refused("reads images 64 pixels high, and training makes them 32"):
        Start(tmp_path, made(CTC, OLD, image_height=64), OLD).check(CTC, 0.05)
    with refused("gone.pth is missing"):
        load_model(tmp_path / "gone.pth")
    with refused("m.pth does not hold its characters: .* --from-charset FILE"):
        load_start(tmp_path / "m.pth")
    with refused("knows its own characters and sizes: --from-charset"):
        load_start(tmp_path / "m", OLD)
    with refused("has 5 classes but this charset makes 3"):
        load_start(tmp_path / "m.pth", "가나")
    with refused("is missing"):
        load_start(tmp_path / "gone")
    (tmp_path / "junk.pth").write_bytes(b"junk")
    with refused("junk.pth is damaged or holds more than weights"):
        load_start(tmp_path / "junk.pth", OLD)
    note = json.loads((tmp_path / "m.json").read_text(encoding="utf-8"))
    (tmp_path / "m.json").write_text(json.dumps(note | {"charset": 3}), encoding="utf-8")
    with refused("m.json is of another shape: charset"):
        load_start(tmp_path / "m")
    model.head.bias.data[0] = torch.nan
    torch.save({f"module.{k}": v for k, v in model.state_dict().items()}, tmp_path / "nan.pth")
    with refused("has the tensors of none"):
        load_reference(tmp_path / "nan.pth", charset=OLD)
    save_reference(model, tmp_path / "nan.pth")
    with refused(r"nan.pth: head.bias holds NaN"):
        load_start(tmp_path / "nan.pth", OLD)
