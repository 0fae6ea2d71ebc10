"""A spotter's scores as a table and as bars, for the notebooks of FOTS and TextSpotter."""

import textwrap
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import BarContainer

_MEASURES = {"detection_f1": "found", "read": "read in true boxes", "f1": "both: end to end"}
_COLOURS: list[Any] = ["#56B4E9", "#E69F00", "#0072B2"]


def score_table(runs: pd.DataFrame, kinds: tuple[str, ...]) -> pd.DataFrame:
    """A line for each run and kind of scene, percent.

    runs: committed rows with study, seed and, for each kind, detection_f1, read, f1, low, high.
    """
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
        for run in runs.to_dict("records")
        for kind in kinds
    ]
    return pd.DataFrame(lines)


def score_bars(scored: pd.DataFrame) -> Axes:
    """Bars of the mean over seeds, a dot for each seed.

    scored: as `unfamiliar_scores` returns: scenes, seed, detection_f1, read, f1 (percent).
    """
    mean = scored.groupby("scenes", sort=False)[[*_MEASURES]].mean()
    ax = mean.rename(columns=_MEASURES).plot.bar(
        color=_COLOURS, figsize=(8.5, 2.8), rot=0, width=0.8, ylabel="%", xlabel=""
    )
    for k, (bars, measure) in enumerate(zip(ax.containers, _MEASURES, strict=True)):
        assert isinstance(bars, BarContainer)
        ax.bar_label(bars, fmt="%.0f", size=8, label_type="center")
        place = scored["scenes"].map({scenes: i for i, scenes in enumerate(mean.index)})
        ax.plot(place + 0.8 / 3 * (k - 1), scored[measure], "k.", markersize=4)
    ax.set_xticks(range(len(mean)), [textwrap.fill(scenes, 18) for scenes in mean.index])
    ax.set_ylim(0, 125)
    ax.legend(ncols=3, fontsize=8, loc="upper right")
    plt.show()
    return ax
