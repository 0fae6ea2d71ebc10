"""Processes started by a program: connected, told apart, and none left behind."""

import multiprocessing

import launch_work
import pytest

from ocrkit.training.launch import in_processes


@pytest.fixture(autouse=True)
def _nobody_left():
    before = set(multiprocessing.active_children())
    yield
    assert set(multiprocessing.active_children()) <= before


def test_results_come_by_rank():
    told = in_processes(2, launch_work.squares, 3)
    assert told == [(0, 2, 1, 4.0), (1, 2, 1, 4.0)]


def test_one_process_is_alone_and_has_its_threads():
    assert in_processes(1, launch_work.squares, 3, threads=2) == [(0, 1, 2, 1.0)]


@pytest.mark.parametrize("rank", [0, 1])
def test_what_one_raises_is_raised_and_ends_the_others(rank):
    with pytest.raises(ValueError, match=f"rank {rank} cannot"):
        in_processes(2, launch_work.fails, rank)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_dies_is_one_line(rank, refused):
    with refused("process .* was lost|another process"):
        in_processes(2, launch_work.dies, rank)


def test_a_lone_process_that_dies_is_one_line_too(refused):
    with refused("process 0 of 1 was lost"):
        in_processes(1, launch_work.dies, 0)
