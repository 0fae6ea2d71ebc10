"""The last guard: errors that no command foresaw, consoles that lack characters, odd names."""

import errno
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import partial
from inspect import getsource
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ocrkit.cli import main
from ocrkit.cli.base import empty_argument
from ocrkit.models import Recognizer, save_checkpoint

MODEL = "None-VGG-None-CTC"


def keep_tracebacks_in(folder: Path, monkeypatch) -> None:
    """Not in the temporary folder, where pytest's own capturing writes too."""
    there = partial(tempfile.NamedTemporaryFile, dir=folder)
    monkeypatch.setattr("ocrkit.cli.base.tempfile", SimpleNamespace(NamedTemporaryFile=there))


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


def test_names_from_elsewhere_move_no_cursor_and_forge_no_line(ocrkit, tmp_path):
    evil = "a\x1b]0;title\x07\nocrkit: all is well\r\u202e.png"
    (tmp_path / "images").mkdir()
    Image.linear_gradient("L").save(tmp_path / "images" / "whole.png")
    Image.linear_gradient("L").save(tmp_path / "images" / evil)
    lines = ["whole.png\t\x1b[31m가", "\x1b[2J.png\t나", "whole.png\t\x1b[0m다"]
    (tmp_path / "gt.tsv").write_text("\n".join(lines), encoding="utf-8")
    for command in (
        ("pack", tmp_path / "gt.tsv", tmp_path / "images", tmp_path / "s\x1b[1m\nt"),
        ("diagnose", tmp_path / "s\x1b[1m\nt", "-m", MODEL, "--charset", "972"),
        ("read", tmp_path / "images" / evil, tmp_path / "gone\x1b[2J"),
        ("read", tmp_path / "images", "--out", tmp_path / "out"),
        ("evaluate", "reader-ko", tmp_path / "s\x1b[1m\nt"),
    ):
        _, out, err = ocrkit(*command)
        assert out + err
        assert not set(out + err) & set("\x1b\x07\r\u202e"), (command, out, err)
        assert not any(line.startswith("ocrkit: all is") for line in (out + err).splitlines())


def typed(command: str, **environment: str) -> tuple[int, str, str]:
    """What a shell makes of a command line in which ocrkit is `ocrkit`."""
    shell = f'ocrkit() {{ {sys.executable} -m ocrkit "$@"; }}; set -o pipefail; {command}'
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    ended = subprocess.run(["bash", "-c", shell], env=env, capture_output=True, text=True)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no full device")
def test_a_full_disk_behind_what_is_printed_is_one_line():
    code, _, err = typed("ocrkit papers > /dev/full")
    assert (code, err) == (1, "ocrkit: the system: No space left on device\n")


def test_whoever_has_read_enough_hears_no_more():
    assert typed("ocrkit --help | head -n 1")[2] == ""


class Broken(io.StringIO):
    """A stream whose other end stays full or closed, whatever is tried."""

    def __init__(self, number: int):
        super().__init__()
        self.error = OSError(number, os.strerror(number))

    def fileno(self) -> int:
        return 1

    def flush(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "ocrkit: the system: No space left on device\n"), (errno.EPIPE, "")],
)
def test_what_cannot_be_printed_goes_nowhere_at_the_end(monkeypatch, capsys, number, said):
    turned = []
    monkeypatch.setattr("ocrkit.cli.app", lambda **_: None)
    monkeypatch.setattr("os.dup2", lambda _, stream: turned.append(stream))
    monkeypatch.setattr(sys, "argv", ["ocrkit", "papers"])
    monkeypatch.setattr(sys, "stdout", Broken(number))
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code, turned) == (1, [1]), "Python's own last try must not complain"
    assert capsys.readouterr().err == said


def test_ctrl_c_that_typer_has_caught_is_one_line(monkeypatch, ocrkit):
    monkeypatch.setattr("ocrkit.cli.app", lambda **_: sys.exit(130))
    again = "stopped; start it again and it goes on from where it was\n"
    assert ocrkit("train") == (130, "", again)


