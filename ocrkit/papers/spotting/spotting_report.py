"""What the spotters' notebooks show: their scores, their curves, and where they break."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import nn

from ocrkit.papers.shared.scene_sets import scene_set
from ocrkit.papers.shared.study import Study, rows
from ocrkit.papers.spotting.spotter import KINDS, SpottingTask, scores
from ocrkit.report.figures.style import finish, look, new_figure
from ocrkit.synth.scenes import SCENES
from ocrkit.training import Loop

# Where the training did not go, but for the first.
WORLDS = {
    "as trained": KINDS["rotated"],
    "letters of 12 to 17 pixels": replace(KINDS["rotated"], em=(12, 17)),
    "turned up to 80°": replace(KINDS["rotated"], angle=80.0),
    "curved": replace(SCENES["curved"], em=KINDS["rotated"].em),
}
_BARS = {
    "detection_f1": ("found", "#56B4E9"),
    "read": ("read in true boxes", "#E69F00"),
    "f1": ("both: end to end", "#0072B2"),
}


def tried(study: Study) -> tuple[nn.Module, pd.DataFrame]:
    """A study's model after three steps, and its curve: to draw with where no run is there."""
    few = replace(study.recipe, steps=3, validate_every=1)
    loop = Loop(study.make(1), SpottingTask(1, 2, count=2), few, 1)
    curve = pd.DataFrame(loop.run().history).assign(study=study.name, seed=1)
    return loop.model.eval(), curve


def score_table(folder: Path, *names: str) -> pd.DataFrame:
    """The runs' test scores as text, a row a run and kind of scenes."""
    lines = [
        {
            "model": run["study"],
            "seed": str(run["seed"]),
            "scenes": kind,
            "found, F1": f"{run[f'detection_f1_{kind}']:.1f}",
            "read (true boxes)": f"{run[f'read_{kind}']:.1f} %",
            "end to end, F1": f"{run[f'f1_{kind}']:.1f}",
            "95 % interval": f"{run[f'low_{kind}']:.1f} to {run[f'high_{kind}']:.1f}",
        }
        for run in rows(folder, *names).to_dict("records")
        for kind in KINDS
    ]
    return pd.DataFrame(lines)


def tell(folder: Path, *names: str) -> None:
    """Print what each run reached and what it cost."""
    for run in rows(folder, *names).to_dict("records"):
        print(
            f"{run['study']}, seed {run['seed']}: end to end F1 {run['f1_upright']:.1f} upright, "
            f"{run['f1_rotated']:.1f} rotated ({run['params']:,} weights, "
            f"{run['steps']:,} steps, {run['cpu_seconds']:.0f} s of processor time)"
        )


def world_scores(models: Mapping[int, nn.Module], count: int) -> pd.DataFrame:
    """`scores` of models, by seed, in each of `WORLDS`, on `count` test scenes: world, seed, ..."""
    lines = [
        {"world": name, "seed": seed, **scores(model, scene_set("test", count, settings))}
        for name, settings in WORLDS.items()
        for seed, model in models.items()
    ]
    return pd.DataFrame(lines)


def score_bars(marks: pd.DataFrame) -> Figure:
    """`world_scores` side by side: a bar is the mean of the seeds, a dot is one seed."""
    mean = marks.groupby("world", sort=False)[list(_BARS)].mean()
    place = dict(zip(mean.index, np.arange(len(mean)), strict=True))
    with look():
        figure = new_figure(8.5, 2.8)
        ax = figure.subplots()
        for k, (value, (name, colour)) in enumerate(_BARS.items()):
            aside = 0.27 * (k - 1)
            bars = ax.bar(np.arange(len(mean)) + aside, mean[value], 0.25, color=colour, label=name)
            ax.bar_label(bars, fmt="%.0f", size=8, label_type="center")
            ax.plot(marks["world"].map(place) + aside, marks[value], "k.", markersize=4)
        ax.set_xticks(list(place.values()), list(place))
        ax.set(ylabel="%", ylim=(0, 125))
        ax.grid(axis="x", visible=False)
        ax.legend(ncols=3, fontsize=8, loc="upper right")
        return finish(figure)
