"""What docs/cluster.md has people type: the options exist, the Slurm scripts do what they say.

Slurm's own commands are stand-ins here.
"""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import typer

from ocrkit.cli import app
from ocrkit.models import MODEL_NAMES

GUIDE = (Path(__file__).parents[1] / "docs" / "cluster.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"```sh\n(#!/bin/bash\n.*?)```", GUIDE, re.DOTALL)
TYPED = re.findall(r"ocrkit ((?:generate|sweep|train)\b[^`'\n]*)", GUIDE.replace("\\\n", " "))


@pytest.fixture
def slurm(tmp_path, monkeypatch) -> Path:
    """A folder with stand-ins that note in the file `typed` how they were called."""
    note = 'echo "${0##*/} $*" >> typed\n'
    stand_ins = {
        "bin/srun": f'{note}exec "$@"',
        "bin/scontrol": note,
        ".venv/bin/ocrkit": f'{note}exit "${{ENDS_WITH:-0}}"',
        ".venv/bin/torchrun": f"{note}trap 'echo saved >> typed; exit 1' TERM\n"
        "touch begun; while sleep 0.05; do test -e end && exit 0; done",
    }
    for name, does in stand_ins.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\n{does}\n", encoding="utf-8")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "4321")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("typed", TYPED)
def test_options_exist(typed):
    name, *words = typed.split()
    command = typer.main.get_command(app).commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    known |= {option for parameter in command.params for option in parameter.secondary_opts}
    assert {word for word in words if word.startswith("-")} <= known


def test_the_array_trains_each_model_of_each_seed_once(slurm, monkeypatch):
    grid, _ = SCRIPTS
    trained = set()
    for task in range(72):
        Path("typed").unlink(missing_ok=True)
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
        assert subprocess.run(["bash", "-c", grid], check=False).returncode == 0
        step, command = Path("typed").read_text(encoding="utf-8").splitlines()
        assert step == f"srun .venv/bin/{command}"
        trained.add(re.search(r"--model (\S+) --seed (\d)", command).groups())
    assert trained == {(model, seed) for model in MODEL_NAMES for seed in "123"}


@pytest.mark.parametrize(("ends_with", "goes_on"), [(0, False), (1, False), (75, True)])
def test_the_array_goes_on_where_it_was_stopped(slurm, monkeypatch, ends_with, goes_on):
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    monkeypatch.setenv("ENDS_WITH", str(ends_with))
    assert subprocess.run(["bash", "-c", SCRIPTS[0]], check=False).returncode == ends_with
    typed = Path("typed").read_text(encoding="utf-8").splitlines()
    assert ("scontrol requeue 4321" in typed) == goes_on


@pytest.mark.parametrize("stopped", [False, True])
def test_the_large_model_goes_on_where_it_was_stopped(slurm, stopped):
    with subprocess.Popen(["bash", "-c", SCRIPTS[1]]) as script:
        while not Path("begun").exists():
            assert script.poll() is None
            time.sleep(0.02)
        script.send_signal(signal.SIGTERM) if stopped else Path("end").touch()
        script.wait(timeout=60)
    train, *rest = Path("typed").read_text(encoding="utf-8").splitlines()
    assert train.startswith("torchrun --standalone --nproc-per-node=4 -m ocrkit train TPS-ResNet-")
    assert rest == (["saved", "scontrol requeue 4321"] if stopped else [])
    assert script.returncode == 0 or stopped
