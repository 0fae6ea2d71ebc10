"""The published record: what the paper printed, plotted and logged, as data frames.

Source: S.-W. Park, "A Study on the OCR of Korean Sentence Using DeepLearning", 31st HCLT, 2019,
and its public repository. Every frame of models carries a ``model`` column such as
"TPS-VGG-BiLSTM-Attn".
"""

import pandas as pd

from ocrkit.models.recognizer import KNOWN_MODELS as KNOWN_MODELS
from ocrkit.models.recognizer import MODEL_NAMES
from ocrkit.models.recognizer import STAGES as STAGE_OPTIONS
from ocrkit.resources import resource

STAGES = tuple(STAGE_OPTIONS)


def tables() -> pd.DataFrame:
    """Tables 1 and 2 as printed: ten rows, eight distinct models.

    Columns: model, table (1 or 2), rank ("T1".."T5", "P1".."P5"), the four stages,
    accuracy_percent, time_ms (milliseconds per image), params_millions (cut to two decimals, as
    the paper cuts them). Each table is introduced as the frontier of Figure 4 or 5;
    `ocrkit.results.tables.frontiers` computes the frontiers that the 24 rows really have.
    """
    return _read("hclt2019_tables_1_2.csv")


def figures() -> pd.DataFrame:
    """All 24 models of Figures 4 and 5, recovered from the two scatter plots.

    Columns: model, the four stages, params_millions, accuracy_percent, time_ms. Precision:
    accuracy within 0.02 points, time within 0.02 ms; the parameter counts are exact to three
    decimals. The paper never printed 16 of these rows. Time is wall clock per image at batch 192,
    not synchronised with the device and with the first call included: rank order at best.
    """
    return _read("hclt2019_figures_4_5.csv")


def experiment1_test() -> pd.DataFrame:
    """The author's first experiment (32x100 images): 24 rows, two of them blank (NaN).

    Columns: model, the four stages, accuracy_percent, time_ms, params_millions. The accuracies
    fit whole counts out of 6,208 images, so this is not the test set of the final paper.
    Source: the repository's logs; three decimals as logged.
    """
    return _read("experiment1_test.csv")


def training_curves() -> pd.DataFrame:
    """5,617 validation points parsed from the author's 53 training logs.

    Columns: model, experiment ("exp1": 32x100 images, "exp2": 32x400), log, the four stages,
    seed, attempt, iteration, train_loss, elapsed_seconds, valid_loss, valid_accuracy_percent,
    valid_norm_ed_sum (edit distance / label length summed over the set, never divided: lower is
    better). Precision: as logged. A log may hold several processes: one that was started again,
    or two that wrote at once. `attempt` tells them apart (0 is the first; found from the
    iterations, see tests/test_published.py), so a line in a plot is one (model, experiment, log,
    seed, attempt).
    """
    return _read("training_curves.csv")


def claims() -> pd.DataFrame:
    """The paper's claims: columns name, claim, source (where it is made), unit, rests_on.

    `unit` is that of the number the claim is judged by (`ocrkit.results.claims`), `rests_on`
    "accuracy" or "size".
    """
    return pd.read_csv(resource("published", "claims.csv"), keep_default_na=False)


def model_names() -> tuple[str, ...]:
    """The 24 model names, in the order of the stages' options."""
    return MODEL_NAMES


def _read(name: str) -> pd.DataFrame:
    # "None" is the name of an option here, not a missing value: only an empty cell is missing.
    frame = pd.read_csv(resource("published", name), keep_default_na=False, na_values=[""])
    first, *rest = STAGES
    frame.insert(0, "model", frame[first].str.cat(frame[rest], sep="-"))
    return frame
