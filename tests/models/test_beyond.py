"""Options that came after the paper: Transformer, SVTR, and the heads JamoCTC and PARSeq."""

import importlib.util

import numpy as np
import pytest
import torch
from reference_models import noise_images

from ocrkit.data.cache import to_input
from ocrkit.errors import OcrkitError
from ocrkit.experiments.grid import grid
from ocrkit.hangul import compose, decompose, to_jamo
from ocrkit.models import MODEL_NAMES, Recognizer, load_checkpoint, parse_name, save_checkpoint
from ocrkit.models.jamo import SYLLABLES, JamoCTC, jamo_charset
from ocrkit.models.parseq import ORDERS
from ocrkit.models.prediction import WRITING
from ocrkit.models.recognizer import options, orthogonal_start
from ocrkit.models.reference import save_reference
from ocrkit.models.sequence import WINDOW, MixingBlock, positions, svtr, transformer
from ocrkit.models.transfer import Start, carry_over
from ocrkit.onnx_files import save_recognizer
from ocrkit.reading import Reader
from ocrkit.training.losses import check_labels, ctc_loss, make_converter, training_loss
from ocrkit.training.predict import read_all

CHARSET = "가나다라마각"
NEW = [
    "None-VGG-Transformer-CTC",
    "TPS-VGG-SVTR-Attn",
    "None-VGG-None-JamoCTC",
    "None-RCNN-BiLSTM-JamoCTC",
    "None-VGG-SVTR-JamoCTC",
    "None-VGG-BiLSTM-PARSeq",
]


def made(name: str, charset: str = CHARSET, seed: int = 0, **sizes) -> Recognizer:
    """A thin model in eval mode; its weights depend on the seed alone."""
    torch.manual_seed(seed)
    classes = make_converter(parse_name(name).prediction, charset, 3).classes
    sizes = {"max_length": 3, "image_width": 40, "width": 0.125, **sizes}
    return Recognizer(name, classes=classes, **sizes).eval()


def test_the_paper_s_24_stay_the_24_and_the_others_have_names():
    assert len(MODEL_NAMES) == 24 == len(grid())
    assert not set(NEW) & set(MODEL_NAMES)
    assert [run.model for run in grid(tuple(NEW))] == NEW
    assert sum(len(names) for names in options().values()) == 2 + 3 + 4 + 4
    with pytest.raises(OcrkitError, match="did you mean TPS-VGG-SVTR-JamoCTC"):
        parse_name("tps-vgg-svtr-jamoctc")


