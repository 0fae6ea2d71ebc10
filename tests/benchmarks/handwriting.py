"""Readers of print before faces of handwriting: `python tests/benchmarks/handwriting.py`.

Two readers at the size of the preset `mini`, each trained twice with as many images: on print
(basic and skew), and on a mixture of which half is handwriting. They read unseen words in print, in
each face as it is, and in each face bent and in changing weight. Two faces that look alike are kept
out of each seed's training. data/results/beyond/handwriting.csv gets a row a test and face; what it
holds is not done again.
"""

import argparse
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pandas as pd
from earlier import EARLIER

from ocrkit.data.cache import Pixels, draw_pixels
from ocrkit.errors import OcrkitError
from ocrkit.experiments.datasets import Plan, plan
from ocrkit.experiments.presets import get_preset
from ocrkit.experiments.setup import new_trainer
from ocrkit.files import atomic_file
from ocrkit.metrics import score
from ocrkit.synth import Font, Generation, find_fonts, samples
from ocrkit.synth.fonts import HANDWRITING, handwriting_family
from ocrkit.training import Trainer, read_all

MODELS = ("None-VGG-BiLSTM-CTC", "TPS-VGG-BiLSTM-CTC")
TRAININGS = ("print", "mixed")
# Pairs that look alike, so that a face kept out has no twin in the training.
HELD_OUT = (("Gaegu", "GamjaFlower"), ("NanumBrush", "NanumPen"), ("PoorStory", "SingleDay"))


def held_out(seed: int) -> tuple[str, ...]:
    """The faces that a seed's training does not see."""
    return HELD_OUT[(seed - 1) % len(HELD_OUT)]


def faces() -> dict[str, Font]:
    """One font of each family of `HANDWRITING`. Raises OcrkitError if one is missing."""
    found: dict[str, Font] = {}
    for font in find_fonts("handwriting"):
        found.setdefault(handwriting_family(font.name) or "", font)
    if missing := [family for family in HANDWRITING if family not in found]:
        raise OcrkitError(f"no font of {', '.join(missing)}: `make fonts` brings them")
    return {family: found[family] for family in HANDWRITING}


@lru_cache
def _plan() -> Plan:
    return plan(get_preset("mini"))


@lru_cache(maxsize=64)
def _pixels(generation: Generation) -> Pixels:
    return draw_pixels(samples(generation), _plan().preset.image_width)


def _drawn(name: str, count: int, **changes) -> Pixels:
    """The first images of one of the sets of `mini`, or of that set changed."""
    return _pixels(replace(_plan().generations[name][0], count=count, **changes))


def training_sets(training: str, seed: int, images: int) -> list[Pixels]:
    """What a reader learns from: as many images either way, an equal part of a batch from each."""
    kinds = ("train-basic", "train-skew")
    if training == "print":
        return [_drawn(name, images // 2) for name in kinds]
    learnt = tuple(font for family, font in faces().items() if family not in held_out(seed))
    return [_drawn(name, images // 4) for name in kinds] + [
        _drawn(
            "train-basic", images // 4, kind="handwriting", fonts=learnt, seed=1000 * seed + part
        )
        for part in (1, 2)
    ]


def tests(images: int, images_a_face: int) -> dict[tuple[str, str], Pixels]:
    """(kind, face) -> images of words that no training held; the face of print is "print"."""
    sets = {
        ("basic", "print"): _drawn("test-basic", images),
        ("skew", "print"): _drawn("test-skew", images),
        ("handwriting", "print"): _drawn("test-basic", images, kind="handwriting"),
    }
    for kind in ("basic", "handwriting"):
        for family, font in faces().items():
            one = {"kind": kind, "fonts": (font,)}
            sets[kind, family] = _drawn("test-basic", images_a_face, **one)
    return sets


def run(model: str, training: str, seed: int, steps: int, counts: tuple[int, int]) -> list[dict]:
    """Train one reader; a row for each test and face."""
    preset = _plan().preset
    recipe = replace(preset.recipe, steps=steps, validate_every=max(1, steps // 4), **EARLIER)
    sources = training_sets(training, seed, steps * recipe.batch_size)
    valid = _drawn("valid", preset.valid_images // 2)
    sizes = {name: getattr(preset, name) for name in ("image_width", "width", "max_length")}
    started = time.process_time()
    trainer = new_trainer(model, _plan().charset, sources, valid, sizes, recipe, seed)
    trainer.run()
    seconds = round(time.process_time() - started, 1)
    told = {"model": model, "training": training, "seed": seed, "steps": steps}
    return [
        {**told, "test": kind, "face": face, "held_out": face in held_out(seed)}
        | {**_scores(trainer, images), "cpu_seconds": seconds}
        for (kind, face), images in tests(*counts).items()
    ]


def _scores(trainer: Trainer, images: Pixels) -> dict[str, float]:
    read = read_all(trainer.model, trainer.converter, images.pixels)
    found = score(read.texts, images.texts).as_dict()
    names = ("images", "accuracy", "low", "high", "cer")
    return {name: round(found[name], 3) for name in names}


def main() -> None:
    """Train what the table does not hold yet."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--tests", type=int, default=500)
    parser.add_argument("--face-tests", type=int, default=150)
    parser.add_argument("--out", type=Path, default=Path("data/results/beyond/handwriting.csv"))
    options = parser.parse_args()
    faces()  # before anything is trained, say what is missing
    rows = pd.read_csv(options.out).to_dict("records") if options.out.exists() else []
    for seed in options.seeds:
        for training in TRAININGS:
            for model in options.models:
                what = (model, training, seed)
                if any((row["model"], row["training"], row["seed"]) == what for row in rows):
                    continue
                rows += run(*what, options.steps, (options.tests, options.face_tests))
                print(*what, f"{rows[-1]['cpu_seconds']:.0f} s of a core", flush=True)
                with atomic_file(options.out) as temporary:
                    pd.DataFrame(rows).to_csv(temporary, index=False)


if __name__ == "__main__":
    main()
