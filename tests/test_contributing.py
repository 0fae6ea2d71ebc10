"""What CONTRIBUTING.md says to write is enough: its code is run here, as part of the library."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import yaml

import ocrkit
from ocrkit.data.pictures import decode
from ocrkit.models import features
from ocrkit.papers.recognition import word_readers
from ocrkit.papers.shared import study
from ocrkit.synth import kinds

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def code(section: str) -> str:
    """The first Python block of a section."""
    return re.findall(r"```python\n(.*?)```", PAGE.split(f"## {section}\n")[1], flags=re.DOTALL)[0]


def test_a_model_stage(monkeypatch, tmp_path):
    with monkeypatch.context() as patched:
        patched.setitem(features.EXTRACTORS, "Strided", None)  # taken out again at the end
        exec(code("A model stage"), vars(features) | {})
        name = "TPS-Strided-BiLSTM-CTC"
        model = ocrkit.Recognizer(name, classes=9, max_length=4, image_width=64, width=0.1)
        images = torch.zeros(2, 1, 32, 64)
        assert model(images).shape == (2, model.frames, 9)
        again, _ = ocrkit.load_checkpoint(
            ocrkit.save_checkpoint(model, tmp_path / "m", "가나다라마바사아")
        )
        torch.testing.assert_close(again(images), model.eval()(images))
    assert "Strided" not in features.EXTRACTORS


def test_a_kind_of_image(monkeypatch):
    monkeypatch.setitem(kinds.KINDS, "shade", None)
    exec(code("A kind of image"), vars(kinds) | {"__name__": "kinds"})
    fonts = tuple(ocrkit.find_fonts("koreanize"))
    (drawn,) = ocrkit.samples(ocrkit.Generation("shade", 1, 0, ("나무",), fonts, words_per_label=1))
    pixels = np.asarray(decode(drawn.image))
    assert drawn.label == "나무"
    assert pixels[:, :8].mean() > pixels[:, -8:].mean() + 50


def test_a_paper(monkeypatch, tmp_path):
    module = ModuleType("ocrkit.papers.recognition.rcnn_words")
    exec(code("A paper"), vars(word_readers) | {"partial": partial}, vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(study, "PAPERS", (*study.PAPERS, "recognition.rcnn_words"))
    found = study.find_study("rcnn-words")
    few = replace(found.recipe, steps=2, batch_size=2, validate_every=1)
    quick = replace(found, recipe=few, task=partial(found.task, images=4, batch_size=2))
    monkeypatch.setattr(word_readers, "TEST_IMAGES", {"as trained": 2, "other scenes": 2})
    row = study.run_study(quick, 1, tmp_path)
    assert 0 <= row["accuracy"] <= 100
    assert (tmp_path / "rcnn-words-s1.safetensors").exists()


def test_the_sections_are_there():
    for section in ("A model stage", "A kind of image", "A paper", "A notebook"):
        assert len(code(section).splitlines()) < 25


def test_what_it_names_exists():
    for path in set(re.findall(r"`((?:ocrkit|tests|docs|data|notebooks)/[\w/.]+)`", PAGE)):
        if "NN" not in path:
            assert (ROOT / path).exists(), path


def test_hooks_and_workflow_run_what_make_lint_and_ci_run():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]]
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").split("\nlint:")[1].split("\n\n")[0]
    for entry in entries:
        assert entry.replace(".venv/bin", "$(BIN)").split(" --")[0] in lint
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    steps = [step.get("run", "") for step in workflow["jobs"]["test"]["steps"]]
    assert "bash .ci/run" in steps


@pytest.mark.parametrize("fails", ["", "pytest", "ruff", "basedpyright"])
def test_make_test_fails_where_the_tests_or_the_lint_do(tmp_path, fails):
    for name in ("pytest", "ruff", "basedpyright"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} $*\nexit {int(name == fails)}\n")
        (tmp_path / name).chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv").mkdir()
    for name in ("pyproject.toml", "constraints.txt", "ready"):
        (tmp_path / name).touch()
    command = ["make", "test", f"BIN={tmp_path}", "READY=ready", "WORKERS=3"]
    alone = {key: value for key, value in os.environ.items() if key != "MAKEFLAGS"}
    ended = subprocess.run(
        command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False
    )
    assert (ended.returncode == 0) == (fails == "")
    assert "pytest -n 3 --dist loadgroup" in ended.stdout
    assert "ruff check" in ended.stdout
    assert ("basedpyright --pythonpath" in ended.stdout) == (fails != "ruff")


def test_the_citation_is_of_this_version_and_of_the_paper():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == ocrkit.__version__
    assert cited["references"][0]["title"] in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"## {ocrkit.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("template", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.md")))
def test_issue_templates_have_a_name_and_say_what_they_are_for(template):
    front = yaml.safe_load(template.read_text(encoding="utf-8").split("---")[1])
    assert front.keys() >= {"name", "about"}
