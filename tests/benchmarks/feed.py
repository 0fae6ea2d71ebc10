"""Feeding: batches for a model of 32x400 pixels, from an LMDB set of ten-word sentences."""

import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from timing import in_turns, row

from ocrkit.data.batches import Batches
from ocrkit.data.cache import load_pixels, resize, to_input
from ocrkit.data.store import ImageSet, Item, write_set
from ocrkit.synth import Generation, find_fonts, read_words, samples

WIDTH = 400


def measure(
    rounds: int = 5, images: int = 480, copies: int = 10, batch_size: int = 192,
    ours: int = 25, theirs: int = 4,
) -> dict[str, Any]:  # fmt: skip
    """The cache's later passes beside decoding and resizing each image each time.

    Args:
        images: sentences drawn, half basic and half skew as in the paper.
        copies: how often each is stored: the cache file must not fit the processor's own.
        ours, theirs: batches a round.
    """
    words, fonts = tuple(read_words()), tuple(find_fonts())
    kinds = (Generation(kind, images // 2, 1, words, fonts) for kind in ("basic", "skew"))
    drawn = [sample for kind in kinds for sample in samples(kind)]
    with tempfile.TemporaryDirectory() as scratch:
        items = (Item(sample.image, sample.label) for _ in range(copies) for sample in drawn)
        write_set(Path(scratch) / "set", items, verify=False)
        stored = ImageSet(Path(scratch) / "set")
        cached = load_pixels(stored, WIDTH)  # the first pass
        batches = Batches([cached], batch_size, seed=1)
        steps, their_steps = itertools.count(), itertools.count()

        def feed() -> None:
            for _ in range(ours):
                to_input(batches[next(steps)].pixels)

        def decode_and_feed() -> None:
            for _ in range(theirs):
                (rows,) = batches.indices(next(their_steps))
                pixels = [resize(stored.image(int(row)), WIDTH) for row in rows]
                _ = [stored.text(int(row)) for row in rows]
                to_input(np.stack(pixels))

        seconds = in_turns([feed, decode_and_feed], rounds)
        size = cached.pixels.nbytes / 2**20
    rates = [
        [batch_size * count / s for s in each]
        for count, each in zip((ours, theirs), seconds, strict=True)
    ]
    note = f"batches of {batch_size}; cache of {size:.0f} MiB after its first pass; one thread"
    against = "decode and resize each time"
    return row(f"feed: 32x{WIDTH} batches", against, *rates, note)
