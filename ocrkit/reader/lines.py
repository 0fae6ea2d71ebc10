"""Reading lines: crops in, text with the place of each character out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import geometric_mean
from typing import Annotated, Any, Literal

import cv2
import numpy as np
import torch
from pydantic import Field

from ocrkit.errors import OcrkitError
from ocrkit.files import read_json
from ocrkit.models.checkpoints import file_of, fill, stem_of, write_pair
from ocrkit.reader.charset import BLANK, SIGNS, decode
from ocrkit.reader.network import HEIGHT, STRIDE, LineNetwork, best_classes
from ocrkit.reader.straight import straighten
from ocrkit.resources import READER, resource
from ocrkit.schemas import Shape

# A batch holds about this many pixels of width, in lines that differ by less than a bucket: the
# LSTM that comes from the right reads the paper after a short line first, and training has shown
# it no more of it than this.
_BATCH_PIXELS = 8192
BUCKET = 64
# A crop this many times as wide as high is no line that a page can hold.
_MOST_ASPECT = 400


@dataclass(frozen=True)
class LineText:
    """What was read from one line."""

    text: str  # characters, spaces among them
    confidence: float  # geometric mean of the characters' probabilities, 0 to 1; 0 for no text
    spans: list[tuple[int, int]]  # each character's left and right in pixels of the given crop
    # Each character's own in the frame where it is highest, 0 to 1: what the network gives it
    # against all other classes there, not how often it is right (data/results/reader/confidence.csv
    # has both); of what was left out it says nothing.
    probabilities: list[float]


class ReaderNote(Shape):
    """NAME.json beside the line reader's weights."""

    format: Literal[1]
    signs: str
    channels: Annotated[
        list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=5, max_length=5)
    ]
    hidden: Annotated[int, Field(ge=1, le=4096)]
    weights_sha256: str
    info: dict[str, Any]


def prepare(image: np.ndarray) -> np.ndarray:
    """Grey pixels (H, W) uint8 -> ink, uint8 (32, width): 255 is ink, 0 paper, any contrast.

    Light text on a dark ground is turned round: paper is what most pixels are. A line that is
    plainly slanted is turned level first.
    """
    image = straighten(image)
    height, width = image.shape
    size = max(STRIDE, round(width * HEIGHT / height)), HEIGHT
    # Shrinking averages, so that thin strokes are not skipped.
    how = cv2.INTER_AREA if height > HEIGHT else cv2.INTER_CUBIC
    pixels = cv2.resize(image, size, interpolation=how).astype(np.float32)
    darkest, paper, lightest = np.percentile(pixels, (1, 60, 99))
    if paper - darkest < lightest - paper:
        pixels, paper, darkest = -pixels, -np.percentile(pixels, 40), -lightest
    span = max(paper - darkest, 16.0)  # an empty line must not have its noise blown up
    return np.clip((paper - pixels) * (255 / span), 0, 255).astype(np.uint8)


