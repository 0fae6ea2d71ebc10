"""Three ways to share a batch take the same steps, and send what theory says."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ocrkit.experiments import traffic
from ocrkit.experiments.datasets import DataSets, prepare
from ocrkit.experiments.grid import Run
from ocrkit.experiments.presets import Preset, get_preset
from ocrkit.experiments.setup import decode_all, make_trainer
from ocrkit.training.launch import in_processes
from ocrkit.training.ledger import Ledger

RUN = Run("None-VGG-None-CTC", 1)
linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux for the bytes")


@pytest.fixture(scope="module")
def preset() -> Preset:
    smoke = get_preset("smoke")
    recipe = replace(smoke.recipe, steps=4, batch_size=8, precision="fp32", learning_rate=1e-4)
    return replace(smoke, recipe=recipe, width=0.2)


@pytest.fixture(scope="module")
def data(preset, tmp_path_factory) -> DataSets:
    data = prepare(preset, tmp_path_factory.mktemp("data"))
    decode_all(preset, data)
    return data


@pytest.fixture(scope="module")
def ledgers(preset, data) -> dict[str, list[Ledger]]:
    in_buckets = partial(traffic.steps_by, bucket_mb=0.2)
    work = dict.fromkeys(traffic.SCHEMES, traffic.steps_by) | {"DDP": in_buckets}
    return {scheme: in_processes(2, how, scheme, preset, data, RUN) for scheme, how in work.items()}


@pytest.fixture(scope="module")
def gradient_bytes(preset, data) -> int:
    return sum(p.nbytes for p in make_trainer(preset, data, RUN).model.parameters())


def sums(ledger: Ledger, column: str, step: int = 3) -> pd.Series:
    table = pd.DataFrame([vars(event) for event in ledger.events])
    return table[table["step"] == step].groupby("what")[column].sum()


def test_all_take_the_same_steps(ledgers):
    ddp = ledgers["DDP"][0].losses
    assert len(ddp) == 4
    assert ddp[-1] < ddp[0], "losses that do not fall prove nothing"
    assert ledgers["DDP"][1].losses == ddp
    for scheme in ("DataParallel", "Apex 2019"):
        assert ledgers[scheme][0].losses == pytest.approx(ddp, abs=1e-4)
    assert np.isnan(ledgers["DataParallel"][1].losses).all(), "rank 1 has no loss"


def test_they_begin_as_the_projects_own_loop(ledgers, preset, data):
    # The rate moves in the loop and not in `steps_by`, so it is the first loss that must agree.
    told, nothing = in_processes(2, traffic.follow, preset, data, RUN)
    assert nothing == []
    assert [progress.step for progress in told] == [1, 2, 3, 4]
    assert told[0].loss == pytest.approx(ledgers["DDP"][0].losses[0], abs=1e-5)


def test_synchronised_norms_are_those_of_one_process(preset, data):
    one = in_processes(1, traffic.follow, preset, data, RUN)[0][0].loss
    apart = in_processes(2, traffic.follow, preset, data, RUN)[0][0].loss
    together = partial(traffic.follow, sync_batch_norm=True)
    assert in_processes(2, together, preset, data, RUN)[0][0].loss == pytest.approx(one, abs=1e-5)
    assert abs(apart - one) > 1e-4


@linux
def test_the_boss_sends_weights_and_takes_gradients(ledgers, gradient_bytes):
    boss, other = ledgers["DataParallel"]
    assert sums(boss, "sent")["replicate weights"] > 0.98 * gradient_bytes
    assert sums(other, "sent")["replicate weights"] < 0.02 * gradient_bytes
    assert sums(other, "sent")["reduce gradients"] > 0.98 * gradient_bytes
    # What arrives early is counted in the part before: the whole step counts it once.
    assert sums(other, "received").sum() > gradient_bytes
    assert sums(boss, "received").sum() > gradient_bytes


@linux
@pytest.mark.parametrize("scheme", ["DDP", "Apex 2019"])
def test_an_all_reduce_of_two_sends_the_gradients_once(ledgers, gradient_bytes, scheme):
    for ledger in ledgers[scheme]:
        assert sums(ledger, "sent").sum() == pytest.approx(gradient_bytes, rel=0.03)
        assert sums(ledger, "received").sum() == pytest.approx(gradient_bytes, rel=0.03)


def test_buckets_hold_every_gradient_once(ledgers, gradient_bytes):
    for ledger in ledgers["DDP"]:
        buckets = [e for e in ledger.events if e.what == "bucket" and e.step == 3]
        assert len(buckets) > 1
        assert sum(bucket.size for bucket in buckets) == gradient_bytes
        assert all(bucket.begin < bucket.end for bucket in buckets)


@linux
def test_no_part_sends_less_than_nothing(ledgers):
    events = [event for told in ledgers.values() for ledger in told for event in ledger.events]
    assert min(min(event.sent, event.received) for event in events) == 0


@linux
def test_memory_is_a_peak(ledgers, gradient_bytes):
    for scheme in traffic.SCHEMES:
        assert all(ledger.memory > 2 * gradient_bytes for ledger in ledgers[scheme])


def test_all_reduce_is_timed_for_each_size():
    told = in_processes(2, traffic.all_reduce_seconds, [1_000, 2_000_000], 3)
    assert [len(seconds) for seconds in told] == [2, 2]
    assert all(second > 0 for seconds in told for second in seconds)
