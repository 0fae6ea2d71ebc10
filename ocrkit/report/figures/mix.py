"""TPS's gain on sentences, single words and single syllables."""

import pandas as pd
from matplotlib.figure import Figure

from ocrkit.report.figures import style
from ocrkit.report.mix import mix_gains

_LABELS = {
    "sentence": "sentences,\nfive kinds",
    "word": "one word,\nstretched",
    "syllable": "one syllable,\nstretched",
    "word, own shape": "one word,\nown shape",
    "syllable, own shape": "one syllable,\nown shape",
    "mix": "the paper's\nmix",
}
_MIX = "#D55E00"


def tps_on_the_mix(rows: pd.DataFrame) -> Figure:
    """Points that TPS adds in each part of the test mix: one marker a pair, the bar their mean.

    The black line is the 95 % bootstrap interval of the mean.

    Args:
        rows: result rows of a preset with sets of words and syllables.
    """
    gains = mix_gains(rows)
    pairs = list(gains["mix"].table.index)
    with style.look():
        figure = style.new_figure(8.5, 3.8)
        axes = figure.subplots()
        axes.grid(axis="x", visible=False)
        for place, (part, gain) in enumerate(gains.items()):
            colour = _MIX if part == "mix" else style.FAINT
            axes.bar(place, gain.mean, width=0.55, color=colour, alpha=0.35)
            axes.vlines(place, gain.low, gain.high, color=style.INK, linewidth=1.4)
            for number, pair in enumerate(pairs):
                side = place - 0.18 + 0.36 * number / max(len(pairs) - 1, 1)
                mark = style.marker(pair.replace("?", "TPS"))
                label = pair.removeprefix("?-") if place == 0 else None
                axes.plot(side, gain.table.loc[pair, "gain"], **mark, label=label)
        axes.axhline(0, color=style.INK, linewidth=0.8)
        axes.set_xticks(range(len(gains)), [_LABELS[part] for part in gains])
        axes.set_ylabel("points that TPS adds")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), title="with and without TPS")
        return style.finish(figure)
