"""Small sets of a user's own, for the tests of this folder."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ocrkit.data.store import ImageSet, Item, write_set

CHARSET = "가나다라마바사아자차"


def picture(seed: int, width: int = 64, height: int = 32) -> bytes:
    """An encoded picture of noise; every seed another."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def own_set(
    path: Path, texts: list[str], sizes: list[tuple[int, int]] | None = None, first: int = 0
) -> ImageSet:
    """A set with these texts; sizes are (width, height); the pictures' seeds count from `first`."""
    sizes = sizes or [(64, 32)] * len(texts)
    items = [
        Item(picture(first + i, *size), text)
        for i, (text, size) in enumerate(zip(texts, sizes, strict=True))
    ]
    write_set(path, items, verify=False)
    return ImageSet(path)


def words(count: int, length: int = 3, seed: int = 0) -> list[str]:
    """So many labels over CHARSET, no two neighbours alike."""
    rng = np.random.default_rng(seed)
    return ["".join(rng.permutation(list(CHARSET))[:length]) for _ in range(count)]
