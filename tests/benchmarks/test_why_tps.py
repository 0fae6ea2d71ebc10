"""The study of TPS's worth: its cells draw what they say, and a stopped study goes on."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

import why_tps

from ocrkit.data.store import ImageSet
from ocrkit.experiments.presets import get_preset
from ocrkit.experiments.runner import Submit, sweep, train_apart


@contextlib.contextmanager
def in_this_process(workers: int, device: str) -> Iterator[Submit]:
    """Runs one after another: a process for four of a few steps would import torch for seconds."""

    def submit(*job) -> Future:
        done = Future()
        done.set_result(train_apart(*job))
        return done

    yield submit


def narrowest(images: ImageSet) -> int:
    """Pixels: a long line turned far is shrunk much to fit the height."""
    return min(images.image(i).width for i in range(len(images)))


def test_the_cells_draw_what_they_say_and_a_study_goes_on(tmp_path, monkeypatch):
    base = get_preset("sentence")
    base = replace(base, width=0.05, test_images=12, valid_images=10)
    monkeypatch.setattr(why_tps, "SEEDS", (1,))
    monkeypatch.setattr(why_tps, "REPEATED", 20)
    monkeypatch.setattr(why_tps, "sweep", partial(sweep, executor=in_this_process))
    cells = [why_tps.Cell(limits=(limit,), repeated=limit == 15, steps=12) for limit in (5, 15)]
    rows = why_tps.study(base, cells, tmp_path / "data", tmp_path / "runs", workers=1)
    assert (rows["status"] == "ok").all(), rows["error"].tolist()
    assert rows["factor_degrees"].tolist() == ["5", "5", "15", "15"]
    assert rows["factor_repeated"].tolist() == [False, False, True, True]
    sets = [cell.draw(cell.preset(base), tmp_path / "data" / cell.name) for cell in cells]
    for part, counts in (("train-skew", [96, 20]), ("test-skew", [12, 12])):
        little, much = (one.open(part) for one in sets)
        assert [len(little), len(much)] == counts
        assert narrowest(much) < 0.7 * narrowest(little)
    again = why_tps.study(base, cells, tmp_path / "data", tmp_path / "runs", workers=1)
    assert again["finished"].tolist() == rows["finished"].tolist()
