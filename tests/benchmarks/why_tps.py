"""When is TPS worth much? A factorial study: `python tests/benchmarks/why_tps.py [WORKERS]`.

VGG-BiLSTM-CTC with and without TPS, two seeds, in 12 set-ups around the preset `sentence`:

- 2 x 2 x 2: 600 images of each source seen again and again, or each image once; lines turned by up
  to 5 or by up to 15 degrees (in training and in the test); 1,200 or 2,400 steps;
- 1, 3, 5 and 10 words a line at one scale of letters; each image once, 2,400 steps.

Runs under runs/why-tps go on where they were stopped; data/results/why-tps gets the rows.
"""

import sys
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from unittest.mock import patch

import pandas as pd

from ocrkit.experiments.datasets import DataSets, prepare
from ocrkit.experiments.grid import Run
from ocrkit.experiments.presets import Preset, get_preset
from ocrkit.experiments.results import assemble
from ocrkit.experiments.runner import sweep
from ocrkit.synth.kinds import KINDS, Skew

MODELS, SEEDS = ("None-VGG-BiLSTM-CTC", "TPS-VGG-BiLSTM-CTC"), (1, 2)
REPEATED = 600  # images of each source
# Words a line -> width in pixels and longest label; 5 and 10 words are those of the presets.
LENGTHS = {1: (64, 4), 3: (128, 12), 5: (200, 20), 10: (400, 40)}
PAPER_SKEW = Skew().limits  # half of the lines by up to 5 degrees, half by up to 15


@dataclass(frozen=True)
class Cell:
    """One set-up: words a line, largest angles in degrees, distinct images a source, steps."""

    words: int = 5
    limits: tuple[int, ...] = PAPER_SKEW
    repeated: bool = False
    steps: int = 2400

    @property
    def name(self) -> str:
        """What its folders are called."""
        skew = "-".join(map(str, self.limits))
        return f"{self.words}w-{skew}deg-{'again' if self.repeated else 'once'}-{self.steps}"

    def preset(self, base: Preset) -> Preset:
        """The preset `base`, changed to this set-up."""
        width, longest = LENGTHS[self.words]
        images = self.steps * base.recipe.batch_size // len(base.train_kinds)
        recipe = replace(base.recipe, steps=self.steps, validate_every=self.steps // 12)
        return replace(
            base,
            name=f"why-tps-{self.name}",
            words_per_label=self.words,
            image_width=width,
            max_length=longest,
            train_images=min(REPEATED, images) if self.repeated else images,
            recipe=recipe,
        )

    def draw(self, preset: Preset, folder: Path) -> DataSets:
        """Its data. In one process, for the changed kind is known in this one alone."""
        with patch.dict(KINDS, skew=Skew(limits=self.limits)):
            return prepare(preset, folder, workers=1)


CELLS = sorted(  # the cheap ones first
    [
        *(
            Cell(limits=(limit,), repeated=repeated, steps=steps)
            for steps, repeated, limit in product((1200, 2400), (True, False), (5, 15))
        ),
        *(Cell(words=words) for words in LENGTHS),
    ],
    key=lambda cell: cell.steps,
)


def study(base: Preset, cells: list[Cell], data: Path, out: Path, workers: int) -> pd.DataFrame:
    """Train and test every cell; one row a run, with its factors in front."""
    tables = []
    for cell in cells:
        preset = cell.preset(base)
        runs = [Run(model, seed) for seed in SEEDS for model in MODELS]
        sweep(preset, cell.draw(preset, data / cell.name), runs, out / cell.name, workers)
        table = assemble(out / cell.name)[0]
        for factor in ("steps", "repeated", "words"):
            table.insert(0, f"factor_{factor}", getattr(cell, factor))
        table.insert(0, "factor_degrees", " or ".join(map(str, cell.limits)))
        tables.append(table)
        pd.concat(tables).to_csv(out / "runs.csv", index=False)
        print(f"{cell.name}: {len(table)} runs", flush=True)
    return pd.concat(tables)


if __name__ == "__main__":
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    home, committed = Path("runs/why-tps"), Path("data/results/why-tps")
    rows = study(get_preset("sentence"), CELLS, Path("data/generated/why-tps"), home, workers)
    committed.mkdir(parents=True, exist_ok=True)
    rows.to_csv(committed / "runs.csv", index=False)
