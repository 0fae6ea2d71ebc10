"""Generating: ten-word sentences, 64 pixels high, as JPEG in memory, beside TRDG.

TRDG (TextRecognitionDataGenerator, Belval, 2017-2022) drew the paper's images. It is used as
published, in a process of its own: it wants older libraries than ours.
"""

import itertools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timing import in_turns, row

from ocrkit.synth import (
    Background,
    Basic,
    Blur,
    Distortion,
    Generation,
    Sample,
    Skew,
    find_fonts,
    read_words,
    samples,
)  # fmt: skip

SIDE = Path(__file__).with_name("trdg_side.py")
# A kind in equal parts: our settings, and TRDG's options for the same.
PARTS: dict[str, list[tuple[Basic, dict[str, Any]]]] = {
    "basic": [(Basic(), {})],
    "skew": [(Skew(limits=(k,)), {"skewing_angle": k, "random_skew": True}) for k in (5, 15)],
    "blur": [(Blur(radii=(radius,)), {"blur": radius}) for radius in (1, 2, 4)],
    "distortion": [
        (Distortion(orientations=(name,)), {"distorsion_type": 3, "distorsion_orientation": i})
        for i, name in enumerate(("vertical", "horizontal", "both"))
    ],
    "quasi-crystal": [(Background(papers=("quasi-crystal",)), {"background_type": 2})],
}


def measure(
    python: Path, rounds: int = 5, ours: int = 240, theirs: int = 24
) -> Iterator[dict[str, Any]]:
    """A row a kind.

    Args:
        python: the Python that TRDG is installed for; without it, our side stands alone.
        ours, theirs: images a round, multiples of 6; of the slow quasi-crystals TRDG draws a sixth.
    """
    (font,) = (font for font in find_fonts() if font.name == "NanumGothic")
    words, seeds = tuple(read_words()), itertools.count(1)
    for kind, parts in PARTS.items():
        drawn: list[list[Sample]] = []
        few = theirs // 6 if kind == "quasi-crystal" else theirs

        def draw(kind: str = kind, parts: list = parts, drawn: list = drawn) -> None:
            seed, each = next(seeds), ours // len(parts)
            drawn[:] = [
                list(samples(Generation(kind, each, seed, words, (font,), settings=settings)))
                for settings, _ in parts
            ]

        rates, other_rates, against, note = [], [], "TRDG", ""
        for _ in range(rounds):
            ((seconds,),) = in_turns([draw], rounds=1)
            rates.append(ours / seconds)
            each = few // len(parts)
            texts = [[sample.label for sample in part[:each]] for part in drawn]
            asked = [[options, each] for (_, options), each in zip(parts, texts, strict=True)]
            job = {"font": str(font.path), "parts": asked}
            try:
                answer = draw_with_trdg(python, job)
            except (OSError, subprocess.CalledProcessError) as error:
                last = str(getattr(error, "stderr", None) or error).strip().splitlines()[-1]
                note = f"TRDG does not run here ({last}): `make bench` installs it"
                continue
            other_rates.append(each * len(parts) / answer["seconds"])
            on = ", ".join(f"{k} {v}" for k, v in answer["versions"].items() if k != "trdg")
            against = f"TRDG {answer['versions']['trdg']} ({on})"
        note = note or f"{ours} images a round, TRDG {few} of the same texts; one font, one thread"
        yield row(f"generate: {kind}", against, rates, other_rates, note)


def draw_with_trdg(python: Path, job: dict[str, Any]) -> dict[str, Any]:
    """TRDG's answer to a job; see `trdg_side.py`. CalledProcessError, OSError: it does not run."""
    # -I: that Python should not take this folder's modules for its own.
    ended = subprocess.run(
        [python, "-I", SIDE], input=json.dumps(job), capture_output=True, text=True, check=True
    )
    return json.loads(ended.stdout)
