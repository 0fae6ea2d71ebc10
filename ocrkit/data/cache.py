"""Decode and resize each image once, then feed training from a memory-mapped array.

Decoding and resizing cost about a millisecond an image, every epoch, for ever the same result. The
first pass writes the finished greyscale pixels as one `.npy` file beside the set; later passes map
it into memory and copy rows.
"""

import errno
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ocrkit.data.pictures import decode, to_grey
from ocrkit.data.store import ImageSet
from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_file, read_json, write_json
from ocrkit.schemas import PixelsNote
from ocrkit.synth.generate import Sample


def resize(image: Image.Image, width: int, height: int = 32, pad: bool = False) -> np.ndarray:
    """One greyscale image as the models see it: (height, width) uint8.

    Args:
        image: any size and mode; converted to greyscale.
        pad: keep the shape: width min(ceil(height * w / h), width), and the last column repeated
            to the right. The paper stretched every image to the full width instead.
    """
    image = to_grey(image)
    if not pad:
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    natural = min(-(-height * image.width // image.height), width)
    pixels = np.asarray(image.resize((natural, height), Image.Resampling.BICUBIC))
    return np.pad(pixels, ((0, 0), (0, width - natural)), mode="edge")


def to_input(pixels: np.ndarray | torch.Tensor) -> torch.Tensor:
    """(B, H, W) uint8 pixels to a model's input: (B, 1, H, W) float32 in [-1, 1]."""
    if isinstance(pixels, np.ndarray):
        # torch warns of an array that may not be written to; such a one is copied.
        pixels = torch.from_numpy(np.require(pixels, requirements="W"))
    return pixels.unsqueeze(1).to(torch.float32).div_(127.5).sub_(1.0)


@dataclass(frozen=True)
class Pixels:
    """A set ready to train on.

    Attributes:
        pixels: (N, H, W) uint8, mapped into memory or held there; only the images that decode.
        texts: their N texts.
        broken: (index, reason) of the images that do not decode.
    """

    pixels: np.ndarray
    texts: list[str]
    broken: list[tuple[int, str]]

    def __len__(self) -> int:
        return len(self.texts)


def draw_pixels(drawn: Iterable[Sample], width: int, height: int = 32, pad: bool = False) -> Pixels:
    """Drawn samples ready to train on, kept in memory: for sets too small to need a file.

    Args:
        drawn: what `ocrkit.synth.samples` yields; at least one.
    """
    rows = [(resize(decode(one.image), width, height, pad), one.label) for one in drawn]
    if not rows:
        raise OcrkitError("no samples to make pixels of: draw at least one")
    return Pixels(np.stack([pixels for pixels, _ in rows]), [text for _, text in rows], [])


def load_pixels(images: ImageSet, width: int, height: int = 32, pad: bool = False) -> Pixels:
    """The set's pixels, from the cache beside it, or decoded now and cached.

    Where nothing may be written beside the set, they are decoded anew each time and kept in memory.

    Raises:
        OcrkitError: no image of the set decodes, or the disk is full.
    """
    name = f"pixels-{height}x{width}{'-pad' if pad else ''}"
    array, about = images.path / f"{name}.npy", images.path / f"{name}.json"
    stamp = _stamp(images)
    if not _is_current(array, about, stamp):
        rows, broken = _decode_all(images, width, height, pad)
        try:
            with atomic_file(array) as temporary, temporary.open("wb") as out:
                np.save(out, rows)
            size = array.stat().st_size
            write_json(about, {"stamp": stamp, "bytes": size, "broken": broken})
        except OcrkitError as error:
            if not _is_read_only(error):
                raise
            return Pixels(rows, _texts(images, broken), broken)
    broken = [(int(i), str(reason)) for i, reason in read_json(about, PixelsNote)["broken"]]
    return Pixels(np.load(array, mmap_mode="r"), _texts(images, broken), broken)


def _texts(images: ImageSet, broken: list[tuple[int, str]]) -> list[str]:
    bad = {i for i, _ in broken}
    return [text for i, text in enumerate(images.texts()) if i not in bad]


def _is_read_only(error: OcrkitError) -> bool:
    """Was it the right to write that lacked, and not the room?"""
    return getattr(error.__cause__, "errno", None) in (errno.EROFS, errno.EACCES, errno.EPERM)


def _stamp(images: ImageSet) -> list[int]:
    """What changes when the set is written anew: cheap, unlike a hash of every image."""
    status = (images.path / "data.mdb").stat()
    return [status.st_size, status.st_mtime_ns, len(images)]


def _is_current(array: Path, about: Path, stamp: list[int]) -> bool:
    try:
        note = read_json(about, PixelsNote)
        return note["stamp"] == stamp and array.stat().st_size == note["bytes"]
    except (OcrkitError, OSError):
        return False


def _decode_all(
    images: ImageSet, width: int, height: int, pad: bool
) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """All images that decode, (N, H, W), and (index, reason) of those that do not.

    Threads help, for Pillow decodes and resizes outside the interpreter lock.
    """
    broken: list[tuple[int, str]] = []

    def one(index: int) -> np.ndarray | None:
        try:
            return resize(images.image(index), width, height, pad)
        except OcrkitError as error:
            broken.append((index, str(error)))
            return None

    # LMDB opens its handle on first use; do so before the threads share it.
    images.image_bytes(0)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = [row for row in pool.map(one, range(len(images))) if row is not None]
    if not rows:
        raise OcrkitError(f"no image of {images.path} decodes (first: {broken[0][1]})")
    return np.stack(rows), sorted(broken)
