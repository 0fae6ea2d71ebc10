"""A run that was killed and resumed is the run that was not; broken checkpoints are noticed."""

import math
import os
import resource
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from forked_commands import Command
from toys import ATTN, CTC, RECIPE, toy_model, toy_trainer

from ocrkit.training import Trainer
from ocrkit.training.checkpoint import load_state, random_state, save_state, set_random_state


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in trainer.model.state_dict().items()}


def assert_equal(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    """Equal to the last bit."""
    assert ours.keys() == theirs.keys()
    different = [key for key in ours if not torch.equal(ours[key], theirs[key])]
    assert different == []


def without_clocks(history: list[dict]) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


@pytest.fixture(scope="module")
def uninterrupted() -> dict[str, tuple[dict, list[dict]]]:
    """Weights and history of runs that nobody stopped and that saved nothing."""
    torch.set_num_threads(1)
    found = {}
    for name in (CTC, ATTN):
        trainer = toy_trainer(name)
        start = weights(trainer)
        result = trainer.run()
        moved = [k for k, v in weights(trainer).items() if not torch.equal(v, start[k])]
        assert len(moved) > len(start) / 2, "a toy that does not learn proves nothing"
        found[name] = (weights(trainer), result.history)
    return found


@pytest.fixture(scope="module")
def killed(server, tmp_path_factory) -> Path:
    """Folders of runs that were ended by SIGKILL."""
    folder = tmp_path_factory.mktemp("killed")
    runs = Command(server, "killed_runs", str(folder), cwd=Path(__file__).parent, env=os.environ)
    printed = runs.communicate(timeout=300)
    assert runs.returncode == 0, printed
    return folder


@pytest.mark.parametrize("name", [CTC, ATTN])
@pytest.mark.parametrize("moment", ["step", "save"])
def test_killed_and_resumed_is_bit_identical(killed, uninterrupted, name, moment):
    folder, seen = killed / moment / name, []
    assert load_state(folder)["step"] == 4
    trainer = toy_trainer(name, folder)
    result = trainer.run(lambda progress: seen.append(progress.step))
    assert seen == [5, 6, 7, 8]
    assert (result.steps, result.images) == (8, 32)
    assert_equal(weights(trainer), uninterrupted[name][0])
    assert without_clocks(result.history) == without_clocks(uninterrupted[name][1])


@pytest.mark.parametrize("stop", [1, 3, 7])
@pytest.mark.parametrize(
    "recipe",
    [
        replace(RECIPE, precision="bf16"),
        replace(RECIPE, precision="fp16"),
        replace(RECIPE, optimizer="adadelta", learning_rate=1.0, one_cycle=False),
    ],
    ids=["bf16", "fp16", "adadelta"],
)
def test_stopped_by_hand_and_resumed(tmp_path, recipe, stop):
    whole = toy_trainer(CTC, recipe=recipe)
    whole.run()

    def watch(progress) -> None:
        if progress.step == stop + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy_trainer(CTC, tmp_path, recipe=recipe).run(watch)
    # Whatever happened to the process's random numbers meanwhile does not count.
    torch.manual_seed(1234)
    trainer = toy_trainer(CTC, tmp_path, recipe=recipe)
    assert trainer.run().steps == 8
    assert_equal(weights(trainer), weights(whole))


def test_a_finished_run_is_not_trained_again(tmp_path, uninterrupted):
    toy_trainer(CTC, tmp_path).run()
    trainer, seen = toy_trainer(CTC, tmp_path), []
    result = trainer.run(seen.append)
    assert seen == []
    assert_equal(weights(trainer), uninterrupted[CTC][0])
    assert without_clocks(result.history) == without_clocks(uninterrupted[CTC][1])
    assert math.isfinite(result.final_loss)


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip(data: bytes) -> bytes:
    """One bit, in the middle, where the weights lie: torch alone would not notice."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


DAMAGES = [cut, flip, lambda data: b"", lambda data: b"PK no archive", lambda data: b"\x80\x02]q."]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, uninterrupted, damage, caplog):
    def watch(progress) -> None:
        if progress.step == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy_trainer(CTC, tmp_path).run(watch)
    (tmp_path / "last.pt").write_bytes(damage((tmp_path / "last.pt").read_bytes()))
    assert load_state(tmp_path)["step"] == 4
    (said,) = caplog.messages
    assert "last.pt is damaged" in said
    assert said.endswith("going on from the one before it")
    assert len(said.splitlines()) == 1
    trainer = toy_trainer(CTC, tmp_path)
    trainer.run()
    assert_equal(weights(trainer), uninterrupted[CTC][0])


def _without(*keys):
    return lambda state: {key: value for key, value in state.items() if key not in keys}


def _with(**changes):
    return lambda state: {**state, **changes}


def _nan_model(state):
    state["model"]["head.bias"][0] = math.nan
    return state


def _other_optimizer(state):
    state["optimizer"]["param_groups"] = []
    return state


def _other_tensor(state):
    state["model"]["head.bias"] = torch.zeros(99)
    return state


SHAPES = {
    "list": lambda state: [1],
    "no optimizer": _without("optimizer"),
    "no random": _without("random"),
    "step -5": _with(step=-5),
    "step 9": _with(step=9),
    "step text": _with(step="4"),
    "seconds nan": _with(seconds=math.nan),
    "history": _with(history=[1]),
    "random": _with(random={"cpu": torch.zeros(3)}),
    "model empty": _with(model={}),
    "model nan": _nan_model,
    "model shape": _other_tensor,
    "optimizer groups": _other_optimizer,
}


@pytest.mark.parametrize("change", SHAPES.values(), ids=SHAPES)
def test_a_state_of_another_shape_falls_back_to_the_one_before(
    tmp_path, uninterrupted, change, caplog
):
    def stop(progress) -> None:
        if progress.step == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy_trainer(CTC, tmp_path).run(stop)
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    torch.save(change(state), tmp_path / "last.pt")
    trainer, seen = toy_trainer(CTC, tmp_path), []
    trainer.run(lambda progress: seen.append(progress.step))
    (said,) = caplog.messages
    assert "last.pt is damaged" in said
    assert len(said.splitlines()) == 1
    assert seen == [5, 6, 7, 8]
    assert_equal(weights(trainer), uninterrupted[CTC][0])


def test_nothing_left_to_go_on_from(tmp_path, refused):
    assert load_state(tmp_path) is None
    for step in (1, 2):
        save_state(tmp_path, {"step": step})
    for name in ("last.pt", "before.pt"):
        (tmp_path / name).write_bytes(b"junk")
    with refused(r"no checkpoint in .* can be read \(last.pt: .*; before.pt: .*delete it"):
        load_state(tmp_path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 6}, "seed"),
        ({"recipe": replace(RECIPE, steps=9)}, r"recipe \(steps\)"),
        ({"identity": {"model": "another"}}, "model"),
        ({"identity": {"model": CTC, "dataset": "f00d"}}, "dataset"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, changes, named, refused):
    toy_trainer(CTC, tmp_path, recipe=replace(RECIPE, steps=1), valid=None).run()
    recipe = {"recipe": replace(RECIPE, steps=1)}
    trainer = toy_trainer(CTC, tmp_path, **{**recipe, **changes})
    before = weights(trainer)
    with refused(rf"is of another run \(other {named}\)"):
        trainer.run()
    assert_equal(weights(trainer), before)


def test_a_full_disk_is_one_line_and_leaves_the_old_checkpoint(tmp_path, refused):
    save_state(tmp_path, {"step": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # no file may grow beyond
    try:
        with refused(r"cannot write .*last\.pt"):
            save_state(tmp_path, {"step": 2, "big": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert load_state(tmp_path) == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_disk_that_fills_up_ends_a_run_that_goes_on_later(tmp_path, uninterrupted, refused):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def fill(progress) -> None:
        if progress.step == 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))

    try:
        with refused(r"cannot write .*last\.pt"):
            toy_trainer(CTC, tmp_path).run(fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert load_state(tmp_path)["step"] == 3
    trainer = toy_trainer(CTC, tmp_path)
    trainer.run()
    assert_equal(weights(trainer), uninterrupted[CTC][0])


def test_a_checkpoint_from_before_there_were_engines(tmp_path, uninterrupted):
    def stop(progress) -> None:
        if progress.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy_trainer(CTC, tmp_path).run(stop)
    state = load_state(tmp_path)
    del state["engine"]
    save_state(tmp_path, state)
    trainer = toy_trainer(CTC, tmp_path)
    trainer.run()
    assert_equal(weights(trainer), uninterrupted[CTC][0])


@pytest.mark.parametrize("optimizer", ["adamw", "adadelta", "muon"])
def test_a_state_of_another_memory_layout(tmp_path, optimizer):
    """AdamW in one pass takes a weight and its moments in the order in which they lie in memory."""
    recipe = replace(RECIPE, optimizer=optimizer)
    whole = toy_trainer(ATTN, recipe=recipe)
    whole.run()

    def stop(progress) -> None:
        if progress.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy_trainer(ATTN, tmp_path, recipe=recipe).run(stop)
    state = load_state(tmp_path)
    moments = state["optimizer"]["state"].values()
    for moment in moments:
        moment |= {k: v.contiguous() for k, v in moment.items() if torch.is_tensor(v)}
    save_state(tmp_path, state)
    trainer = toy_trainer(ATTN, tmp_path, recipe=recipe)
    trainer.run()
    assert_equal(weights(trainer), weights(whole))


def test_random_numbers_go_on_where_they_were():
    torch.manual_seed(3)
    state = random_state()
    drawn = torch.rand(5)
    set_random_state(state)
    assert torch.equal(torch.rand(5), drawn)


def test_toy_models_start_alike():
    assert_equal(toy_model().state_dict(), toy_model().state_dict())
