"""Whatever interrupts a write, the old file or the new one is there, never half of one."""

import errno
import os
import platform
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit import schemas
from ocrkit.files import (
    atomic_file,
    atomic_folder,
    check_replaceable,
    disk_errors,
    read_file,
    read_json,
    write_json,
    write_text,
)

OURS = re.compile("data|extra|kept")
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too, with its text."""
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_text(encoding="utf-8") for p in files}


def old_file(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old\n")
    return path


def old_folder(tmp_path: Path) -> Path:
    path = tmp_path / "set"
    with atomic_folder(path, OURS) as folder:
        (folder / "data").write_text("old")
    return path


def test_a_file_appears_whole_and_readable_for_all(tmp_path):
    path = old_file(tmp_path)
    with atomic_file(path) as temporary:
        assert temporary.parent == path.parent
        temporary.write_text("new\n")
        assert path.read_text() == "old\n"
    assert tree(tmp_path) == {"deep/file.txt": "new\n"}
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_is_no_ordinary_file_is_not_replaced_by_one(tmp_path, refused):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    for name, what in (("pipe", "a device"), ("link", "a device"), ("folder", "a folder")):
        with refused(f"{name} is {what}"), atomic_file(tmp_path / name):
            raise AssertionError("the work is done before it is refused")
    assert (tmp_path / "pipe").is_fifo()
    with refused("/dev/null is a device"):
        write_text("/dev/null", "")


def test_a_link_that_leads_round_is_refused_before_the_work(tmp_path, refused):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    with refused("loop is a link that leads round"):
        check_replaceable(tmp_path / "loop", OURS)
    check_replaceable(tmp_path / "dangling", OURS)


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()])
def test_an_interrupted_file_leaves_the_old_one(tmp_path, error):
    path = old_file(tmp_path)

    def write() -> None:
        with atomic_file(path) as temporary:
            temporary.write_text("ne")
            raise error

    with pytest.raises(type(error)):
        write()
    assert tree(tmp_path) == {"deep/file.txt": "old\n"}


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path, monkeypatch, refused):
    path = old_file(tmp_path)

    def write(self, text, **how):
        raise FULL

    monkeypatch.setattr(Path, "write_text", write)
    with refused(r"cannot write .*file\.txt: No space left on device"):
        write_text(path, "new\n")
    assert tree(tmp_path) == {"deep/file.txt": "old\n"}


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_who_may_not_write_is_told_what_to_do(refused, number):
    # Raised here, for root, as whom tests may run, may write everywhere.
    told = f"cannot write runs/own: {os.strerror(number)}: choose a folder that you may write in"
    with refused(told), disk_errors(Path("runs/own")):
        raise OSError(number, os.strerror(number))


def test_a_folder_takes_the_place_of_the_old_one(tmp_path):
    path = old_folder(tmp_path)
    (path / "extra").write_text("old")
    with atomic_folder(path, OURS) as folder:
        (folder / "data").write_text("new")
        assert tree(path) == {"data": "old", "extra": "old"}
    assert tree(tmp_path) == {"set/data": "new"}
    assert path.stat().st_mode & 0o777 == 0o755
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


STRANGE = {
    "a file": lambda path, _: path.write_text("notes"),
    "a folder": lambda path, _: path.mkdir(),
    "a link to a file": lambda path, tmp: path.symlink_to(old_file(tmp)),
    "a link to nothing": lambda path, _: path.symlink_to("gone"),
}


@pytest.mark.parametrize("what", STRANGE)
@pytest.mark.parametrize("name", ["mine.txt", "data"])
def test_a_folder_with_anything_else_in_it_is_not_replaced(tmp_path, refused, what, name):
    path = old_folder(tmp_path)
    (path / "data").rename(path / "extra")
    STRANGE[what](path / name, tmp_path)
    if (what, name) == ("a file", "data"):  # that one is ours
        check_replaceable(path, OURS)
        return
    before = sorted(p.name for p in path.iterdir())
    with refused(f"set is not replaced, for it holds {name}, not written by"):
        check_replaceable(path, OURS)
    with refused("not written by ocrkit"), atomic_folder(path, OURS):
        raise AssertionError("the work has begun")
    assert sorted(p.name for p in path.iterdir()) == before
    assert (path / "extra").read_text() == "old"


def test_what_is_put_into_the_folder_while_the_new_one_is_made_is_kept(tmp_path, refused):
    path = old_folder(tmp_path)
    with refused("holds late.txt"), atomic_folder(path, OURS) as folder:
        (folder / "data").write_text("new")
        (path / "late.txt").write_text("mine")
    assert tree(tmp_path) == {"set/data": "old", "set/late.txt": "mine"}


def test_links_stay_and_what_they_point_to_is_replaced(tmp_path):
    folder, file = old_folder(tmp_path / "disk"), old_file(tmp_path / "disk")
    (tmp_path / "set").symlink_to(folder)
    (tmp_path / "file.txt").symlink_to(file)
    with atomic_folder(tmp_path / "set", OURS) as building:
        (building / "data").write_text("new")
    write_text(tmp_path / "file.txt", "new\n")
    assert tree(tmp_path / "disk") == {"set/data": "new", "deep/file.txt": "new\n"}
    assert (tmp_path / "set").is_symlink()
    assert (tmp_path / "file.txt").is_symlink()
    assert {p.name for p in tmp_path.iterdir()} == {"disk", "set", "file.txt"}


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()])
def test_an_interrupted_folder_leaves_the_old_one(tmp_path, error):
    path = old_folder(tmp_path)

    def write() -> None:
        with atomic_folder(path, OURS) as folder:
            (folder / "data").write_text("ne")
            raise error

    with pytest.raises(type(error)):
        write()
    assert [p.name for p in tmp_path.iterdir()] == ["set"]
    assert tree(tmp_path) == {"set/data": "old"}


def test_a_move_that_fails_puts_the_old_folder_back(tmp_path, monkeypatch, refused):
    path, move = old_folder(tmp_path), os.replace

    def fails(source, target):
        if Path(target) == path and str(source).endswith(".part"):
            raise FULL
        move(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with refused("No space left"), atomic_folder(path, OURS) as folder:
        (folder / "data").write_text("new")
    assert tree(tmp_path) == {"set/data": "old"}


KILLED = """
import os, re, signal, sys
from ocrkit.files import atomic_file, atomic_folder
with atomic_folder(sys.argv[1], re.compile('data')) as folder, atomic_file(sys.argv[2]) as file:
    (folder / "data").write_text("ne")
    file.write_text("ne")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_write_leaves_the_old_ones(tmp_path):
    folder, file = old_folder(tmp_path), old_file(tmp_path)
    ended = subprocess.run([sys.executable, "-c", KILLED, folder, file], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert tree(folder) == {"data": "old"}
    assert file.read_text() == "old\n"
    # What the killed one left behind stops nobody.
    write_text(file, "new\n")
    with atomic_folder(folder, OURS) as building:
        (building / "data").write_text("new")
    assert (file.read_text(), tree(folder)) == ("new\n", {"data": "new"})


def test_a_place_that_cannot_be(tmp_path, refused):
    (tmp_path / "file").write_text("in the way")
    with refused("cannot write"):
        write_text(tmp_path / "file" / "below.txt", "new")
    with refused("cannot write"), atomic_folder(tmp_path / "file" / "below", OURS):
        pass
    assert tree(tmp_path) == {"file": "in the way"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(alphabet=st.characters(codec="utf-8")), JSON, max_size=3))
