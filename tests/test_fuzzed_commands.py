"""Hundreds of command lines that nobody meant to type: each ends well or with a line to read."""

import os
import random
import signal
from pathlib import Path
from typing import get_type_hints

import pytest
import torch
import typer
from PIL import Image

from ocrkit import cli
from ocrkit.data.store import Item, write_set
from ocrkit.errors import OcrkitError
from ocrkit.models import Recognizer, save_checkpoint

MODEL = "None-VGG-None-CTC"
NUMBERS = (
    *("-1", "0", "1", "2", "7", "33", "nan", "inf", "-inf", "1e9", "1e-320", "0.5", "", " ", "٣"),
    *("99999999999999999999", "0x10", "one", "1,000", "[/b]", "-"),
)
WORDS = {
    "model": (MODEL, "none-vgg-none-ctc", "CRNN", "TPS-VGG-None-CTC", "", "[red]", "🙂", "\udcb0"),
    "preset": ("smoke", "smoke", "mini", "huge", "", "[/]", "../smoke", "a/" * 3000),
    "device": ("cpu", "cuda", "cuda:7", "cuda:-1", "mps", "xpu", "hpu", "meta", "gpu", "cpu:9", ""),
    "engine": ("native", "apex", "jet", ""),
    "precision": ("fp32", "fp16", "fp8", "auto", ""),
    "recipe": ("2019", "fast", "slow", ""),
    "on": ("here", "moon", ""),
    "study": ("crnn", "craft", "craftt", "[b]", ""),
    "fonts": ("koreanize", "empty", "gone", "pipe", "loop", ""),
}


# What fits, so that a line gets past its first mistake.
MEANT = {
    **{"truth": "gt.txt", "images": "line.png", "out": "made", "sets": "set", "test": "other[/b]"},
    **{
        "valid": "other[/b]",
        "files": "line.png",
        "checkpoint": "reader",
        "model": MODEL,
        "words": "words.txt",
    },
    **{"steps": "2", "batch_size": "2", "image_width": "64", "max_length": "3", "width": "0.05"},
    **{"seed": "1", "unfit_limit": "1", "save_every": "9", "device": "cpu", "charset": "data"},
}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    """A folder of what a path may turn out to be."""
    folder = tmp_path_factory.mktemp("fuzzed")
    Image.linear_gradient("L").resize((64, 32)).save(folder / "line.png")
    picture = (folder / "line.png").read_bytes()
    write_set(folder / "set", [Item(picture, text) for text in ("가나", "나다", "다 가")])
    write_set(folder / "other[/b]", [Item(picture, "라")])
    (folder / "gt.txt").write_text("line.png\t가나\ngone.png\t나\n[/b].png\t다", encoding="utf-8")
    (folder / "words.txt").write_text("\n".join("가나다라마바사아자차카"), encoding="utf-8")
    (folder / "binary").write_bytes(bytes(range(256)) * 9)
    for name in ("empty", "broken", "[bold]"):
        (folder / name).mkdir()
    (folder / "broken" / "data.mdb").write_bytes(b"no database" * 999)
    (folder / "nothing.txt").touch()
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    torch.manual_seed(0)
    model = Recognizer(MODEL, classes=4, max_length=3, image_width=64, width=0.05)
    save_checkpoint(model, folder / "reader", "가나다")
    return folder


PATHS = (
    *("set", "set", "set", "other[/b]", "line.png", "gt.txt", "words.txt", "reader", "reader"),
    *("reader.json", "binary", "empty", "broken", "[bold]", "nothing.txt", "loop", "loop/x", ""),
    *("dangling", "pipe", "pipe/x", "/dev/null", "/dev/full", "/proc/self", "gone", "gone/[/b]"),
    *("n" * 300, "a/" * 3000, "이름", os.fsdecode(b"\xb0\xa1"), ".", "..", "line.png/x", "/", "*"),
)


def command_line(rng: random.Random) -> list[str]:
    """A command with most of its arguments, some options, and values that mostly fit."""
    command = rng.choice(cli.app.registered_commands).callback
    typed = [command.__name__]
    for name, kind in get_type_hints(command, include_extras=True).items():
        if name == "return":
            continue
        (about,) = kind.__metadata__
        option = isinstance(about, typer.models.OptionInfo)
        if rng.random() < (0.7 if option else 0.05):
            continue
        if option:
            # In an annotation typer takes the first name for a default until the command is made.
            given = [flag for flag in (about.default, *(about.param_decls or ())) if _is_flag(flag)]
            typed += rng.choice(given or [f"--{name.replace('_', '-')}"]).split("/")[:1]
        if kind.__origin__ is not bool:
            typed.append(_value(name, str(kind.__origin__), rng))
    if rng.random() < 0.1:
        typed.insert(rng.randrange(len(typed) + 1), rng.choice(("--what", "-", "--", "-x", "")))
    return typed


def _is_flag(value: object) -> bool:
    return isinstance(value, str) and value.startswith("-")


def _value(name: str, kind: str, rng: random.Random) -> str:
    if name in MEANT and rng.random() < 0.6:
        return MEANT[name]
    if name == "workers":  # the words are on trial here, not the machine
        return rng.choice(("1", "0", "-1", "nan"))
    if name in WORDS:
        return rng.choice(WORDS[name])
    if name == "charset":
        return rng.choice(("data", "972", "ksx1001", "2350", *PATHS))
    return rng.choice(NUMBERS if "int" in kind or "float" in kind else PATHS)


@pytest.fixture
def quick(scratch, monkeypatch):
    """Here nothing is drawn or trained, and what hangs is stopped."""

    def not_now(*_, **__):
        raise OcrkitError("left out of this test")

    def hangs(*_):
        raise TimeoutError("it hangs")

    for heavy in (
        "ocrkit.experiments.datasets.write_set",
        "ocrkit.training.Trainer.run",
        "ocrkit.papers.shared.study.run_study",
        "ocrkit.report.write_report",
        "ocrkit.experiments.grid.count_parameters",
        "ocrkit.doctor.examine",
    ):
        monkeypatch.setattr(heavy, not_now)
    monkeypatch.chdir(scratch)
    before = signal.signal(signal.SIGALRM, hangs)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("part", range(6))
def test_any_command_line_ends_well_or_with_a_line_to_read(ocrkit, quick, part):
    for seed in range(50 * part, 50 * part + 50):
        typed = command_line(random.Random(seed))
        signal.alarm(300)
        code, out, err = ocrkit(*typed)
        shown = f"{seed}: ocrkit {' '.join(typed)[:300]!a}\n{out}{err}"
        assert code in (0, 1, 2), shown
        assert "Traceback" not in out + err, shown
        assert "unexpected error" not in err, shown
        assert code == 0 or err, shown
