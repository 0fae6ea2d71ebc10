"""Feeding: batches for a model of 32x400 pixels, from an LMDB set of ten-word sentences."""

import itertools
import tempfile
from pathlib import Path

import numpy as np

from ocrkit.bench.rates import Row, in_turns, timed, torch_threads
from ocrkit.data.batches import Batches
from ocrkit.data.cache import load_pixels, resize, to_input
from ocrkit.data.store import ImageSet, Item, write_set
from ocrkit.synth import Generation, find_fonts, read_words, samples

REACH = 8.0
WIDTH = 400


def measure(
    rounds: int = 5,
    images: int = 480,
    copies: int = 10,
    batch_size: int = 192,
    ours: int = 25,
    theirs: int = 4,
) -> Row:
    """The cache's later passes beside decoding and resizing each image each time.

    Args:
        images: sentences drawn, half basic and half skew as in the paper.
        copies: how often each is stored: the cache file must not fit the processor's own.
        batch_size: images a batch.
        ours, theirs: batches a round.
    """
    with tempfile.TemporaryDirectory() as scratch, torch_threads(1):
        stored = ImageSet(_write(Path(scratch) / "set", images, copies))
        cached = load_pixels(stored, WIDTH)  # the first pass
        batches = Batches([cached], batch_size, seed=1)
        steps, their_steps = itertools.count(), itertools.count()

        def feed() -> int:
            for _ in range(ours):
                batch = batches[next(steps)]
                to_input(batch.pixels)
            return ours * batch_size

        def decode_and_feed() -> int:
            for _ in range(theirs):
                (rows,) = batches.indices(next(their_steps))
                pixels = [resize(stored.image(int(row)), WIDTH) for row in rows]
                _ = [stored.text(int(row)) for row in rows]
                to_input(np.stack(pixels))
            return theirs * batch_size

        rates = in_turns(lambda: timed(feed), lambda: timed(decode_and_feed), rounds)
        size = cached.pixels.nbytes / 2**20
    note = f"batches of {batch_size}; cache of {size:.0f} MiB after its first pass; one thread"
    against = "decode and resize each time"
    return Row(f"feed: 32x{WIDTH} batches", against, REACH, "processor", *rates, note)


def _write(path: Path, images: int, copies: int) -> Path:
    words, fonts = tuple(read_words()), tuple(find_fonts())
    drawn = [
        sample
        for kind in ("basic", "skew")
        for sample in samples(Generation(kind, images // 2, 1, words, fonts))
    ]
    items = (Item(sample.image, sample.label) for _ in range(copies) for sample in drawn)
    write_set(path, items, verify=False)
    return path