def test_ctrl_c_while_it_is_imported_is_one_line(tmp_path):
    (tmp_path / "typer.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    code, out, err = typed("ocrkit doctor", PYTHONPATH=path)
    assert (code, out, err) == (130, "", "stopped\n")


AT_THE_END = {
    "while it clears up": "import atexit; atexit.register(ctrl_c)",
    "when Python hears nobody any more": "class Last:\n    __del__ = ctrl_c\nsys.last = Last()",
}


@pytest.mark.parametrize("when", AT_THE_END)
def test_ctrl_c_after_all_is_done_changes_nothing(tmp_path, when):
    code = "import os, signal, sys\ndef ctrl_c(*_, kill=os.kill, pid=os.getpid()): kill(pid, 2)\n"
    (tmp_path / "sitecustomize.py").write_text(code + AT_THE_END[when])
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    code, out, err = typed("ocrkit --help", PYTHONPATH=path)
    assert (code, err) == (0, "")
    assert "Usage" in out


def test_a_command_called_by_a_program_leaves_ctrl_c_as_it_was(ocrkit):
    heard = signal.getsignal(signal.SIGINT)
    for typed in (["--help"], ["evaluate", "gone", "gone"], ["papers", "--seed", "nan"]):
        ocrkit(*typed)
        assert signal.getsignal(signal.SIGINT) == heard


def press_ctrl_c(*_: object) -> None:
    """As it may come: in the middle of something that cannot stand it."""
    try:
        raise KeyboardInterrupt
    finally:
        raise RuntimeError("cannot release un-acquired lock")


def test_an_error_that_ctrl_c_has_led_to_is_ctrl_c(ocrkit, monkeypatch):
    monkeypatch.setattr("ocrkit.doctor.examine", press_ctrl_c)
    assert ocrkit("doctor") == (130, "", "stopped\n")
    monkeypatch.setattr("ocrkit.experiments.presets.get_preset", press_ctrl_c)
    again = "stopped; start it again and it goes on from where it was\n"
    assert ocrkit("generate") == (130, "", again)


def test_an_error_that_ctrl_c_has_led_to_while_it_is_imported(tmp_path):
    (tmp_path / "typer.py").write_text(getsource(press_ctrl_c) + "press_ctrl_c()")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    assert typed("ocrkit doctor", PYTHONPATH=path) == (130, "", "stopped\n")


def test_who_has_no_home_folder_reads_all_the_same(ocrkit, tmp_path):
    Image.new("L", (300, 100), 255).save(tmp_path / "page.png")
    code, _, err = typed(f"ocrkit read {tmp_path}/page.png", HOME="/dev/null")
    assert (code, err) == (0, f"{tmp_path}/page.png: no text found\n")


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
    with pytest.raises(UnicodeEncodeError) as caught:  # the name in the middle of a whole page
        ("x" * 9000 + os.fsdecode(b"out\xb0") + "y" * 9000).encode()
    said = fails(caught.value)
    assert "out\\udcb0y" in said
    assert len(said) < 300


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
    assert "left out: gt.tsv, line 2 (빈.png)" in err
    code, out, err = ocrkit("evaluate", "reader", name)
    assert code == 0, err
    assert Path(name).name in out
    code, out, err = ocrkit("diagnose", name, "--model", MODEL)
    assert code == 0, err


def test_names_that_are_no_unicode_are_as_good_as_others(own, ocrkit):
    name = os.fsdecode(b"\xb0\xa1.png")
    shutil.copy("그림/가.png", name)
    code, out, _ = ocrkit("read", "--checkpoint", "reader", name, "--force")
    assert (code, out.split("\t")[0]) == (0, r"\udcb0\udca1.png")
    folder = name.removesuffix(".png")
    assert ocrkit("pack", "gt.tsv", "그림", folder)[0] == 0
    code, out, _ = ocrkit("evaluate", "reader", folder)
    assert (code, r"\udcb0\udca1" in out) == (0, True)


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
