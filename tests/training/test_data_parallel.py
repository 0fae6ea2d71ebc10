"""Two processes with half of each batch are one process with the whole: proven by running both."""

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from forked_kernels import forked
from parallel_cases import CASES, losses
from toys import CTC, RECIPE, pixels, toy_model, toy_trainer

from ocrkit.data.batches import Batches
from ocrkit.data.cache import to_input
from ocrkit.models import MODEL_NAMES
from ocrkit.training.distributed import World
from ocrkit.training.losses import training_loss


@pytest.fixture(scope="module")
def folder(server, tmp_path_factory) -> Path:
    """Where two processes have done what `world_runs.py` says."""
    folder = tmp_path_factory.mktemp("together")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    ended = subprocess.run(
        [*command, *forked(server), "-m", "world_runs", folder],
        # torchrun never removes its logs: they go where the test's own files go.
        env=os.environ | {"TMPDIR": str(folder)},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (folder / "told.json").exists(), ended.stderr
    assert ended.returncode == 1, "rank 1 has died"
    return folder


@pytest.fixture(scope="module")
def told(folder) -> dict:
    return json.loads((folder / "told.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def alone() -> dict[str, list[float]]:
    """The same runs in one process."""
    return {case: losses(case) for case in CASES}


def largest_difference(ours: list[float], theirs: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("case", CASES)
def test_two_processes_take_the_steps_of_one(told, alone, case):
    assert len(told[case]) == 50
    assert told[case][-1] < told[case][0] - 0.2, "losses that do not fall prove nothing"
    assert largest_difference(told[case], alone[case]) < 1e-5


def test_without_synchronised_norms_they_do_not(told, alone):
    # Each process normalises by the mean and variance of its own half of the batch. These differ
    # from those of the whole, from the very first step on.
    difference = [abs(a - b) for a, b in zip(told["apart"], alone["ctc"], strict=True)]
    assert difference[0] > 1e-3
    assert max(difference) > 1e-2
    assert told["apart"][-1] < told["apart"][0] - 0.2  # it learns all the same


def test_attention_counts_characters_and_not_processes(told, alone):
    # The mean of two means over unlike numbers of characters is not the mean over all of them.
    assert largest_difference(told["unweighted"], alone["attention"]) > 1e-3


def test_each_image_once_an_epoch_and_each_source_its_part(told):
    images = pixels(10, 1), pixels(7, 2)
    whole = Batches(list(images), RECIPE.batch_size, seed=5)
    first = {zlib.crc32(image.tobytes()) for image in images[0].pixels}
    seen = []
    for step, parts in enumerate(zip(*told["rows"], strict=True)):
        together = [image for part in parts for image in part]
        expected = [zlib.crc32(image.tobytes()) for image in whole[step].pixels]
        assert sorted(together) == sorted(expected)
        assert [len(part) for part in parts] == [2, 2]
        seen += [image for image in together if image in first]
    # Two images of the first source a step: its ten are through after five steps.
    assert sorted(seen[:10]) == sorted(first)


def test_rank_0_alone_validates_tells_and_writes(folder, told):
    assert told["steps"] == [list(range(1, 9)), []]
    assert told["history"] == [[3, 6, 8], []]
    assert sorted(path.name for path in (folder / "rank 0").iterdir()) == [
        "before.pt",
        "history.csv",
        "last.pt",
    ]
    assert not (folder / "rank 1").exists()


def test_all_go_on_from_rank_0_s_checkpoint(told):
    assert told["resumed"] == [[8, True], [8, False]]  # the clock is rank 0's


def test_a_lost_process_is_one_line(told):
    assert told["lost"].startswith("another process of this training ended")
    assert len(told["lost"].splitlines()) == 1


def test_a_batch_must_divide(refused):
    with refused("a batch of 4 cannot be split over 3 processes: choose a multiple of 3"):
        toy_trainer(CTC, world=World(0, 3, 0))


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_every_weight_has_a_gradient(name):
    # DistributedDataParallel waits for ever for the gradient of a weight that was not used.
    trainer = toy_trainer(name, model=toy_model(name), valid=None)
    batch = trainer.batches[0]
    training_loss(trainer.model, trainer.converter, to_input(batch.pixels), batch.texts).backward()
    unused = [key for key, weight in trainer.model.named_parameters() if weight.grad is None]
    assert unused == []
