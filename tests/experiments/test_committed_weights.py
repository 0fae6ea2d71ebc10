"""The committed sentence readers read sentences of words that nobody trained on."""

import io

import numpy as np
import pytest
from PIL import Image

from ocrkit.experiments.datasets import plan
from ocrkit.experiments.presets import get_preset
from ocrkit.labels import label_of
from ocrkit.models import load_checkpoint
from ocrkit.resources import resource
from ocrkit.synth.generate import sample
from ocrkit.training.losses import make_converter
from ocrkit.training.predict import read_all

FIVE_WORDS = [f"{t}-VGG-{s}-CTC" for t in ("None", "TPS") for s in ("None", "BiLSTM")]
FIVE_WORDS += ["None-VGG-BiLSTM-Attn", "TPS-VGG-None-Attn", "TPS-VGG-BiLSTM-Attn"]
FIVE_WORDS += ["None-RCNN-None-CTC", "TPS-ResNet-BiLSTM-Attn"]
NEWER = [
    f"None-VGG-{s}" for s in ("Transformer-CTC", "SVTR-CTC", "BiLSTM-JamoCTC", "BiLSTM-PARSeq")
]
TEN_WORDS = ["None-VGG-None-CTC", "TPS-VGG-None-CTC", "TPS-VGG-BiLSTM-Attn"]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        *(("sentence-ten", name) for name in TEN_WORDS),
        *(("sentence", name) for name in FIVE_WORDS),
        *(("beyond", name) for name in NEWER),
    ],
)
def test_a_committed_reader_reads_basic_sentences(folder, name):
    model, described = load_checkpoint(
        resource("results", folder, "checkpoints", f"{name}-s1.json")
    )
    preset = "sentence" if folder == "beyond" else folder
    size = (get_preset(preset).image_width, 32)
    (generation,) = plan(get_preset(preset)).generations["test-basic"]
    drawn = [sample(generation, index) for index in range(20)]
    pictures = [
        Image.open(io.BytesIO(one.image)).convert("L").resize(size, Image.Resampling.BICUBIC)
        for one in drawn
    ]
    pixels = np.stack([np.asarray(picture) for picture in pictures])
    converter = make_converter(model.prediction, described["charset"], model.max_length)
    texts = read_all(model, converter, pixels).texts
    right = sum(text == label_of(one.label) for text, one in zip(texts, drawn, strict=True))
    assert right >= 16
