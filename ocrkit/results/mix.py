"""The paper's test mix: sentences, single words and single syllables, told apart."""

from collections.abc import Mapping

import pandas as pd

from ocrkit.experiments.presets import KINDS, get_preset
from ocrkit.experiments.scoring import PAPER_IMAGES, paper_weighted
from ocrkit.results.rows import by_model, ended_well
from ocrkit.results.statistics import Gains, interval, measure, stage_contrast
from ocrkit.results.verdicts import Finding, settled

# What is read, and the column of its accuracy. Those after "syllable" are for comparison.
PARTS = {
    "sentence": "accuracy_five",
    "word": "accuracy_word",
    "syllable": "accuracy_syllable",
    "word, own shape": "accuracy_word_padded",
    "syllable, own shape": "accuracy_syllable_padded",
}


def has_mix(rows: pd.DataFrame | None) -> bool:
    """Do these result rows hold scores on single words and syllables?"""
    return rows is not None and PARTS["word"] in rows and rows[PARTS["word"]].notna().any()


def mix_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Accuracy (%) on each part of the mix and on the whole, means over seeds; the best first.

    Returns:
        Columns model, seeds, the columns of `PARTS`, and accuracy_mix: sentences, words and
        syllables weighted by the paper's numbers of images.
    """
    merged = by_model(rows)
    columns = ["model", "seeds", *PARTS.values(), "accuracy_mix"]
    table = merged.dropna(subset="accuracy_mix").reindex(columns=columns)
    table["seeds"] = table["seeds"].astype(int).astype(str)
    return table.sort_values("accuracy_mix", ascending=False, ignore_index=True)


def mix_gains(rows: pd.DataFrame) -> dict[str, Gains]:
    """TPS's gain in each part of the mix, and in the whole ("mix"), as `statistics.stage_contrast`.

    Parts are drawn independently, which makes differences between them look a little less sure.
    """
    gains = {
        part: stage_contrast(
            measure(_with_accuracy(rows, part), seed=number), "transformation", "TPS", "None"
        )
        for number, part in enumerate(PARTS)
    }
    return gains | {"mix": _weighted(gains)}


def judge_mix(gains: Mapping[str, Gains]) -> Finding:
    """Does TPS's gain come from single words and syllables stretched to full width?

    The value is TPS's mean gain over the paper-weighted mix less that over the sentences alone,
    in points: reproduced where it is surely above zero, differs where surely below.
    """
    whole, sentences = gains["mix"], gains["sentence"]
    low, high = interval(whole.draws.mean() - sentences.draws.mean())
    return Finding(settled(low, high), whole.mean - sentences.mean, low, high, len(whole.table))


def _with_accuracy(rows: pd.DataFrame, part: str) -> pd.DataFrame:
    """The rows as if the part were all that was tested."""
    good = rows[ended_well(rows)]
    preset = get_preset(good["preset"].iloc[0])
    images = {
        "sentence": len(KINDS) * preset.test_images,
        "word": preset.word_images,
        "syllable": preset.syllable_images,
    }
    accuracy = good[PARTS[part]].astype(float)
    shown = good.drop(columns=["accuracy_low", "accuracy_high"], errors="ignore")
    return shown.assign(accuracy=accuracy, test_images=images[part.split(",")[0]])


def _weighted(gains: Mapping[str, Gains]) -> Gains:
    """The parts' gains put together in the paper's numbers of images."""
    first = gains["sentence"]
    draws = paper_weighted({part: gains[part].draws for part in PAPER_IMAGES})
    table = first.table.assign(
        gain=paper_weighted({part: gains[part].table["gain"] for part in PAPER_IMAGES})
    )
    bounds = [interval(draws.loc[pair]) for pair in table.index]
    table["low"], table["high"] = [low for low, _ in bounds], [high for _, high in bounds]
    table["state"] = [
        "holds" if low > 0 else "fails" if high < 0 else "open" for low, high in bounds
    ]
    low, high = interval(draws.mean()) if len(draws) else (float("nan"), float("nan"))
    mean = float(table["gain"].mean())
    return Gains(first.stage, first.option, first.over, table, draws, mean, low, high)
