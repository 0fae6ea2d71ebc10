"""Commands ended at any moment and started again end where undisturbed ones do, and lose nothing.

Processes of their own, ended from inside at changes on disk that a seed chooses (see `dying`). A
few deaths a command; OCRKIT_KILLS=12 makes them twelve.
"""

import itertools
import os
import shutil
import signal
from dataclasses import replace

import pytest
from killed_commands import Place, copy_of, tree

from ocrkit.experiments import own, runner
from ocrkit.experiments.datasets import DataSets, prepare
from ocrkit.experiments.grid import Run
from ocrkit.experiments.presets import get_preset
from ocrkit.files import read_json

DEATHS = int(os.environ.get("OCRKIT_KILLS", "3"))
CTC, ATTN = "None-VGG-None-CTC", "None-VGG-None-Attn"
SETS = "data/generated/smoke"
SWEEP = ("sweep", "--preset", "smoke", "--workers", 2, "-m", CTC, "-m", ATTN)


def signals(count: int) -> list[str]:
    """Among them Ctrl-C, and what a machine says when it is shut down; both go to all processes."""
    return list(itertools.islice(itertools.cycle(("SIGKILL", "SIGINT", "SIGTERM")), count))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, server) -> Place:
    """Two models swept from nothing: data drawn, decoded, trained, timed."""
    place = Place(tmp_path_factory.mktemp("killed") / "undisturbed", server)
    code, printed = place.start(*SWEEP)
    assert code == 0, printed
    assert any("before.pt" in change for change in place.changes()), "no checkpoint on the way"
    return place


@pytest.fixture(scope="module")
def drawn(undisturbed) -> list[str]:
    """The changes on disk that drawing the data makes."""
    changes = undisturbed.changes()
    return changes[: changes.index(f"rename {SETS}/data.json") + 1]


@pytest.fixture(scope="module")
def trained(undisturbed, drawn) -> list[str]:
    """The changes after the data was there."""
    return undisturbed.changes()[len(drawn) :]


@pytest.fixture
def with_data(undisturbed, tmp_path) -> Place:
    """A place where the data is drawn and decoded, and nothing is trained."""
    return copy_of(undisturbed, tmp_path / "place", SETS)


def test_generate(undisturbed, drawn, tmp_path, server):
    place = Place(tmp_path / "place", server)
    deaths = place.end_again_and_again(
        *("generate", "--preset", "smoke", "--workers", 2),
        whole=drawn,
        by=signals(DEATHS + 1),
        seed=1,
    )
    assert deaths > DEATHS / 2
    assert tree(place.folder / "data") == tree(undisturbed.folder / "data", "pixels")


def test_train(undisturbed, trained, with_data):
    for cached in with_data.folder.rglob("pixels-*"):
        cached.unlink()  # so that it dies while decoding too
    deaths = with_data.end_again_and_again(
        *("train", CTC, "--preset", "smoke"),
        whole=[change for change in trained if ATTN not in change],
        by=["SIGKILL"] * DEATHS,
        seed=2,
    )
    assert deaths > DEATHS / 2
    ours, theirs = tree(with_data.folder, "s.csv"), tree(undisturbed.folder, "s.csv")
    assert ours == {path: said for path, said in theirs.items() if ATTN not in path}


def test_sweep(undisturbed, trained, with_data):
    deaths = with_data.end_again_and_again(
        *SWEEP,
        whole=[change for change in trained if SETS not in change],
        by=signals(DEATHS),
        seed=3,
    )
    assert deaths > DEATHS / 2
    assert tree(with_data.folder) == tree(undisturbed.folder)


