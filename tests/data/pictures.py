"""Small encoded pictures, and sets not made by ocrkit, for the tests of this folder."""

import io
from pathlib import Path

import lmdb
import numpy as np
from PIL import Image


def picture(seed: int = 0, width: int = 24, height: int = 12, kind: str = "PNG") -> bytes:
    """An encoded grey picture of noise; every seed another."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), kind)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A picture as the bytes of a file."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def flat(grey: int = 128, width: int = 24, height: int = 12) -> Image.Image:
    """A picture of one grey."""
    return Image.new("L", (width, height), grey)


def plain(path: Path, content: dict[str, bytes]) -> Path:
    """An LMDB written by plain lmdb calls, as the reference's script does."""
    env = lmdb.open(str(path), map_size=2**24)
    with env, env.begin(write=True) as transaction:
        for key, value in content.items():
            transaction.put(key.encode(), value)
    return path


def with_record_size(path: Path, key: str, size: int) -> Path:
    """A set in whose data.mdb a record's size is overwritten, as a damaged disk might."""
    file = path / "data.mdb"
    raw = bytearray(file.read_bytes())
    place = raw.index(key.encode()) - 8  # a node: size (low, high), flags, key's size, key
    raw[place : place + 4] = size.to_bytes(4, "little")
    file.write_bytes(raw)
    return path
