"""ONNX files of the models, for programs without torch, and the line reader that runs from one.

torch's older exporter (TorchScript) writes them: its newer one takes a hundred times as long for
the attention decoder, whose steps stand in the file one after another, and fixes the batch.
"""

import copy
import importlib
import io
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_file, read_file
from ocrkit.models.recognizer import Recognizer
from ocrkit.reader.charset import CLASSES, SIGNS, decode
from ocrkit.reader.lines import Reader
from ocrkit.reader.network import HEIGHT, LineNetwork, best_classes

OPSET = 18  # grid_sample, which TPS needs, came with 16
_READER = "ocrkit line reader"
# The published builds of onnxruntime report their use to its maker unless told not to before they
# are loaded. What a person reads is nobody's business; who does want it sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def save_recognizer(model: Recognizer, path: str | Path, charset: str) -> Path:
    """Write one of the 24: images float32 (B, 1, H, W) in [-1, 1] -> logits, as of its `forward`.

    B is free. An attention decoder always takes its max_length + 1 steps: ids after the first
    [s] = 1 mean nothing. The file's metadata hold `model` and `characters`, in the order of ids.

    Raises:
        OcrkitError: onnx is not installed, or the file cannot be written.
    """
    images = torch.zeros(2, 1, model.image_height, model.image_width)
    notes = {"model": model.name, "characters": charset}
    return _write(model, images, path, ("images", "logits"), {0: "batch"}, notes)


def save_line_reader(reader: Reader, path: str | Path) -> Path:
    """Write the line reader: ink float32 (B, 1, 32, W) -> ids int64 and probabilities (B, W / 4).

    B and W (a multiple of 4) are free. Ink is 1, paper 0; `ocrkit.reader.lines.prepare` says how a
    crop becomes ink. CTC's greedy path: repeats are one character, id 0 is none, the others are
    those of the metadata's `characters`, from 1.

    Raises:
        OcrkitError: onnx is not installed, or the file cannot be written.
    """
    ink = torch.zeros(2, 1, HEIGHT, 96)
    notes = {"model": _READER, "signs": SIGNS, "characters": decode(range(1, CLASSES))}
    names = ("ink", "ids", "probabilities")
    return _write(_Greedy(reader.network), ink, path, names, {0: "batch", 3: "width"}, notes)


class OnnxReader(Reader):
    """Reads lines with a file that `save_line_reader` wrote, by ONNX Runtime on one processor core.

    Raises:
        OcrkitError: onnxruntime is not installed, or the file is missing, damaged or of another
            model.
    """

    def __init__(self, path: str | Path) -> None:
        runtime = _package("onnxruntime")
        content, options = read_file(path), runtime.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            self.session = runtime.InferenceSession(content, options, ["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own have no base of theirs
            raise OcrkitError(f"{path} is no ONNX file that can be run: export it again") from error
        notes = self.session.get_modelmeta().custom_metadata_map
        if notes.get("model") != _READER:
            raise OcrkitError(f"{path} is no line reader: write one with ocrkit export --out FILE")
        if notes["signs"] != SIGNS:
            raise OcrkitError(f"{path} writes other signs than this ocrkit: export it again")
        self.info = {}

    def classes(self, pixels: Tensor) -> tuple[Any, Any]:
        """Ink (B, 1, 32, W) -> ids (B, T) and probabilities (B, T)."""
        return tuple(self.session.run(None, {"ink": pixels.numpy()}))


class _Greedy(nn.Module):
    """The line network, and what `best_classes` makes of its scores."""

    def __init__(self, network: LineNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, ink: Tensor) -> tuple[Tensor, Tensor]:
        return best_classes(self.network(ink))


def _write(
    model: nn.Module,
    example: Tensor,
    path: str | Path,
    names: tuple[str, ...],
    free: dict[int, str],
    notes: dict[str, str],
) -> Path:
    """Export, check, note in the metadata what the ids mean, and save whole or not at all."""
    onnx = _package("onnx")
    # Without gradients, TPS's spline is plain operations instead of a function of its own.
    model = copy.deepcopy(model).cpu().eval().requires_grad_(False)
    traced: Any = io.BytesIO()  # torch's annotation names paths alone
    outputs = {name: {0: "batch", 1: "frames"} for name in names[1:]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes that the trace keeps, and they are fixed
        torch.onnx.export(
            model,
            (example,),
            traced,
            input_names=[names[0]],
            output_names=list(names[1:]),
            dynamic_axes={names[0]: free, **outputs},
            opset_version=OPSET,
            dynamo=False,
        )
    written = onnx.load_from_string(traced.getvalue())
    onnx.checker.check_model(written)
    onnx.helper.set_model_props(written, notes)
    with atomic_file(path) as temporary:
        temporary.write_bytes(written.SerializeToString())
    return Path(path)


def _package(name: str) -> Any:
    """A package of the extra `onnx`."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise OcrkitError(
            f"the package {name} is not installed: pip install onnx onnxruntime"
        ) from None