def test_train_on_own_images(undisturbed, tmp_path, server):
    sets = undisturbed.folder / SETS
    command = ("train", CTC, "--train", sets / "train-basic", "--train", sets / "train-skew")
    command += ("--valid", sets / "valid", "--image-width", 64, "--steps", 5, "--batch-size", 8)
    whole = Place(tmp_path / "whole", server)
    code, printed = whole.start(*command)
    assert code == 0, printed
    place = Place(tmp_path / "place", server)
    deaths = place.end_again_and_again(
        *command, whole=whole.changes(), by=["SIGKILL"] * DEATHS, seed=4
    )
    assert deaths > DEATHS / 2
    assert tree(place.folder) == tree(whole.folder)

    # And on from there.
    tuned = copy_of(place, tmp_path / "tuned", "runs")
    command = ("train", "--from", f"runs/own/{CTC}", *command[2:], "--out", "runs/tuned")
    code, printed = tuned.start(*command)
    assert code == 0, printed
    before = len(place.changes())
    deaths = place.end_again_and_again(
        *command,
        whole=[*place.changes()[:before], *tuned.changes()],
        by=["SIGKILL"] * DEATHS,
        seed=5,
    )
    assert deaths > DEATHS / 2
    assert tree(place.folder) == tree(tuned.folder)


def test_tuning_the_line_reader(undisturbed, tmp_path, server):
    sets = undisturbed.folder / SETS
    command = ("train", "--from", "reader-ko", "--train", sets / "train-basic", "--valid")
    command += (sets / "valid", "--steps", 3, "--batch-size", 4, "--save-every", 0)
    whole, place = Place(tmp_path / "whole", server), Place(tmp_path / "place", server)
    code, printed = whole.start(*command)
    assert code == 0, printed
    deaths = place.end_again_and_again(
        *command, whole=whole.changes(), by=["SIGKILL"] * DEATHS, seed=6
    )
    assert deaths > DEATHS / 2
    assert tree(place.folder) == tree(whole.folder)


@pytest.mark.parametrize("by", ["SIGTERM", "SIGKILL"])
def test_no_worker_outlives_generate(drawn, tmp_path, server, by):
    last_worker = len(drawn) - drawn[::-1].index("process")
    command = ("generate", "--preset", "smoke", "--workers", 2)
    Place(tmp_path / "place", server).start(
        *command, at=last_worker, by=by, who="first", patience=400
    )


@pytest.mark.parametrize("by", ["SIGTERM", "SIGKILL"])
def test_no_process_outlives_a_sweep(with_data, by):
    with_data.start(*SWEEP, at="mkdir runs/smoke/state", by=by, who="first", patience=400)


def end(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_trained_run_that_has_no_row_yet_is_not_trained_again(undisturbed, tmp_path, monkeypatch):
    folder, preset = undisturbed.folder / SETS, get_preset("smoke")
    told = read_json(folder / "data.json")
    data = DataSets(folder, told["charset"], told["fingerprint"])
    with monkeypatch.context() as patched:
        patched.setattr(runner, "write_row", end)
        with pytest.raises(KeyboardInterrupt):
            runner.run_one(preset, data, Run(CTC, 1), tmp_path)
    steps = []
    runner.run_one(preset, data, Run(CTC, 1), tmp_path, watch=lambda now: steps.append(now.step))
    assert steps == []


def test_the_state_of_a_finished_training_of_ones_own_goes(undisturbed, tmp_path, monkeypatch):
    folder = undisturbed.folder / SETS

    def train() -> None:
        charset, recipe = read_json(folder / "data.json")["charset"], own.OWN_RECIPE
        own.train_own(
            *([folder / "train-basic"], None, CTC),
            charset=charset,
            image_width=64,
            recipe=replace(recipe, steps=1, batch_size=4),
            folder=tmp_path,
        )

    with monkeypatch.context() as patched:
        patched.setattr(own.shutil, "rmtree", end)
        with pytest.raises(KeyboardInterrupt):
            train()
    train()
    assert not (tmp_path / "state").exists()


def test_the_old_set_goes_that_a_killed_generate_left(tmp_path):
    preset = replace(get_preset("smoke"), train_images=2, test_images=2, valid_images=2)
    prepare(preset, tmp_path)
    child = os.fork()
    if child == 0:  # it dies when the new set is in its place and the old one is not yet gone
        shutil.rmtree = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
        prepare(replace(preset, seed=1), tmp_path)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    prepare(replace(preset, seed=1), tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
