"""Accuracy against milliseconds: `python tests/benchmarks/frontier.py [FOLDER ...]`.

Everything of the kit that reads a line, on the same lines of the preset `sentence` (five words of
80 syllables, five kinds of image), one line a call on one processor core: the recognisers, the line
reader, Tesseract. Each also as its other ways of running: attention without its early exit, ONNX
Runtime, int8. Those of the 24 that have no checkpoint in the folders (if none is named, those of
data/results/sentence and data/results/beyond) are timed with weights of chance: milliseconds, but
no accuracy.

Processor time from the grey image to the text, so what else the machine does changes little; the
median over all lines. All engines take turns. data/results/beyond/frontier.csv gets the rows.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy comes with threads of its own

import copy
import functools
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from rapidfuzz.distance import Levenshtein
from reader_speed import seconds, tesseract

from ocrkit.data.cache import resize, to_input
from ocrkit.data.pictures import decode
from ocrkit.experiments.datasets import plan
from ocrkit.experiments.presets import KINDS, get_preset
from ocrkit.files import atomic_file
from ocrkit.labels import label_of
from ocrkit.models import MODEL_NAMES, Recognizer, load_checkpoint
from ocrkit.models.prediction import Attention
from ocrkit.onnx_files import OnnxReader, save_line_reader, save_recognizer, to_int8
from ocrkit.papers.spotting.tesseract import installed
from ocrkit.reader.lines import load_reader
from ocrkit.synth import samples
from ocrkit.training.losses import Converter, make_converter

Read = Callable[[np.ndarray], str]  # a grey image of any width -> its text
LINES_A_KIND, WARM_UP = 100, 3
ONNX = ("CTC", "Attn")  # heads whose ONNX files the kit writes


@dataclass
class Engine:
    """One way of reading a line, and what it has read so far."""

    model: str
    way: str
    read: Read
    trained: bool = True
    milliseconds: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def try_on(self, images: Sequence[np.ndarray]) -> None:
        """Read some images, one a call, by the clock."""
        for image in images:
            start = seconds()
            self.texts.append(self.read(image))
            self.milliseconds.append(1000 * (seconds() - start))


def lines(kind: str, count: int, part: str = "test") -> tuple[list[np.ndarray], list[str]]:
    """Grey images of `sentence` before they are stretched, and their texts without spaces."""
    generation = plan(get_preset("sentence")).generations[f"{part}-{kind}"][0]
    drawn = list(samples(replace(generation, count=count)))
    grey = [np.asarray(decode(one.image).convert("L")) for one in drawn]
    return grey, [label_of(one.label) for one in drawn]


def pixels(image: np.ndarray, width: int) -> torch.Tensor:
    """A grey image, stretched, as the recognisers' input (1, 1, 32, width)."""
    return to_input(resize(Image.fromarray(image), width)[None])


def by_torch(model: torch.nn.Module, converter: Converter, width: int) -> Read:
    """Read with torch in float32."""

    @torch.inference_mode()
    def read(image: np.ndarray) -> str:
        return converter.decode(model(pixels(image, width)).argmax(2))[0]

    return read


def by_onnx(path: Path, converter: Converter, width: int) -> Read:
    """Read with ONNX Runtime on one core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])

    def read(image: np.ndarray) -> str:
        (logits,) = session.run(None, {"images": pixels(image, width).numpy()})
        return converter.decode(torch.from_numpy(logits).argmax(2))[0]

    return read


def calibration(width: int) -> Iterator[torch.Tensor]:
    """Training images, for int8 to find the ranges of the layers' inputs."""
    for kind in ("basic", "skew"):
        yield from (pixels(image, width) for image in lines(kind, 24, "train")[0])


