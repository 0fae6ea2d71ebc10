"""The last guard: errors that no command foresaw, consoles that lack characters, odd names."""

import errno
import io
import os
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ocrkit.cli import main
from ocrkit.cli.guard import empty_argument
from ocrkit.models import Recognizer, save_checkpoint

MODEL = "None-VGG-None-CTC"


def keep_tracebacks_in(folder: Path, monkeypatch) -> None:
    """Not in the temporary folder, where pytest's own capturing writes too."""
    there = partial(tempfile.NamedTemporaryFile, dir=folder)
    monkeypatch.setattr("ocrkit.cli.guard.tempfile", SimpleNamespace(NamedTemporaryFile=there))


@pytest.fixture
def fails(complains, monkeypatch, tmp_path):
    """The line of a command whose work ends in this error."""
    keep_tracebacks_in(tmp_path, monkeypatch)

    def fail(error: Exception) -> str:
        def examine(folder):
            raise error

        monkeypatch.setattr("ocrkit.doctor.examine", examine)
        return complains("doctor")

    return fail


def test_an_unforeseen_error_is_one_line_and_its_traceback_lies_in_a_file(fails, tmp_path):
    said = fails(KeyError("a\nb" * 200))
    assert said.startswith(r"ocrkit: unexpected error: KeyError: 'a\nba\nb")
    (kept,) = tmp_path.iterdir()
    assert said.endswith(f"; the traceback is in {kept}\n")
    told = kept.read_text(encoding="utf-8")
    assert told.startswith("ocrkit doctor\n")
    assert "in examine" in told


def test_where_no_traceback_can_be_written_that_is_said(fails, monkeypatch, tmp_path):
    keep_tracebacks_in(tmp_path / "gone", monkeypatch)
    assert "its traceback could not be written (No such file" in fails(TypeError("x"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a/[b].txt"), "a/[b].txt: No space left"),
        (PermissionError(errno.EACCES, "Permission denied", "a", None, "b"), "a -> b: Permission"),
        (OSError(errno.EIO, "Input/output error"), "the system: Input/output error"),
        (MemoryError(), "out of memory: use a smaller --batch-size"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out of memory"),
    ],
)
def test_errors_of_the_system_need_no_traceback(fails, tmp_path, error, said):
    assert f"ocrkit: {said}" in fails(error)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_not_utf_8_is_named(fails):
    with pytest.raises(UnicodeEncodeError) as caught:
        os.fsdecode(b"out\xb0").encode()
    assert "the name 'out\\udcb0' is not UTF-8: rename" in fails(caught.value)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["", "x"], "an empty value at the beginning"),
        (["train", "--out", ""], "an empty value after --out"),
        (["train", "--out="], "--out has an empty value"),
        (["train", "--", "-"], ""),
        ([], ""),
    ],
)
def test_empty_values_are_named(typed, said):
    found = empty_argument(typed)
    assert (said in found) if said else found == ""


def test_an_empty_value_is_a_mistake_of_usage(ocrkit):
    code, _, complaint = ocrkit("pack", "", "images", "set")
    assert (code, len(complaint.splitlines())) == (2, 1)


# Consoles and names


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """Two pictures, one of them blank, and a reader that has learnt nothing."""
    monkeypatch.chdir(tmp_path)
    Path("그림").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (32, 64), dtype=np.uint8)
    Image.fromarray(noise).save("그림/가.png")
    Image.new("L", (64, 32)).save("그림/빈.png")
    Path("gt.tsv").write_text("가.png\t똠방\u200b🙂\n빈.png\t나", encoding="utf-8")
    torch.manual_seed(0)
    save_checkpoint(Recognizer(MODEL, classes=3, image_width=64, width=0.05), "reader", "똠🙂")
    return tmp_path


@pytest.mark.parametrize("encoding", ["cp949", "cp1252", "ascii"])
def test_a_console_that_lacks_the_characters_shows_their_numbers(own, monkeypatch, encoding):
    commands = (
        ["pack", "gt.tsv", "그림", "묶음"],
        ["diagnose", "묶음", "-m", MODEL],
        ["read", "--checkpoint", "reader", "그림/가.png", "--force"],
        ["evaluate", "reader", "묶음"],
    )
    printed = ""
    for command in commands:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
        monkeypatch.setattr(sys, "argv", ["ocrkit", *command])
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        with pytest.raises(SystemExit) as end:
            main()
        for stream in streams:
            stream.flush()
        out, err = (stream.buffer.getvalue().decode(encoding) for stream in streams)
        assert not end.value.code, err
        assert "unexpected" not in err
        printed += out + err
    assert "\\U0001f642" in printed  # a diagnosis names the rare characters


