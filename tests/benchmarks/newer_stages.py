"""The newer stages beside the paper's: `python tests/benchmarks/newer_stages.py [WORKERS]`.

VGG without TPS, with each newer option of the sequence stage (Transformer, SVTR) and of the
prediction stage (JamoCTC, PARSeq), and with the paper's. On `mini` with three seeds and on
`sentence` with one; with the preset's steps, and with as many as fill the processor seconds that
None-VGG-BiLSTM-CTC took for those ("equal seconds").

Runs under runs/newer-stages go on where they were stopped; data/results/beyond/newer_stages.csv
gets the rows after each part.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
from earlier import EARLIER

from ocrkit.experiments.datasets import DataSets, prepare
from ocrkit.experiments.grid import Run
from ocrkit.experiments.presets import Preset, get_preset
from ocrkit.experiments.results import assemble
from ocrkit.experiments.runner import sweep
from ocrkit.files import atomic_file

REFERENCE = "None-VGG-BiLSTM-CTC"
MODELS = (
    *("None-VGG-None-CTC", REFERENCE, "None-VGG-BiLSTM-Attn"),
    *("None-VGG-Transformer-CTC", "None-VGG-SVTR-CTC"),
    *("None-VGG-BiLSTM-JamoCTC", "None-VGG-BiLSTM-PARSeq"),
)
SEEDS = {"mini": (1, 2, 3), "sentence": (1,)}


def as_trained(preset: Preset) -> Preset:
    """The preset as it was when the committed rows were made: `mini` with half as many steps."""
    recipe = replace(preset.recipe, **EARLIER)
    if preset.name == "mini":
        recipe = replace(recipe, steps=1800, validate_every=150)
    return replace(preset, recipe=recipe)


def steps_for_equal_seconds(rows: pd.DataFrame) -> dict[str, int]:
    """Model -> steps that fill the reference's seconds, to the next 25; the reference is left out.

    rows: with equal steps. A model's seconds are the median over its seeds.
    """
    seconds = rows.groupby("model")["cpu_seconds"].median()
    steps = rows["steps"].iloc[0] * seconds[REFERENCE] / seconds.drop(REFERENCE)
    return (25 * (steps / 25).round().astype(int)).to_dict()


def train(preset: Preset, data: DataSets, models: tuple[str, ...], out: Path, workers: int):
    """The rows of some models with all seeds of the preset."""
    runs = [Run(model, seed) for seed in SEEDS[preset.name] for model in models]
    sweep(preset, data, runs, out, workers)
    return assemble(out)[0]


def study(
    preset: Preset, data: DataSets, out: Path, workers: int, budget: str, save: Callable
) -> None:
    """One part of the study: a preset, with equal "steps" or equal "seconds"."""
    rows = train(preset, data, MODELS, out / preset.name, workers)
    if budget == "seconds":
        parts = [rows[rows["model"] == REFERENCE]]
        for model, steps in steps_for_equal_seconds(rows).items():
            # Whole validations: the last one is that of the last step.
            recipe = replace(preset.recipe, steps=steps, validate_every=max(25, steps // 12))
            longer = replace(preset, recipe=recipe)
            folder = out / f"{preset.name}-seconds" / model
            parts.append(train(longer, data, (model,), folder, workers))
        rows = pd.concat(parts)
    rows.insert(0, "budget", f"equal {budget}")
    save(rows)


def main(out: Path, committed: Path, presets: list[Preset], workers: int = 2) -> None:
    """All parts, the cheap ones first; the table is written anew after each."""
    done: list[pd.DataFrame] = []

    def save(rows: pd.DataFrame) -> None:
        done.append(rows)
        with atomic_file(committed) as temporary:
            pd.concat(done).to_csv(temporary, index=False)

    data = {
        preset.name: prepare(preset, Path("data/generated") / preset.name) for preset in presets
    }
    for budget in ("steps", "seconds"):
        for preset in presets:
            study(preset, data[preset.name], out, workers, budget, save)
            print(f"{preset.name}, equal {budget}: done", flush=True)


if __name__ == "__main__":
    main(
        Path("runs/newer-stages"),
        Path("data/results/beyond/newer_stages.csv"),
        [as_trained(get_preset(name)) for name in SEEDS],
        int(sys.argv[1]) if len(sys.argv) > 1 else 2,
    )
