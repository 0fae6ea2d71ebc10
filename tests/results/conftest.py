"""Stand-in result rows, derived from the paper's, for the report's tests only."""

from collections.abc import Callable

import pandas as pd
import pytest

from ocrkit import published


def stand_in_rows(
    seeds: tuple[int, ...] = (1,),
    missing: tuple[str, ...] = (),
    failed: tuple[str, ...] = (),
    preset: str = "mini",
    shift: float = 5.0,
) -> pd.DataFrame:
    """Rows as `runs.csv` holds them: accuracy is the paper's plus `shift` plus 2 a further seed."""
    rows = []
    for paper in published.figures().to_dict("records"):
        if paper["model"] in missing:
            continue
        for place, seed in enumerate(seeds):
            row = {"model": paper["model"], "seed": seed, "preset": preset, "recipe": "fast"}
            row |= {stage: paper[stage] for stage in published.STAGES}
            if paper["model"] in failed:
                rows.append(row | {"status": "failed", "error": "loss became <NaN> | step 7"})
                continue
            accuracy = paper["accuracy_percent"] + shift + 2.0 * place
            kinds = {"basic": 1, "background": -2, "skew": -1, "distortion": -20, "blur": -30}
            row |= {f"accuracy_{kind}": accuracy + gap for kind, gap in kinds.items()}
            row |= {
                "status": "ok",
                "error": None,
                "steps": 3000,
                "images": 192_000,
                "train_seconds": 120.0,
                "cpu_seconds": 240.0,
                "accuracy": accuracy,
                "accuracy_low": accuracy - 1.5,
                "accuracy_high": accuracy + 1.0,
                "accuracy_five": accuracy - 10.4,
                "accuracy_seen": accuracy + 0.5,
                "cer": 0.01,
                "norm_ed_icdar": 0.98,
                "norm_ed_fork_sum": 40.0,
                "jamo_error": 0.005,
                "test_images": 1000,
                "latency_1_ms_median": paper["time_ms"] * 2,
                "latency_1_ms_p95": paper["time_ms"] * 3,
                "latency_n_ms_median": paper["time_ms"] / 10,
                "latency_n_ms_p95": paper["time_ms"] / 8,
                "latency_n": 64,
                "params": round(paper["params_millions"] * 1e5),
                **{f"params_{stage}": 1000 for stage in published.STAGES},
                "dataset": "f00d",
                "device": "a stand-in",
                "precision": "bf16",
                "versions": "torch 0",
                "finished": "2020-01-02T03:04:05",
            }
            rows.append(row)
    return pd.DataFrame(rows)


def stand_in_curves(missing: tuple[str, ...] = ()) -> pd.DataFrame:
    """Curves as `curves.csv` holds them: straight lines up to the paper's accuracy."""
    points = [
        {
            "model": paper["model"],
            "seed": 1,
            "step": 1000 * place,
            "valid_accuracy": paper["accuracy_percent"] * place / 3,
        }
        for paper in published.figures().to_dict("records")
        if paper["model"] not in missing
        for place in range(4)
    ]
    return pd.DataFrame(points)


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., pd.DataFrame]:
    return stand_in_rows


@pytest.fixture(scope="session")
def make_curves() -> Callable[..., pd.DataFrame]:
    return stand_in_curves
