"""Generating: ten-word sentences, 64 pixels high, as JPEG in memory, beside TRDG."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ocrkit.bench.rates import Rate, Row, in_turns, timed
from ocrkit.bench.trdg import Trdg, start_trdg, trdg_command
from ocrkit.errors import OcrkitError
from ocrkit.synth import (
    Background,
    Basic,
    Blur,
    Distortion,
    Font,
    Generation,
    Sample,
    Skew,
    find_fonts,
    read_words,
    samples,
)
from ocrkit.synth.kinds import Kind

REACH = 10.0
FONT = "NanumGothic"
# A kind in equal parts, and how each side is asked for a part.
PARTS: dict[str, list[tuple[Kind, dict[str, Any]]]] = {
    "basic": [(Basic(), {})],
    "skew": [(Skew(limits=(k,)), {"skewing_angle": k, "random_skew": True}) for k in (5, 15)],
    "blur": [(Blur(radii=(radius,)), {"blur": radius}) for radius in (1, 2, 4)],
    "distortion": [
        (Distortion(orientations=(name,)), {"distorsion_type": 3, "distorsion_orientation": i})
        for i, name in enumerate(("vertical", "horizontal", "both"))
    ],
    "quasi-crystal": [(Background(papers=("quasi-crystal",)), {"background_type": 2})],
}
# Where TRDG takes a third of a second an image, fewer of them will do.
SHARE = {"quasi-crystal": 1 / 6}


def measure(python: Path, rounds: int = 5, ours: int = 240, theirs: int = 24) -> Iterator[Row]:
    """One row a kind.

    Args:
        python: the Python that TRDG is installed for; without it, our side stands alone.
        ours, theirs: images a round; multiples of 6, so that they split into equal parts.
    """
    (font,) = (font for font in find_fonts() if font.name == FONT)
    with contextlib.ExitStack() as stack:
        trdg, why = None, ""
        try:
            trdg = stack.enter_context(start_trdg(trdg_command(python)))
        except OcrkitError as error:
            why = str(error)
        for kind in PARTS:
            few = max(1, round(theirs * SHARE.get(kind, 1)))
            yield _row(kind, font, trdg, why, rounds, ours, few)


def _row(
    kind: str, font: Font, trdg: Trdg | None, why: str, rounds: int, ours: int, theirs: int
) -> Row:
    parts, words = PARTS[kind], tuple(read_words())
    drawn: list[list[Sample]] = []
    seeds = itertools.count(1)

    def draw() -> int:
        seed, each = next(seeds), ours // len(parts)
        drawn[:] = [
            list(samples(Generation(kind, each, seed, words, (font,), settings=settings)))
            for settings, _ in parts
        ]
        return each * len(parts)

    def draw_with_trdg() -> Rate:
        # The first of the texts that we have just drawn.
        each = theirs // len(parts)
        texts = [[sample.label for sample in part[:each]] for part in drawn]
        options = [options for _, options in parts]
        return trdg.draw(font.path, list(zip(options, texts, strict=True)))

    rates = None
    if trdg:
        try:
            rates = in_turns(lambda: timed(draw), draw_with_trdg, rounds)
        except OcrkitError as error:
            why = str(error)
    if rates is None:
        rates = in_turns(lambda: timed(draw), None, rounds)
    against = "TRDG"
    if trdg:
        on = ", ".join(f"{k} {v}" for k, v in trdg.versions.items() if k != "trdg")
        against = f"TRDG {trdg.versions['trdg']} ({on})"
    note = why or f"{ours} images a round, TRDG {theirs} of the same texts; one font, one thread"
    return Row(f"generate: {kind}", against, REACH, "processor", *rates, note)
