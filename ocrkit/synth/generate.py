"""Sentence images with labels: a seed per sample, so that workers cannot change a byte."""

import dataclasses
import hashlib
import io
import itertools
import multiprocessing
import os
import platform
import zlib
from collections import ChainMap, deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from unittest import mock

import numpy as np
import PIL
from PIL import features

from ocrkit.errors import OcrkitError
from ocrkit.processes import deaf_to_ctrl_c, start_worker
from ocrkit.synth.fonts import Font
from ocrkit.synth.handwriting import Handwriting
from ocrkit.synth.kinds import KINDS, Basic
from ocrkit.synth.render import Layout

_KINDS: ChainMap[str, Basic] = ChainMap({"handwriting": Handwriting()}, KINDS)
_CHUNK = 32  # samples per task: some 50 ms of work against 1 ms of messages
_TRIES = 100
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


@dataclass(frozen=True)
class Generation:
    """What to generate: `count` images of one kind.

    A label is `words_per_label` words, uniform with replacement. With probability `random_share`
    a word is instead a string of `random_length` (least, most) characters over `syllables`, never
    one of `held_out`: a model then learns syllables rather than the list, and still meets no word
    of the test set. `height` is in pixels. `settings` replaces the kind's own parameters.
    Raises OcrkitError for an unknown kind, no words, no fonts, or numbers out of range.
    """

    kind: str
    count: int
    seed: int
    words: tuple[str, ...]
    fonts: tuple[Font, ...]
    words_per_label: int = 10
    separator: str = " "
    random_share: float = 0.0
    random_length: tuple[int, int] = (1, 4)
    syllables: str = ""
    height: int = 64
    jpeg_quality: int = 75
    settings: Basic | None = None
    held_out: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.settings is None and self.kind not in _KINDS:
            raise OcrkitError(f"unknown kind '{self.kind}': choose one of {', '.join(_KINDS)}")
        if not self.words and self.random_share < 1:
            raise OcrkitError("no words to draw from: give at least one word")
        if not self.fonts:
            raise OcrkitError("no fonts to draw with: give at least one font")
        if self.count < 0 or self.seed < 0 or self.words_per_label < 1 or self.height < 16:
            raise OcrkitError(
                "count and seed must be 0 or more, words_per_label 1 or more, height 16 or more"
            )
        if not 1 <= self.jpeg_quality <= 100:
            raise OcrkitError(f"jpeg_quality must lie in 1..100, got {self.jpeg_quality}")
        if not 0 <= self.random_share <= 1:
            raise OcrkitError(f"random_share must lie in 0..1, got {self.random_share}")
        if self.random_share and not self.syllables:
            raise OcrkitError("random_share needs syllables to draw from: give some")
        if not 1 <= self.random_length[0] <= self.random_length[1]:
            raise OcrkitError(f"random_length must be (least, most), got {self.random_length}")
        if any(not word.strip() for word in self.words):
            raise OcrkitError("an empty word cannot be drawn: remove it from the words")
        if any(ch in text for text in (*self.words, self.separator) for ch in "\t\r\n"):
            raise OcrkitError("words and separator may hold no tab or line break: remove them")


@dataclass(frozen=True)
class Sample:
    """One image: its index in the generation, kind, label, font's name and JPEG bytes."""

    index: int
    kind: str
    label: str
    font: str
    image: bytes


def sample(generation: Generation, index: int) -> Sample:
    """Sample number `index`; it depends on the generation and the index alone."""
    # A counter-based generator keyed by (seed, kind, index): Salmon et al., SC 2011.
    entropy = (generation.seed, zlib.crc32(generation.kind.encode()), index)
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
    label = draw_label(generation, rng)
    font = generation.fonts[rng.integers(len(generation.fonts))]
    page = Layout(height=generation.height, margin=round(generation.height * 5 / 64))
    picture = _settings(generation).draw(label, font, rng, page)
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=generation.jpeg_quality)
    return Sample(index, generation.kind, label, font.name, jpeg.getvalue())


def _settings(generation: Generation) -> Basic:
    return generation.settings or _KINDS[generation.kind]


def draw_label(generation: Generation, rng: np.random.Generator) -> str:
    """A label: words (or, by random_share, random strings) with the separator between them."""
    n = generation.words_per_label
    if not generation.random_share:
        return generation.separator.join(
            [generation.words[i] for i in rng.integers(len(generation.words), size=n)]
        )
    as_random = rng.random(n) < generation.random_share
    words = [
        _random_word(generation, rng)
        if random
        else generation.words[rng.integers(len(generation.words))]
        for random in as_random
    ]
    return generation.separator.join(words)


def _random_word(generation: Generation, rng: np.random.Generator) -> str:
    least, most = generation.random_length
    for _ in range(_TRIES):
        size = rng.integers(least, most + 1)
        picks = rng.integers(len(generation.syllables), size=size)
        word = "".join([generation.syllables[i] for i in picks])
        if word not in generation.held_out:
            return word
    raise OcrkitError("every random string drawn is held out: allow more syllables or lengths")


def samples(generation: Generation, workers: int = 1) -> Iterator[Sample]:
    """All samples in order, made by this process or by `workers` spawned ones.

    With more than one worker, a script needs the `if __name__ == "__main__":` guard.
    """
    workers = min(workers, -(-generation.count // _CHUNK))  # a worker needs a task
    if workers <= 1:
        for index in range(generation.count):
            yield sample(generation, index)
        return
    # Spawned, not forked: a fork of a process that has run torch may deadlock.
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), _start_worker, (generation,)
    )

    def submit(indices: range) -> Future[list[Sample]]:
        # The first tasks start the workers: one BLAS thread each, or they fight over the cores.
        with mock.patch.dict(os.environ, _ONE_THREAD), deaf_to_ctrl_c():
            return pool.submit(_draw, indices)

    starts = range(0, generation.count, _CHUNK)
    chunks = (range(start, min(start + _CHUNK, generation.count)) for start in starts)
    try:
        pending = deque(submit(chunk) for chunk in itertools.islice(chunks, 4 * workers))
        while pending:
            done = pending.popleft().result()
            if chunk := next(chunks, None):
                pending.append(submit(chunk))
            yield from done
    except BrokenProcessPool as error:
        raise OcrkitError(
            "a worker process died: use workers=1, or fewer, and in a script start it all under "
            "if __name__ == '__main__':"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_generation: Generation  # of this worker process


def _start_worker(generation: Generation) -> None:
    global _generation
    _generation = generation
    start_worker()


def _draw(indices: range) -> list[Sample]:
    return [sample(_generation, index) for index in indices]


def manifest(*generations: Generation) -> dict:
    """What made the images, ready for JSON: parameters, seeds, hashes of fonts and words."""
    return {
        "generations": [_describe(generation) for generation in generations],
        "count": sum(generation.count for generation in generations),
        "versions": versions(),
    }


def versions() -> dict[str, str | None]:
    """What decides, besides a `Generation`, which bytes come out."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "freetype": features.version("freetype2"),
        "jpeg": features.version("libjpeg_turbo") or features.version("jpg"),
    }


def _describe(generation: Generation) -> dict:
    lists = {"words": generation.words, "held_out": sorted(generation.held_out)}
    counted = {  # thousands of words: their number and hash say enough
        name: {"count": len(words), "sha256": hashlib.sha256("\n".join(words).encode()).hexdigest()}
        for name, words in lists.items()
    }
    fonts = [{"name": font.name, "sha256": font.sha256} for font in generation.fonts]
    settings = dataclasses.asdict(_settings(generation))
    return vars(generation) | counted | {"fonts": fonts, "settings": settings}
