"""SIGTERM: the run saves and says that it can go on; what nobody answers is delivered late."""

import os
import signal

import pytest
import torch
from toys import CTC, toy_trainer

from ocrkit.training.checkpoint import load_state
from ocrkit.training.interruption import Interrupted, save_on_sigterm, stop_requested


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def delivered():
    """The SIGTERMs that reach whoever listened before."""
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append("SIGTERM"))
    yield heard
    signal.signal(signal.SIGTERM, before)


def test_a_sigterm_saves_and_the_run_goes_on(tmp_path, delivered):
    whole = toy_trainer(CTC)
    whole.run()

    def watch(progress) -> None:
        if progress.step == 3:
            terminate()

    with pytest.raises(Interrupted) as end, save_on_sigterm():
        toy_trainer(CTC, tmp_path, save_every=3600).run(watch)
    assert end.value.code == 75
    # Told while step 3 was under way, it is heard after the next: the latest that is saved.
    assert load_state(tmp_path)["step"] == 4
    assert delivered == []
    assert not stop_requested()
    trainer, steps = toy_trainer(CTC, tmp_path), []
    trainer.run(lambda progress: steps.append(progress.step))
    assert steps == [5, 6, 7, 8]
    ours, theirs = trainer.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_run_that_ends_with_the_step_under_way_has_ended(tmp_path, delivered):
    def watch(progress) -> None:
        if progress.step == 7:
            terminate()

    with save_on_sigterm():
        assert toy_trainer(CTC, tmp_path).run(watch).steps == 8
        assert delivered == []
    assert delivered == ["SIGTERM"]  # for whoever comes after the training


def test_elsewhere_sigterm_is_what_it_was(tmp_path, delivered):
    assert toy_trainer(CTC, tmp_path).run(lambda progress: terminate()).steps == 8
    assert delivered == ["SIGTERM"] * 8


def test_an_error_is_not_hidden_by_a_sigterm(delivered):
    def fails(progress) -> None:
        terminate()
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"), save_on_sigterm():
        toy_trainer(CTC).run(fails)
    assert delivered == []
    assert not stop_requested()


def test_not_caught_it_ends_a_process_with_75():
    assert issubclass(Interrupted, SystemExit)
    assert Interrupted().code == 75