@pytest.mark.parametrize("name", ["set[/b]", "[red]set", ":smile:"])
def test_names_are_printed_as_they_are(own, ocrkit, name):
    code, out, err = ocrkit("pack", "gt.tsv", "그림", name)
    assert code == 0, err
    assert f"{name}: 1 images, 1 left out" in out
    assert "left out: line 2 (빈.png)" in err
    code, out, err = ocrkit("evaluate", "reader", name)
    assert code == 0, err
    assert Path(name).name in out
    code, out, err = ocrkit("diagnose", name, "--model", MODEL)
    assert code == 0, err


def test_a_name_that_is_no_unicode_is_read_or_refused_in_a_line(own, ocrkit, complains):
    name = os.fsdecode(b"\xb0\xa1.png")
    shutil.copy("그림/가.png", name)
    code, out, _ = ocrkit("read", "--checkpoint", "reader", name, "--force")
    assert (code, out.split("\t")[0]) == (0, r"\udcb0\udca1.png")
    assert "is not UTF-8: rename" in complains("pack", "gt.tsv", "그림", name.removesuffix(".png"))


def test_a_loop_of_links_is_one_line(own, ocrkit, complains):
    Path("loop").symlink_to("loop")
    assert "loop" in complains("pack", "loop", "그림", "set")
    assert "loop" in complains("pack", "gt.tsv", "loop", "set")
    assert "loop" in complains("pack", "gt.tsv", "그림", "loop/set")
    assert "loop" in ocrkit("read", "--checkpoint", "reader", "loop")[2].splitlines()[1]


def test_pipes_devices_and_long_names_are_one_line(own, ocrkit, complains):
    os.mkfifo("pipe")
    assert "pipe is a device or a pipe" in complains("pack", "pipe", "그림", "set")
    assert (
        "pipe is a device or a pipe"
        in ocrkit("read", "--checkpoint", "reader", "pipe")[2].splitlines()[1]
    )
    assert "pipe is a device or a pipe" in complains("generate", "--words", "pipe")
    assert "/dev/zero is a device or a pipe" in complains("pack", "/dev/zero", "그림", "set")
    long = "x" * 300
    assert "File name too long" in ocrkit("read", "--checkpoint", "reader", long)[2].splitlines()[1]
    assert "File name too long" in complains("evaluate", long, "set")
    assert "File name too long" in complains("evaluate", "reader", long)
    assert "File name too long" in complains("pack", "gt.tsv", "그림", long)


# Numbers


@pytest.mark.parametrize(
    "typed",
    [
        *("--seed -1", "--seed 99999999999999999999", "--width inf", "--width nan", "--width 0"),
        *("--width 1e9", "--image-width 99999999999999999999", "--image-width 31"),
        *("--max-length 0", "--max-length 1001", "--steps 0", "--batch-size 0", "--steps 1e5"),
        *("--unfit-limit nan", "--unfit-limit 2", "--save-every nan", "--save-every -1"),
    ],
)
def test_numbers_out_of_their_range_are_named(ocrkit, typed):
    code, _, complaint = ocrkit("train", MODEL, "--train", "set", *typed.split())
    assert code == 2
    assert typed.split()[0] in complaint


@pytest.mark.parametrize("typed", ["papers --seed -1 crnn", "sweep --seed -1", "sweep --gpus nan"])
def test_numbers_of_other_commands_too(ocrkit, typed):
    assert ocrkit(*typed.split())[0] == 2


@pytest.mark.parametrize("device", ["mps", "xpu", "hpu", "meta", "cpu:3", "cuda:x"])
def test_a_device_that_nothing_here_was_tried_on(complains, device):
    said = complains("train", MODEL, "--train", "set", "--device", device)
    assert f"unknown device {device!r}: choose cpu or cuda" in said