def test_json_round_trip(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value


def test_json_keeps_hangul_readable(tmp_path):
    write_json(tmp_path / "a.json", {"글": "한글"})
    assert "한글" in (tmp_path / "a.json").read_text(encoding="utf-8")


BROKEN = [b"", b'{"a": 1', b"\xff\xfe\x00", b"not json", b"[" * 100_000, b'{"a": ' + b"9" * 5000]


@pytest.mark.parametrize("content", BROKEN)
def test_broken_json(tmp_path, content, refused):
    (tmp_path / "a.json").write_bytes(content)
    with refused(r"a\.json is broken"):
        read_json(tmp_path / "a.json")


def test_missing_json(tmp_path, refused):
    with refused(r"a\.json is missing"):
        read_json(tmp_path / "a.json")


SHAPES = [
    (b"null", schemas.Shape, "the whole file: should be a valid dictionary"),
    (b"[]", schemas.OwnRun, "the whole file: should be a valid dictionary"),
    (b"{}", schemas.Experiment, "preset: Field required"),
    (b'{"preset": [], "dataset": "f"}', schemas.Experiment, "preset: should be a valid dict"),
    (b'{"model": "m", "seed": 1, "status": "ok", "history": [1]}', schemas.Row, "history.0: "),
    (b'{"model": "m", "seed": "1", "status": "ok"}', schemas.Row, "seed: should be a valid int"),
    (b'{"model": "m", "seed": 1, "status": "done"}', schemas.Row, "status: should be 'ok' or"),
    (b'{"stamp": 1, "bytes": 1, "broken": []}', schemas.PixelsNote, "stamp: "),
    (b'{"fingerprint": 7}', schemas.Manifest, "fingerprint: should be a valid string"),
    (b'{"charset": "a", "fingerprint": "f", "sets": ["a"]}', schemas.DataNote, "sets: "),
    (b'{"study": "craft", "seed": 1, "recipe": {}}', schemas.StudyRow, "history: Field required"),
]


@pytest.mark.parametrize(("content", "shape", "said"), SHAPES)
def test_json_of_another_shape_names_the_file_and_the_field(
    tmp_path, content, shape, said, refused
):
    (tmp_path / "a.json").write_bytes(content)
    with refused(rf"a\.json is of another shape: {re.escape(said)}"):
        read_json(tmp_path / "a.json", shape)


def test_keys_that_no_schema_names_are_kept(tmp_path):
    write_json(tmp_path / "a.json", {"count": 3, "refused": [["a.png", "no image"]]})
    assert read_json(tmp_path / "a.json", schemas.Manifest)["refused"] == [["a.png", "no image"]]


def test_what_is_no_ordinary_file_is_not_waited_for(tmp_path, refused):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "big").write_bytes(b"12345")
    with refused("pipe is a device or a pipe"):
        read_file(tmp_path / "pipe")
    with refused("/dev/zero is a device or a pipe"):
        read_file("/dev/zero")
    with refused("is a folder"):
        read_file(tmp_path)
    with refused("loop: Too many levels of symbolic links"):
        read_file(tmp_path / "loop")
    with refused("File name too long"):
        read_file(tmp_path / ("a" * 3000))
    with refused("has 5 bytes: 4 at most"):
        read_file(tmp_path / "big", most=4)