def to_batch(inks: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Inks uint8 (32, w) -> float32 (B, 1, 32, W) with paper on the right, and frames (B,)."""
    frames = [-(-ink.shape[1] // STRIDE) for ink in inks]
    batch = np.zeros((len(inks), 1, HEIGHT, max(frames) * STRIDE), np.float32)
    for row, ink in zip(batch, inks, strict=True):
        row[0, :, : ink.shape[1]] = ink
    return torch.from_numpy(batch / 255), torch.tensor(frames)


class Reader:
    """Reads lines with a trained `LineNetwork`."""

    def __init__(self, network: LineNetwork, info: dict[str, Any] | None = None) -> None:
        self.network, self.info = network.eval(), info or {}

    def read_lines(self, images: Sequence[np.ndarray]) -> list[LineText]:
        """Read crops of one line each.

        images: grey, uint8 (H, W), of any size.
        Raises OcrkitError: an image is of another shape or type, empty, or absurdly wide.
        """
        inks = [prepare(_checked(i, image)) for i, image in enumerate(images)]
        return self.read_inks(inks, [image.shape[1] for image in images])

    def read_inks(
        self, inks: Sequence[np.ndarray], widths: Sequence[int] | None = None
    ) -> list[LineText]:
        """Read lines that `prepare` made. Spans are given in pixels of crops of these widths."""
        found: dict[int, LineText] = {}
        for batch in _batches([ink.shape[1] for ink in inks]):
            pixels, frames = to_batch([inks[i] for i in batch])
            for i, count, row, p in zip(batch, frames, *self.classes(pixels), strict=True):
                width = widths[i] if widths else inks[i].shape[1]
                found[i] = _line_text(row[:count], p[:count], inks[i], width)
        return [found[i] for i in range(len(inks))]

    @torch.inference_mode()
    def classes(self, pixels: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Ink float32 (B, 1, 32, W) -> each frame's best class and its probability, (B, frames)."""
        device = next(self.network.parameters()).device
        ids, sure = best_classes(self.network(pixels.to(device)))
        return ids.cpu().numpy(), sure.cpu().numpy()


def weights_of(name: str | Path | None) -> Path:
    """The path of a reader's files without their endings.

    name: None, or "reader-ko" where no such files lie, for the kit's own.
    """
    if name is None or (str(name) == READER and not Path(f"{name}.json").is_file()):
        return resource("results", "reader") / READER
    return stem_of(name)


def load_reader(path: str | Path | None = None) -> Reader:
    """The reader of a checkpoint that `save_reader` wrote; None is the kit's own (`weights_of`).

    Raises OcrkitError: files are missing, damaged, or of another charset.
    """
    stem = weights_of(path)
    note = read_json(file_of(stem, ".json"), ReaderNote)
    if note["signs"] != SIGNS:
        raise OcrkitError(f"{stem} writes other signs than this ocrkit: train it again")
    network = LineNetwork(tuple(note["channels"]), note["hidden"])
    fill(network, stem, note["weights_sha256"], most=2**28)
    return Reader(network, note["info"])


def save_reader(network: LineNetwork, path: str | Path, **info: Any) -> Path:
    """Write PATH.safetensors (matrices and kernels in half precision) and PATH.json."""
    convolutions = [m for m in network.features if isinstance(m, torch.nn.Conv2d)]
    note = {
        "format": 1,
        "signs": SIGNS,
        "channels": [convolution.out_channels for convolution in convolutions],
        "hidden": network.sequence.rnn.hidden_size,
    }
    return write_pair(stem_of(path), network.state_dict(), note, half=True, info=info)


def _checked(index: int, image: np.ndarray) -> np.ndarray:
    if image.ndim != 2 or image.dtype != np.uint8 or not image.size:
        raise OcrkitError(
            f"line {index} is {image.dtype} of shape {image.shape}: give grey uint8 (H, W)"
        )
    height, width = image.shape
    if width > _MOST_ASPECT * height:
        raise OcrkitError(f"line {index} is {width} x {height} pixels: that is no line of text")
    return image


def _batches(widths: list[int]) -> list[list[int]]:
    """Indices in batches of like widths."""
    batches: list[list[int]] = []
    for i in sorted(range(len(widths)), key=widths.__getitem__):
        full = batches and (len(batches[-1]) + 1) * widths[i] > _BATCH_PIXELS
        if not batches or full or widths[i] - widths[batches[-1][0]] >= BUCKET:
            batches.append([])
        batches[-1].append(i)
    return batches


def _line_text(ids: np.ndarray, sure: np.ndarray, ink: np.ndarray, width: int) -> LineText:
    """The greedy path of one line: repeats are one character, blanks none."""
    starts = np.flatnonzero(np.diff(ids, prepend=-1))
    ends = np.append(starts[1:], len(ids))
    runs = [(s, e) for s, e in zip(starts, ends, strict=True) if ids[s] != BLANK]
    # A line neither starts nor ends with a space, and has no two in a row.
    text = decode(ids[s] for s, _ in runs)
    kept = [i for i, ch in enumerate(text) if ch != " " or text[i - 1 : i] not in ("", " ")]
    while kept and text[kept[-1]] == " ":
        kept.pop()
    runs, text = [runs[i] for i in kept], "".join(text[i] for i in kept)
    if not runs:
        return LineText("", 0.0, [], [])
    peaks = [max(float(sure[s:e].max()), 1e-9) for s, e in runs]
    edges = _edges([(s + e) / 2 * STRIDE for s, e in runs], ink.max(axis=0).astype(np.float32))
    scaled = [min(round(edge * width / ink.shape[1]), width) for edge in edges]
    return LineText(text, geometric_mean(peaks), list(pairwise(scaled)), peaks)


def _edges(centres: list[float], profile: np.ndarray) -> list[int]:
    """Where characters end, in columns: between two centres, where there is the least ink."""
    inked = np.flatnonzero(profile > 64)
    first, last = (inked[0], inked[-1] + 1) if inked.size else (0, len(profile))
    edges = [min(int(first), int(centres[0]))]
    for left, right in pairwise(centres):
        start, stop = int(left), max(int(right), int(left) + 1)
        middle = np.abs(np.arange(start, stop) - (left + right) / 2)
        columns = profile[start:stop]
        edges.append(
            start + int(np.argmin(columns + middle[: len(columns)])) if columns.size else start
        )
    return [*edges, max(int(last), edges[-1])]
