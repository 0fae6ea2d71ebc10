"""Who else trains: torchrun's variables, and what a process alone does."""

import pytest
from toys import CTC, toy_trainer

from ocrkit.training import distributed as module
from ocrkit.training.distributed import (
    ALONE,
    World,
    process_group,
    translate_distributed_errors,
    world_from_env,
)

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (("", "", ""), ALONE),
        (("", "8", ""), ALONE),  # some clusters set this one alone
        (("3", "4", "1"), World(3, 4, 1)),
        (("0", "1", "0"), ALONE),
    ],
)
def test_torchrun_tells_who_is_who(monkeypatch, told, expected):
    for name, value in zip(NAMES, told, strict=True):
        monkeypatch.setenv(name, value)
    assert world_from_env() == expected


@pytest.mark.parametrize("told", [("4", "4", "0"), ("x", "2", "0"), ("-1", "2", "0")])
def test_nonsense_is_refused(monkeypatch, told, refused):
    for name, value in zip(NAMES, told, strict=True):
        monkeypatch.setenv(name, value)
    with refused(f"RANK={told[0]}, WORLD_SIZE={told[1]}, .*start several processes with torchrun"):
        world_from_env()


def test_each_process_takes_a_gpu_of_its_own():
    assert World(5, 8, 1).device("cuda") == "cuda:1"
    assert World(5, 8, 1).device("cpu") == "cpu"
    assert World(5, 8, 1).device("cuda:0") == "cuda:0"
    assert ALONE.device("cuda") == "cuda"


def test_alone_there_is_nobody_to_ask(monkeypatch):
    monkeypatch.setattr(module, "dist", None)
    with process_group(ALONE, "cuda"), ALONE.main_process_first():
        assert ALONE.mean(0.1, 3) == [0.1, 3]
        assert ALONE.broadcast_from_main(lambda: "made") == "made"
        ALONE.barrier()


LOST = [
    RuntimeError("[third_party/gloo/gloo/transport/tcp/pair.cc:537] Connection closed by peer"),
    RuntimeError("NCCL communicator was aborted on rank 1"),
    module.dist.DistNetworkError("Failed to recv"),
]


@pytest.mark.parametrize("error", LOST)
def test_how_a_lost_process_is_told(error, refused):
    with (
        refused("another process of this training ended"),
        translate_distributed_errors(World(0, 2)),
    ):
        raise error
    with pytest.raises(SystemExit) as end, translate_distributed_errors(World(1, 2)):
        raise error
    assert end.value.code == 1


def test_other_errors_stay_what_they_are():
    for size, error in ((2, RuntimeError("mat1 and mat2 shapes")), (1, LOST[0])):
        with (
            pytest.raises(RuntimeError, match=r"shapes|closed"),
            translate_distributed_errors(World(0, size)),
        ):
            raise error


def test_the_switch_for_norms_needs_company():
    trainer = toy_trainer(CTC, sync_batch_norm=True)
    kinds = {type(module).__name__ for module in trainer.model.modules()}
    assert "BatchNorm2d" in kinds
    assert "SyncBatchNorm2d" not in kinds