def test_a_name_that_is_not_unicode_can_be_written_down(tmp_path):
    name = b"out\xb0\xa1".decode("utf-8", "surrogateescape")
    write_json(tmp_path / "a.json", {"set": name, "text": "한글"})
    assert read_json(tmp_path / "a.json") == {"set": name, "text": "한글"}
    write_text(tmp_path / "a.html", f"<p>{name} 한글</p>")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == r"<p>out\udcb0\udca1 한글</p>"


def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_what_a_killed_process_left_is_swept_up(tmp_path):
    dead = dead_process()
    here = platform.node()
    (tmp_path / f".set.{here}-{dead}.abc.part").mkdir()
    (tmp_path / f".note.txt.{here}-{dead}.abc.part").write_text("half")
    mine = tmp_path / f".set.{here}-{os.getpid()}.abc.part"
    mine.mkdir()
    write_text(tmp_path / "note.txt", "whole")
    with atomic_folder(tmp_path / "set", OURS) as folder:
        (folder / "new").write_text("new")
    assert {p.name for p in tmp_path.iterdir()} == {"note.txt", "set", mine.name}


def test_two_processes_do_not_make_one_folder_at_once(tmp_path, refused):
    path, other = old_folder(tmp_path), os.getppid()
    half = tmp_path / f".set.{platform.node()}-{other}.abc.part"
    half.mkdir()
    write_text(half.with_name(f".note.txt.{platform.node()}-{other}.abc.part"), "half")
    write_text(tmp_path / "note.txt", "of files the last one stays")
    said = rf"process {other} is writing .*set just now: let it end .*remove .*\.part\)"
    with refused(said), atomic_folder(path, OURS):
        raise AssertionError("nothing is made in vain")
    assert tree(path) == {"data": "old"}


def test_a_folder_lost_between_two_moves_comes_back(tmp_path):
    old = tmp_path / f".set.{platform.node()}-{dead_process()}.abc.old"
    old.mkdir()
    (old / "kept").write_text("kept")
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "set", OURS):
        raise RuntimeError("stopped before the new one is whole")
    assert (tmp_path / "set" / "kept").read_text() == "kept"
