"""The test mix: its parts told apart, and whether TPS's gain comes from the stretched ones."""

import pandas as pd
import pytest

from ocrkit.experiments.scoring import paper_weighted
from ocrkit.results.mix import PARTS, has_mix, judge_mix, mix_gains, mix_table
from ocrkit.results.verdicts import DIFFERS, NOT_SETTLED, REPRODUCED

MODELS = [f"{t}-VGG-BiLSTM-{p}" for t in ("None", "TPS") for p in ("CTC", "Attn")]


def rows(word_gain: float, sentence_gain: float = 2.0, spread: float = 1.0) -> pd.DataFrame:
    """Made-up rows of three seeds, in which TPS adds so many points."""
    made = []
    for model in MODELS:
        tps = model.startswith("TPS")
        for seed in (1, 2, 3):
            off = spread * (seed - 2)
            row = dict.fromkeys(PARTS.values(), 40 + off + tps * word_gain)
            row["accuracy_five"] = 60 + off + tps * sentence_gain
            parts = {p: row[PARTS[p]] for p in ("sentence", "word", "syllable")}
            row |= {"accuracy_mix": paper_weighted(parts), "accuracy": row["accuracy_five"]}
            row |= {"model": model, "seed": seed, "preset": "mix", "status": "ok"}
            row |= {"test_images": 1000, "accuracy_low": 0.0, "accuracy_high": 100.0}
            row |= {"params": 1000, "latency_n_ms_median": 1.0}
            made.append(row)
    return pd.DataFrame(made)


def test_the_parts_side_by_side():
    table = mix_table(rows(30))
    assert table["model"].str.startswith("TPS").tolist() == [True, True, False, False]
    assert table["accuracy_word"].tolist() == pytest.approx([70, 70, 40, 40])
    assert table["accuracy_mix"][0] == pytest.approx((2_700 * 62 + 90_000 * 70) / 92_700)


def test_gains_by_part():
    gains = mix_gains(rows(30))
    assert gains["word"].mean == pytest.approx(30)
    assert gains["sentence"].mean == pytest.approx(2)
    assert gains["mix"].mean == pytest.approx(
        paper_weighted({"sentence": 2, "word": 30, "syllable": 30})
    )
    for gain in gains.values():
        assert gain.low < gain.mean < gain.high
    assert list(gains) == [*PARTS, "mix"]


@pytest.mark.parametrize(
    ("word_gain", "verdict"), [(30, REPRODUCED), (-20, DIFFERS), (2, NOT_SETTLED)]
)
def test_the_verdict_follows_from_the_rows(word_gain, verdict):
    found = judge_mix(mix_gains(rows(word_gain)))
    assert found.verdict == verdict
    assert found.value == pytest.approx((word_gain - 2) * 90_000 / 92_700)
    assert found.low < found.value < found.high
    assert found.counted == 2


def test_rows_without_the_sets():
    assert not has_mix(None)
    assert not has_mix(rows(1).drop(columns="accuracy_word"))
    assert has_mix(rows(1))
