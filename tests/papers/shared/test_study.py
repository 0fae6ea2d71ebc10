"""A study is trained once, kept whole, and can be loaded and read back."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import paper_times
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from ocrkit.files import read_json
from ocrkit.papers.shared import study as module
from ocrkit.papers.shared.study import (
    Study,
    all_studies,
    curves,
    each_seed,
    find_study,
    rows,
    run_study,
    trained,
)
from ocrkit.training import Loop, Recipe

RECIPE = Recipe("toy", "adamw", 0.1, steps=6, batch_size=2, validate_every=3)


class Doubling:
    """Learn y = 2x."""

    def __init__(self, seed: int) -> None:
        self.random = torch.Generator().manual_seed(seed)

    def loss(self, model: nn.Module, step: int) -> torch.Tensor:
        x = torch.randn(2, 1, generator=self.random)
        return (model(x) - 2 * x).square().mean()

    def validate(self, model: nn.Module) -> dict[str, float]:
        return {"slope": model.weight.item()}


TOY = Study(
    "toy",
    RECIPE,
    partial(nn.Linear, 1, 1),
    Doubling,
    test=lambda model: {"slope": model.weight.item()},
    images=lambda: np.arange(10, dtype=np.float32)[:, None],
    read=lambda model, images: model(torch.from_numpy(images)),
)


def test_a_run_leaves_its_row_its_curve_and_its_weights(tmp_path):
    row = run_study(TOY, 1, tmp_path)
    assert (row["study"], row["seed"], row["params"], row["steps"]) == ("toy", 1, 2, 6)
    assert row["ms_image"] > 0
    assert read_json(tmp_path / "toy-s1.json") == row
    model = trained(TOY, tmp_path)
    assert model.weight.item() == pytest.approx(row["slope"], rel=1e-3)  # half precision
    assert not model.training


def test_a_finished_run_is_not_trained_again_and_another_recipe_is_refused(tmp_path, refused):
    first = run_study(TOY, 1, tmp_path)
    untouched = replace(TOY, task=None)
    assert run_study(untouched, 1, tmp_path) == first
    with refused("toy-s1.json is of another recipe: delete it"):
        run_study(replace(TOY, recipe=replace(RECIPE, steps=7)), 1, tmp_path)


def test_a_stopped_run_goes_on(tmp_path, monkeypatch):
    def stop(progress) -> None:
        if progress.step == 4:
            raise KeyboardInterrupt

    def noiseless(seed: int) -> Doubling:
        task = Doubling(seed)
        task.loss = lambda model, step: (model(torch.ones(1, 1)) - 2).square().mean()
        return task

    toy = replace(TOY, task=noiseless)
    whole = run_study(toy, 1, tmp_path / "whole")
    # Every step saved: three are there when the fourth is told of.
    saving = tmp_path / "state"
    monkeypatch.setattr(module, "Loop", partial(Loop, save_every=0.0))
    with pytest.raises(KeyboardInterrupt):
        run_study(toy, 1, tmp_path / "cut", stop, saving)
    assert not list((tmp_path / "cut").glob("*"))
    row = run_study(toy, 1, tmp_path / "cut", state=saving)
    assert row["slope"] == whole["slope"]


def test_rows_and_curves_of_all_runs(tmp_path):
    for seed in (1, 2):
        run_study(TOY, seed, tmp_path)
    run_study(replace(TOY, name="other"), 1, tmp_path)
    assert rows(tmp_path)[["study", "seed"]].values.tolist() == [
        ["other", 1],
        ["toy", 1],
        ["toy", 2],
    ]
    assert len(rows(tmp_path, "toy")) == 2
    steps = curves(tmp_path, "toy")
    assert steps["step"].tolist() == [3, 6, 3, 6]
    assert rows(tmp_path / "none").empty


def test_times_are_measured_anew_and_nothing_else_changes(tmp_path, monkeypatch, capsys):
    first = [run_study(TOY, seed, tmp_path) for seed in (1, 2)]
    monkeypatch.setattr(paper_times, "find_study", {"toy": TOY}.get)
    monkeypatch.setattr(module, "milliseconds", lambda call: call(7).item())
    paper_times.main(tmp_path)
    said = capsys.readouterr().out.splitlines()
    for seed, before in zip((1, 2), first, strict=True):
        expected = trained(TOY, tmp_path, seed)(torch.tensor([[7.0]])).item()
        after = read_json(tmp_path / f"toy-s{seed}.json")
        assert after == {**before, "ms_image": pytest.approx(expected)}
        assert said[seed - 1] == f"toy-s{seed}: {expected:.1f} ms an image"


def test_the_command_lists_every_study_and_each_can_be_found(ocrkit):
    code, printed, _ = ocrkit("papers")
    assert code == 0
    listed = printed.split()
    assert listed == list(all_studies())
    assert {"fan", "fan-plain", "moran-plain", "craft-weak", "textspotter"} <= {*listed}
    assert all(find_study(name).name == name for name in listed)


KEPT = sorted((Path(__file__).resolve().parents[3] / "data" / "results" / "papers").glob("*.json"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_every_committed_run_fits_its_study(path):
    row = read_json(path)
    study = find_study(row["study"])
    assert run_study(study, row["seed"], path.parent) == row  # same recipe: it is not trained again
    model = trained(study, path.parent, row["seed"])
    assert sum(p.numel() for p in model.parameters()) == row["params"]


def test_weights_kept_under_an_older_name_are_those_of_the_layer():
    path = KEPT[0].parent / "moran-s1.safetensors"
    kept = load_file(path)["reader.head.glance.weight"]
    layer = trained(find_study("moran"), path.parent).reader.head.output_context
    assert torch.equal(layer.weight, kept.float())


def test_bad_input_is_said(tmp_path, refused):
    with refused("no study 'nothing-else': choose one of textboxes"):
        find_study("nothing-else")
    with refused("toy-s1.safetensors is missing: train it with `ocrkit papers toy`"):
        trained(TOY, tmp_path)
    run_study(TOY, 1, tmp_path)
    with refused("does not fit the model"):
        trained(replace(TOY, model=lambda: nn.Linear(3, 1)), tmp_path)
    (tmp_path / "stray-s1.json").write_text("{}", encoding="utf-8")
    with refused("stray-s1.json is of another shape: study: Field required"):
        run_study(replace(TOY, name="stray"), 1, tmp_path)


def test_a_damaged_row_does_not_hide_the_others(tmp_path):
    run_study(TOY, 1, tmp_path)
    for name, text in (("stray", "{}"), ("list", "[]"), ("half", '{"study": "toy", "se')):
        (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
    with pytest.warns(UserWarning, match="left out: ") as told:
        assert list(rows(tmp_path)["study"]) == ["toy"]
    named = sorted(str(one.message).split("/")[-1].split(" is ")[0] for one in told)
    assert named == ["half.json", "list.json", "stray.json"]


def test_the_scores_of_seeds_are_told_in_words():
    assert each_seed([98.27, 97.4]) == "98.3 and 97.4"
    assert each_seed(iter([1.0])) == "1.0"
