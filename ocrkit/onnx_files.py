"""ONNX files of the models, for programs without torch, and the line reader that runs from one.

torch's older exporter (TorchScript) writes them: its newer one takes a hundred times as long for
the attention decoder, whose steps stand in the file one after another, and fixes the batch.
"""

import copy
import importlib
import io
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_file, read_file
from ocrkit.models.recognizer import Recognizer
from ocrkit.reader.charset import CLASSES, SIGNS, decode
from ocrkit.reader.draw import Artist
from ocrkit.reader.faces import Faces
from ocrkit.reader.lines import Reader, prepare, to_batch
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
    Raises OcrkitError: onnx is not installed, or the file cannot be written.
    """
    images = torch.zeros(2, 1, model.image_height, model.image_width)
    notes = {"model": model.name, "characters": charset}
    return _write(model, images, path, ("images", "logits"), {0: "batch"}, notes)


def save_line_reader(reader: Reader, path: str | Path, int8: bool = False) -> Path:
    """Write the line reader: ink float32 (B, 1, 32, W) -> ids int64 and probabilities (B, W / 4).

    B and W (a multiple of 4) are free. Ink is 1, paper 0; `ocrkit.reader.lines.prepare` says how a
    crop becomes ink. CTC's greedy path: repeats are one character, id 0 is none, the others are
    those of the metadata's `characters`, from 1.
    int8: a quarter of the size and less time, in whole numbers of 8 bits; see `to_int8`.
    Raises OcrkitError: onnx (for int8, onnxruntime) is not installed, or the file cannot be
    written.
    """
    ink = torch.zeros(2, 1, HEIGHT, 96)
    notes = {"model": _READER, "signs": SIGNS, "characters": decode(range(1, CLASSES))}
    names = ("ink", "ids", "probabilities")
    network, change = _Greedy(reader.network), _line_reader_to_int8 if int8 else None
    return _write(network, ink, path, names, {0: "batch", 3: "width"}, notes, change)


class OnnxReader(Reader):
    """Reads lines with a file that `save_line_reader` wrote, by ONNX Runtime on one processor core.

    Raises OcrkitError: onnxruntime is not installed, or the file is missing, damaged or of another
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
    change: Callable[[Path], None] | None = None,
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
        if change:
            change(temporary)
    return Path(path)


def _line_reader_to_int8(path: Path) -> None:
    drawn = Artist(5, Faces("koreanize"))
    to_int8(path, "ink", (to_batch([prepare(drawn.line().image)])[0] for _ in range(48)))


def to_int8(path: Path, name: str, inputs: Iterable[Tensor]) -> None:
    """Rewrite an ONNX file so that its products are of whole numbers of 8 bits.

    The LSTM and the linear layers find the range of their inputs as they run (dynamic). That would
    cost convolutions more than it saves: theirs is fixed beforehand from examples (static).
    Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference" (CVPR 2018), without the training. TPS stays in float: where
    its points are a little off, whole columns of the image are.

    name, inputs: what the file calls its input, and some tens of usual ones.
    Raises OcrkitError: onnxruntime is not installed.
    """
    _package("onnxruntime")
    from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="ocrkit-") as folder:
        folded, half = f"{folder}/folded.onnx", f"{folder}/half.onnx"
        # Sums of weights become weights, else they would not be taken for such.
        quant_pre_process(str(path), folded, skip_symbolic_shape=True)
        nodes = _package("onnx").load(folded, load_external_data=False).graph.node
        kept = [node.name for node in nodes if node.name.startswith("/transformation/")]
        layers, whole = ["MatMul", "LSTM"], QuantType.QInt8
        quantize_dynamic(
            folded, half, op_types_to_quantize=layers, weight_type=whole, nodes_to_exclude=kept
        )
        feeds = iter([{name: example.numpy()} for example in inputs])
        # What calibration asks for inputs, without the base class of such readers.
        examples: Any = SimpleNamespace(get_next=lambda: next(feeds, None))
        quantize_static(
            half, str(path), examples, op_types_to_quantize=["Conv"], per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=whole, nodes_to_exclude=kept,
        )  # fmt: skip


def _package(name: str) -> Any:
    """A package of the extra `onnx`."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise OcrkitError(
            f"the package {name} is not installed: pip install onnx onnxruntime"
        ) from None
