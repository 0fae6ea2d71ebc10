"""Decode and resize each image once, then feed training from a memory-mapped array."""

import os
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ocrkit.data.beside import stamp, where_allowed
from ocrkit.data.pictures import decode, to_grey
from ocrkit.data.store import ImageSet
from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_file, read_json, write_json
from ocrkit.schemas import PixelsNote
from ocrkit.synth.generate import Sample


def resize(image: Image.Image, width: int, height: int = 32, pad: bool = False) -> np.ndarray:
    """One greyscale image as the models see it: (height, width) uint8.

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
    """A set ready to train on."""

    # (N, H, W) uint8, mapped into memory or held there; only the images that decode
    pixels: np.ndarray
    texts: list[str]  # their N texts
    broken: list[tuple[int, str]]  # (index, reason) of the images that do not decode

    def __len__(self) -> int:
        return len(self.texts)


def draw_pixels(drawn: Iterable[Sample], width: int, pad: bool = False) -> Pixels:
    """Drawn samples ready to train on, kept in memory: for sets too small to need a file.

    drawn: what `ocrkit.synth.samples` yields; at least one.
    """
    rows = [(resize(decode(one.image), width, pad=pad), one.label) for one in drawn]
    if not rows:
        raise OcrkitError("no samples to make pixels of: draw at least one")
    return Pixels(np.stack([pixels for pixels, _ in rows]), [text for _, text in rows], [])


def load_pixels(images: ImageSet, width: int, height: int = 32, pad: bool = False) -> Pixels:
    """The set's pixels, from the cache beside it, or decoded now and cached.

    Where nothing may be written beside the set, they are kept in memory.
    Raises OcrkitError: no image of the set decodes, or the disk is full.
    """
    name = f"pixels-{height}x{width}{'-pad' if pad else ''}"
    # What changes when the set is written anew: cheap, unlike a hash of every image. Without the
    # inode, which other kinds of disk than ours make up each time.
    fingerprint = images.manifest.get("fingerprint", "")
    stamped = [*stamp(images.path)[:2], len(images), fingerprint]
    if found := _cached(images, name, stamped):
        return found
    rows, broken = _decode_all(images, width, height, pad)
    notes = [{"index": index, "reason": reason} for index, reason in broken]
    with where_allowed():
        with atomic_file(images.path / f"{name}.npy") as temporary:
            with temporary.open("wb") as out:
                np.save(out, rows)
            digest = _digest(temporary)
        note = {"stamp": stamped, "digest": digest, "broken": notes}
        write_json(images.path / f"{name}.json", note)
    return _cached(images, name, stamped) or Pixels(rows, _texts(images, broken), broken)


def _texts(images: ImageSet, broken: list[tuple[int, str]]) -> list[str]:
    bad = {i for i, _ in broken}
    return [text for i, text in enumerate(images.texts()) if i not in bad]


def _digest(file: Path) -> int:
    """A checksum (CRC-32) of a file: over 1 GB a second, and training reads it all anyway."""
    return zlib.crc32(np.memmap(file, np.uint8, mode="r").data)


def _cached(images: ImageSet, name: str, stamped: list[int | str]) -> Pixels | None:
    """What the cache beside this set holds of it; None if nothing, or something else."""
    file = images.path / f"{name}.npy"
    try:
        note = read_json(images.path / f"{name}.json", PixelsNote)
        if note["stamp"] != stamped or _digest(file) != note["digest"]:
            return None
        pixels = np.load(file, mmap_mode="r")
    except (OcrkitError, OSError, ValueError):
        return None
    broken = [(one["index"], one["reason"]) for one in note["broken"]]
    return Pixels(pixels, _texts(images, broken), broken)


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

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = [row for row in pool.map(one, range(len(images))) if row is not None]
    if not rows:
        raise OcrkitError(f"no image of {images.path} decodes (first: {broken[0][1]})")
    return np.stack(rows), sorted(broken)
