"""ONNX files: what onnxruntime makes of them is what torch makes."""

import sys

import numpy as np
import pytest
import torch

from ocrkit.metrics import rates
from ocrkit.models import Recognizer
from ocrkit.onnx_files import OnnxReader, save_line_reader, save_recognizer
from ocrkit.reader.draw import Artist
from ocrkit.reader.faces import Faces
from ocrkit.reader.lines import Reader, load_reader
from ocrkit.reader.network import LineNetwork
from ocrkit.synth.fonts import find_fonts
from ocrkit.synth.render import draw_text

CHARSET = "".join(map(chr, range(ord("가"), ord("가") + 18)))


def run(path, images: torch.Tensor) -> tuple[list[np.ndarray], dict[str, str]]:
    """The outputs and the metadata of a file."""
    import onnxruntime  # after ocrkit, which tells it to keep what it does to itself

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    return outputs, session.get_modelmeta().custom_metadata_map


def small(name: str) -> Recognizer:
    """A thin model whose norms and last layers are not at their start, where much is 0."""
    torch.manual_seed(3)
    classes = len(CHARSET) + (1 if name.endswith("CTC") else 2)
    model = Recognizer(name, classes=classes, max_length=6, image_width=64, width=0.04).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return model


# Every option of every stage: 2 transformations, 3 extractors, 2 sequences, 2 predictions.
@pytest.mark.parametrize(
    "name",
    ["TPS-VGG-BiLSTM-Attn", "None-RCNN-None-CTC", "TPS-ResNet-None-CTC", "None-VGG-BiLSTM-CTC"],
)
def test_a_recogniser_gives_the_same_logits_for_any_batch(name, tmp_path):
    model = small(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    path = save_recognizer(model, tmp_path / "model.onnx", CHARSET)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())
    for batch in (1, 3):
        images = torch.rand(batch, 1, 32, 64) * 2 - 1
        (logits,), notes = run(path, images)
        with torch.inference_mode():
            expected = model(images).numpy()
        assert logits.shape == expected.shape
        spread = expected.std()
        assert spread > 1e-3
        if name.endswith("Attn"):  # the file goes on after [s], torch stops where every row ended
            taken = np.abs(expected).max(axis=(0, 2)) > 0
            logits, expected = logits[:, taken], expected[:, taken]
        assert np.abs(logits - expected).max() < 1e-3 * spread
    assert notes == {"model": name, "characters": CHARSET}


@pytest.fixture(scope="module")
def thin_reader() -> Reader:
    torch.manual_seed(0)
    return Reader(LineNetwork((8, 8, 8, 8, 16), 16))


def test_the_line_reader_reads_any_width_and_batch(thin_reader, tmp_path):
    path = save_line_reader(thin_reader, tmp_path / "reader.onnx")
    for batch, width in ((1, 32), (4, 200)):
        ink = torch.rand(batch, 1, 32, width)
        (ids, sure), notes = run(path, ink)
        expected, p = thin_reader.classes(ink)
        assert ids.shape == sure.shape == (batch, width // 4)
        np.testing.assert_array_equal(ids, expected)
        np.testing.assert_allclose(sure, p, rtol=1e-4)
    assert len(notes["characters"]) == 11172 + len(notes["signs"])


def test_the_kits_own_reader_reads_the_same_text_from_its_file(tmp_path):
    reader = load_reader()
    again = OnnxReader(save_line_reader(reader, tmp_path / "reader.onnx"))
    font = find_fonts("koreanize")[0]
    texts = ["오늘은 비가 온다.", "값 3,500원", "①②"]
    images = [np.pad(255 - draw_text(text, font, 28), 4, constant_values=255) for text in texts]
    expected = reader.read_lines(images)
    assert expected[0].text == texts[0]
    for one, other in zip(again.read_lines(images), expected, strict=True):
        assert (one.text, one.spans) == (other.text, other.spans)
        assert one.confidence == pytest.approx(other.confidence, rel=1e-3)


def test_whole_numbers_of_8_bits_cost_a_quarter_of_the_room_and_hardly_a_character(tmp_path):
    reader, faces = load_reader(), Faces("koreanize")
    full = save_line_reader(reader, tmp_path / "full.onnx")
    small = save_line_reader(reader, tmp_path / "small.onnx", int8=True)
    assert small.stat().st_size < full.stat().st_size / 3
    artist = Artist(11, faces)
    lines = [artist.line() for _ in range(12)]
    images, texts = [line.image for line in lines], [line.text for line in lines]
    cer, cer_int8 = (
        rates([read.text for read in engine.read_lines(images)], texts)[1]
        for engine in (reader, OnnxReader(small))
    )
    assert cer < 0.1
    assert abs(cer - cer_int8) < 0.02


def test_files_that_are_no_line_reader_are_refused(tmp_path, refused):
    made = save_recognizer(small("None-VGG-None-CTC"), tmp_path / "a.onnx", CHARSET)
    with refused("a.onnx is no line reader: write one"):
        OnnxReader(made)
    (tmp_path / "b.onnx").write_bytes(b"no model")
    with refused("b.onnx is no ONNX file that can be run"):
        OnnxReader(tmp_path / "b.onnx")


def test_missing_packages_are_named_with_what_to_install(monkeypatch, thin_reader, refused):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with refused("onnx is not installed: pip install onnx onnxruntime"):
        save_line_reader(thin_reader, "never.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with refused("onnxruntime is not installed: pip install onnx onnxruntime"):
        OnnxReader("never.onnx")