@pytest.mark.parametrize("name", NEW)
def test_shapes_and_gradients(name):
    model = made(name).train()
    text = torch.tensor([[0, 2, 3, 1], [0, 4, 1, 0]])
    logits = model(noise_images(40), text if model.prediction in WRITING else None)
    steps = {"Attn": 4, "PARSeq": ORDERS * 4}.get(model.prediction, model.frames)
    assert logits.shape == (2, steps, model.classes)
    logits[..., :50].square().sum().backward()
    assert [key for key, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", NEW)
def test_a_checkpoint_says_what_was_saved(name, tmp_path):
    model, converter = made(name), make_converter(parse_name(name).prediction, CHARSET, 3)
    save_checkpoint(model, tmp_path / name, converter.charset)
    again, described = load_checkpoint(tmp_path / name)
    assert described["charset"] == converter.charset
    with torch.inference_mode():
        torch.testing.assert_close(again(noise_images(40)), model(noise_images(40)))
    reader = Reader(tmp_path / name)
    assert reader.converter.charset == converter.charset
    if name.endswith("JamoCTC"):
        assert "knows 11172 syllables" in reader.limits()
        assert "up to 3" in reader.limits()


def test_weights_are_as_many_as_the_bilstm_has():
    def count(name: str) -> int:
        with torch.device("meta"):
            return Recognizer(name, classes=81, width=0.25).stage_parameters()["sequence"]

    bilstm = count("None-VGG-BiLSTM-CTC")
    assert bilstm == 182_400
    assert count("None-VGG-Transformer-CTC") == 183_104
    assert count("None-VGG-SVTR-CTC") == 175_296
    assert sum(p.numel() for p in JamoCTC(128, 11_173).parameters()) == 69 * 129


def test_a_local_block_sees_its_window_and_a_global_one_all():
    torch.manual_seed(0)
    frames = torch.randn(1, 21, 64)
    moved = frames.clone()
    moved[0, 10] = torch.randn(64)
    for window, reach in ((WINDOW, WINDOW // 2), (None, 10)):
        block = MixingBlock(64, 3, window)
        changed = (block(moved) - block(frames)).abs().amax(2)[0] > 1e-6
        expected = [abs(t - 10) <= reach for t in range(21)]
        assert changed.tolist() == expected


@pytest.mark.parametrize("make", [transformer, svtr])
def test_frames_know_where_they_stand_at_any_width(make):
    torch.manual_seed(0)
    for hidden in (13, 64, 77):
        same = torch.ones(1, 9, 20)  # nothing but the place tells these frames apart
        out = make(20, hidden)(same)
        assert out.shape == (1, 9, hidden)
        assert (out[0, 1:] - out[0, :-1]).abs().amax(1).min() > 1e-4
    assert positions(9, 13).shape == (9, 13)


def test_a_syllable_is_as_likely_as_its_letters_together():
    torch.manual_seed(0)
    head = JamoCTC(8, 1 + len(SYLLABLES) + 2)
    frames = torch.randn(1, 3, 8)
    scores = frames @ head.weight.T + head.bias
    p = head(frames).softmax(2)
    ink = scores[..., [0, -2, -1]].exp()
    not_blank = 1 / (1 + ink.sum(2))
    lead, vowel, tail = (s.softmax(2) for s in scores[..., 1:-2].split([19, 21, 28], dim=2))
    for syllable, (i, j, k) in {"가": (0, 0, 0), "닭": (3, 0, 9), "힣": (18, 20, 27)}.items():
        product = not_blank * lead[..., i] * vowel[..., j] * tail[..., k]
        torch.testing.assert_close(p[..., 1 + SYLLABLES.index(syllable)], product)
    torch.testing.assert_close(p[..., 0], ink[..., 0] * not_blank)
    assert p.shape == (1, 3, 11_175)


def test_jamo_charset_has_every_syllable_then_the_rest():
    assert jamo_charset("가ㅋ나3") == SYLLABLES + "ㅋ3"
    assert jamo_charset(jamo_charset("ㅋ가")) == jamo_charset("ㅋ가")
    assert make_converter("JamoCTC", "가ㅋ", 5).classes == 11_174
    with pytest.raises(OcrkitError, match="11173 classes or more"):
        Recognizer("None-VGG-None-JamoCTC", classes=81)


def test_one_frame_says_a_whole_syllable():
    converter = make_converter("JamoCTC", CHARSET, 4)
    share, _ = check_labels(converter, ["닭갈비", "각각"], frames=3, limit=0.0)
    assert share == 0
    with pytest.raises(OcrkitError, match="need up to 4 CTC frames"):
        check_labels(converter, ["닭갈비가"], frames=3, limit=0.0)


@pytest.mark.parametrize(
    "name",
    [
        "None-VGG-Transformer-CTC",
        "None-VGG-SVTR-CTC",
        "None-VGG-None-JamoCTC",
        "None-VGG-None-PARSeq",
    ],
)
def test_a_tiny_batch_is_learnt_by_heart(name):
    texts = ["가나", "각마", "다라", "마가", "라", "나다"]
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 40), dtype=np.uint8)
    model, converter = made(name), make_converter(parse_name(name).prediction, CHARSET, 3)
    orthogonal_start(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        training_loss(model.train(), converter, to_input(images.copy()), texts).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        if read_all(model, converter, images).texts == texts:
            return
    raise AssertionError(read_all(model, converter, images).texts)


def test_a_syllable_never_seen_is_read_by_its_letters():
    """Frames that show letters, in a row of three of which one holds ink: the head alone learns."""
    every = [compose(a, b, c) for a in "ㄱㅇㅎ" for b in "ㅏㅗㅣ" for c in ("", "ㄱ", "ㅎ")]
    held_out = [every[i] for i in (0, 13, 26)]  # each of its letters stands in others
    seen = [syllable for syllable in every if syllable not in held_out]
    letters = sorted({*"".join(map(to_jamo, every))})

    def frames(texts: list[str]) -> torch.Tensor:
        shown = torch.zeros(len(texts), 3, 2 * len(letters))
        for row, text in zip(shown, texts, strict=True):
            for place, letter in enumerate(decompose(text)):
                if letter:  # a lead and a tail look alike and stand elsewhere
                    row[1, letters.index(letter) + len(letters) * (place == 2)] = 1
        return shown

    converter = make_converter("JamoCTC", "".join(seen), 1)
    torch.manual_seed(0)
    head = JamoCTC(2 * len(letters), converter.classes)
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.2)
    ids, lengths = converter.encode(seen)
    for _ in range(40):
        optimizer.zero_grad()
        ctc_loss(head(frames(seen)), ids, lengths).backward()
        optimizer.step()
    for texts in (seen, held_out):
        assert converter.decode(head(frames(texts)).argmax(2)) == texts


def test_letters_are_carried_over_whole_and_other_characters_by_name(tmp_path):
    name = "None-VGG-None-JamoCTC"
    old, new = made(name, "가1나2"), made(name, "2다", seed=1)
    carry_over(Start(tmp_path, old, jamo_charset("가1나2")), new, jamo_charset("2다"))
    with torch.inference_mode():
        before, after = old(noise_images(40)), new(noise_images(40))
    torch.testing.assert_close(after[..., :11_173], before[..., :11_173])
    torch.testing.assert_close(after[..., -1], before[..., -1])


def test_the_reference_framework_has_none_of_them(tmp_path):
    with pytest.raises(OcrkitError, match=r"has no None-VGG-SVTR-JamoCTC, only the paper's 24"):
        save_reference(made("None-VGG-SVTR-JamoCTC"), tmp_path / "m.pth")


@pytest.mark.skipif(not importlib.util.find_spec("onnxruntime"), reason="needs onnxruntime")
@pytest.mark.parametrize("name", ["None-VGG-Transformer-CTC", "None-VGG-SVTR-JamoCTC", NEW[-1]])
def test_as_onnx_it_says_the_same(name, tmp_path):
    import onnxruntime  # after ocrkit.onnx_files, which tells it not to report its use

    model = made(name)
    file = save_recognizer(model, tmp_path / "m.onnx", "")
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for count in (1, 2):
        images = noise_images(40)[:count]
        (logits,) = session.run(None, {"images": images.numpy()})
        with torch.inference_mode():
            np.testing.assert_allclose(logits, model(images).numpy(), atol=1e-4)