def recognizer_engines(model: Recognizer, charset: str, folder: Path) -> Iterator[Engine]:
    """The ways of one recogniser; its ONNX files are written into `folder`."""
    name, width = model.eval().name, model.image_width
    converter = make_converter(model.prediction, charset, model.max_length)
    yield Engine(name, "torch", by_torch(model, converter, width))
    if isinstance(model.head, Attention):
        patient = copy.deepcopy(model)
        patient.head.decode = functools.partial(patient.head.decode, stop=False)
        yield Engine(name, "torch, all steps", by_torch(patient, converter, width))
    if model.prediction in ONNX:
        for way in ("ONNX", "ONNX int8"):
            path = save_recognizer(model, folder / f"{name}-{way}.onnx", charset)
            if way == "ONNX int8":
                to_int8(path, "images", calibration(width))
            yield Engine(name, way, by_onnx(path, converter, width))


def untrained_engines(name: str, folder: Path) -> Iterator[Engine]:
    """One of the 24 with weights of chance. Its attention may never say [s]: it takes all steps."""
    what = plan(get_preset("sentence"))
    sizes = {key: getattr(what.preset, key) for key in ("image_width", "width", "max_length")}
    classes = make_converter(name.rpartition("-")[2], what.charset, 1).classes
    for engine in recognizer_engines(
        Recognizer(name, classes=classes, **sizes), what.charset, folder
    ):
        if engine.way != "ONNX int8":
            yield replace(engine, trained=False)


def engines(folders: Sequence[Path], scratch: Path) -> Iterator[Engine]:
    """All there are: recognisers by name, the line reader, Tesseract where it is installed."""
    checkpoints = sorted(path for folder in folders for path in folder.glob("*.safetensors"))
    found = {path.stem.rpartition("-s")[0]: path for path in reversed(checkpoints)}  # lowest seed
    for name in (*MODEL_NAMES, *sorted(set(found) - set(MODEL_NAMES))):
        if name in found:
            model, info = load_checkpoint(found[name].with_suffix(""))
            yield from recognizer_engines(model, info["charset"], scratch)
        else:
            yield from untrained_engines(name, scratch)
    kit = load_reader()
    small = OnnxReader(save_line_reader(kit, scratch / "reader.onnx", int8=True))
    for way, reader in (("torch", kit), ("ONNX int8", small)):
        yield Engine("reader-ko", way, lambda image, r=reader: r.read_lines([image])[0].text)
    if installed("kor"):
        yield Engine("Tesseract", "program", lambda image: tesseract([image])[0])


def measure(found: Sequence[Engine], count: int = LINES_A_KIND) -> pd.DataFrame:
    """A row for each engine; spaces do not count, for the labels of `sentence` have none."""
    truth: list[str] = []
    images, _ = lines("basic", WARM_UP, "train")
    for engine in found:
        for image in images:
            engine.read(image)
    for kind in KINDS:
        images, texts = lines(kind, count)
        truth += texts
        for start in range(0, count, 10):
            for engine in found:
                engine.try_on(images[start : start + 10])
        print(f"{kind}: read", flush=True)
    rows = []
    for engine in found:
        read = ["".join(text.split()) for text in engine.texts]
        wrong = sum(map(Levenshtein.distance, read, truth))
        rows.append(
            {
                "model": engine.model,
                "way": engine.way,
                "ms_a_line": round(float(np.median(engine.milliseconds)), 2),
                "ms_a_line_p95": round(float(np.percentile(engine.milliseconds, 95)), 2),
                "accuracy": round(100 * float(np.mean(np.array(read) == np.array(truth))), 1)
                if engine.trained
                else None,
                "cer": round(100 * wrong / sum(map(len, truth)), 2) if engine.trained else None,
                "lines": len(truth),
            }
        )
    return pd.DataFrame(rows)


def main(folders: Sequence[Path]) -> None:
    """Measure everything and write the table."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="ocrkit-") as scratch:
        table = measure(list(engines(folders, Path(scratch))))
    print(table.to_string(), flush=True)
    with atomic_file(Path("data/results/beyond/frontier.csv")) as temporary:
        table.to_csv(temporary, index=False)


if __name__ == "__main__":
    committed = [Path("data/results", part, "checkpoints") for part in ("sentence", "beyond")]
    main([Path(f) for f in sys.argv[1:]] or committed)
