"""A tenth of the syllables kept out of training: `python tests/benchmarks/unseen.py`.

CTC and JamoCTC learn the same images of single syllables, drawn straight and skewed in the four
pinned faces, and are tested on other images of those and of syllables never seen. Each seed keeps
others out. data/results/beyond/unseen.csv gets a row a head and seed; what it holds is not done
again.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from earlier import EARLIER

from ocrkit.data.cache import Pixels, draw_pixels
from ocrkit.experiments.setup import new_trainer
from ocrkit.files import atomic_file
from ocrkit.hangul import decompose
from ocrkit.metrics import score
from ocrkit.synth import Generation, common_syllables, find_fonts, read_words, samples
from ocrkit.training import RECIPES, Trainer, read_all

HEADS = ("CTC", "JamoCTC")
SIZES = {"image_width": 32, "width": 0.125, "max_length": 1}
RECIPE = replace(RECIPES["fast"], name="fast-unseen", validate_every=150, **EARLIER)


def held_out(syllables: str, count: int, seed: int) -> str:
    """So many of the syllables, drawn at random, whose letters all stand in some that stay.

    A letter counts in its place: a lead consonant teaches nothing about the tail.
    """
    kept, out = list(syllables), ""
    for chosen in np.random.default_rng(seed).permutation(kept):
        rest = [decompose(syllable) for syllable in kept if syllable != chosen]
        letters = zip(decompose(str(chosen)), zip(*rest, strict=True), strict=True)
        if len(out) < count and all(letter in place for letter, place in letters):
            kept.remove(chosen)
            out += str(chosen)
    return out


def draw(syllables: str, count: int, seed: int) -> list[Pixels]:
    """Images of single syllables, straight and skewed, as many of each."""
    fonts = tuple(find_fonts("koreanize"))
    return [
        draw_pixels(
            samples(
                Generation(
                    *(kind, count, seed + i, (), fonts),
                    words_per_label=1,
                    random_share=1.0,
                    random_length=(1, 1),
                    syllables=syllables,
                )
            ),
            SIZES["image_width"],
        )
        for i, kind in enumerate(("basic", "skew"))
    ]


def together(sets: list[Pixels]) -> Pixels:
    """The images of several sets as one."""
    texts = [text for part in sets for text in part.texts]
    return Pixels(np.concatenate([part.pixels for part in sets]), texts, [])


def accuracy(trainer: Trainer, images: Pixels) -> dict[str, float]:
    """Accuracy, percent, and its 95 % interval."""
    read = read_all(trainer.model, trainer.converter, images.pixels)
    found = score(read.texts, images.texts)
    return {"": found.accuracy, "_low": found.low, "_high": found.high}


def run(head: str, seed: int, pool: int, steps: int, images: int, tests: int) -> dict:
    """One row: a head trained on the syllables that stay, and tested on both parts of the pool."""
    syllables = common_syllables(read_words(), pool)
    unseen = held_out(syllables, pool // 10, seed)
    seen = "".join(c for c in syllables if c not in unseen)
    valid = together(draw(seen, 50, 1000 * seed + 20))
    trainer = new_trainer(
        *(f"None-VGG-None-{head}", syllables, draw(seen, images // 2, 1000 * seed), valid),
        *(dict(SIZES), replace(RECIPE, steps=steps), seed),
    )
    started = time.process_time()
    history = trainer.run().history
    row = {"head": head, "pool": pool, "seed": seed, "steps": steps, "images": images}
    row["held_out"] = unseen
    row["cpu_seconds"] = round(time.process_time() - started, 1)
    row["valid_curve"] = " ".join(f"{point['valid_accuracy']:.0f}" for point in history)
    for part, chosen, offset in (("seen", seen, 40), ("unseen", unseen, 60)):
        found = accuracy(trainer, together(draw(chosen, tests // 2, 1000 * seed + offset)))
        row |= {f"{part}{end}": round(value, 1) for end, value in found.items()}
    return row | {"params": sum(p.numel() for p in trainer.model.parameters())}


def main() -> None:
    """Train what the table does not hold yet."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--pool", type=int, default=100)
    parser.add_argument("--images", type=int, default=2400)
    parser.add_argument("--tests", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("data/results/beyond/unseen.csv"))
    options = parser.parse_args()
    rows = pd.read_csv(options.out).to_dict("records") if options.out.exists() else []
    for seed in options.seeds:
        for head in HEADS:
            sizes = (options.pool, options.steps, options.images, options.tests)
            what = (head, options.pool, seed)
            if any((row["head"], row["pool"], row["seed"]) == what for row in rows):
                continue
            rows.append(run(head, seed, *sizes))
            print(rows[-1], flush=True)
            with atomic_file(options.out) as temporary:
                pd.DataFrame(rows).to_csv(temporary, index=False)


if __name__ == "__main__":
    main()
