"""LMDB sets: the reference's keys, whole or not at all, and nothing dropped in silence."""

import errno
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import picture, plain

from ocrkit.data import pictures, store
from ocrkit.data.cache import load_pixels
from ocrkit.data.store import ImageSet, Item, write_set
from ocrkit.files import read_json

LABELS = st.text(alphabet=st.characters(codec="utf-8"), max_size=20).filter(str.strip)
CONTENT = st.lists(st.tuples(st.binary(min_size=1, max_size=600), LABELS), min_size=1, max_size=6)


def pairs(path: Path) -> dict[bytes, bytes]:
    """Everything in an LMDB, read without ocrkit."""
    env = lmdb.open(str(path), readonly=True, lock=False)
    with env, env.begin() as transaction:
        return dict(transaction.cursor())


def items(count: int, seed: int = 0) -> list[Item]:
    return [Item(picture(seed + i), f"글 {i}", f"picture {i}") for i in range(count)]


def test_keys_of_the_reference(tmp_path):
    write_set(tmp_path / "s", [Item(picture(1), "한글 문장"), Item(picture(2), "값")])
    assert pairs(tmp_path / "s") == {
        b"image-000000001": picture(1),
        b"image-000000002": picture(2),
        b"label-000000001": "한글 문장".encode(),
        b"label-000000002": "값".encode(),
        b"num-samples": b"2",
    }
    files = sorted(p.name for p in (tmp_path / "s").iterdir())
    assert files == ["checked.json", "data.mdb", "manifest.json"]


def test_a_set_made_by_others_loads(tmp_path):
    content = {"image-000000001": picture(1), "label-000000001": "남의 것".encode()}
    images = ImageSet(plain(tmp_path / "s", {**content, "num-samples": b"1"}))
    assert (len(images), images.texts(), images.manifest) == (1, ["남의 것"], {})
    assert images.image_bytes(0) == picture(1)
    # Read through, it has the fingerprint that our own writing gives the same content.
    assert (
        images.fingerprint() == write_set(tmp_path / "o", [Item(picture(1), "남의 것")]).fingerprint
    )


@given(CONTENT, st.integers(1, 5))
def test_any_bytes_and_labels_come_back_in_order(tmp_path_factory, content, commit_every):
    path = tmp_path_factory.getbasetemp() / "any"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "_COMMIT_EVERY", commit_every)
        written = write_set(path, [Item(*pair) for pair in content], verify=False)
    images = ImageSet(path)
    assert [(images.image_bytes(i), images.text(i)) for i in range(len(images))] == content
    assert written.count == len(images) == len(content)
    assert images.fingerprint() == written.fingerprint


def test_many_commits_and_a_map_that_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_COMMIT_EVERY", 6)
    opened = lmdb.open
    monkeypatch.setattr(
        lmdb, "open", lambda *a, map_size=0, **k: opened(*a, map_size=map_size and 2**16, **k)
    )
    big = [Item(picture(i, 100, 100), str(i)) for i in range(40)]
    write_set(tmp_path / "s", big)
    images = ImageSet(tmp_path / "s")
    assert (tmp_path / "s" / "data.mdb").stat().st_size > 2**18
    assert images.texts() == [str(i) for i in range(40)]
    assert images.image_bytes(39) == big[39].image


def test_the_fingerprint_tells_sets_apart(tmp_path):
    prints = {
        write_set(tmp_path / "s", content).fingerprint
        for content in (
            [Item(picture(1), "가"), Item(picture(2), "나")],
            [Item(picture(2), "가"), Item(picture(1), "나")],
            [Item(picture(1), "나"), Item(picture(2), "가")],
            [Item(picture(1), "가")],
            [Item(picture(1), "가 "), Item(picture(2), "나")],
        )
    }
    assert len(prints) == 5


def test_what_is_refused_is_counted_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 10_000)
    content = [
        Item(picture(1), "좋다", "good.png"),
        Item(b"", "비다", "empty.png"),
        Item(b"GIF89a nothing", "깨지다", "broken.gif"),
        Item(picture(2)[:60], "잘리다", "cut.png"),
        Item(picture(3, 200, 51), "크다", "huge.png"),
        Item(picture(4), " \t", "blank.png"),
        Item(b"", "이름 없다"),
    ]
    written = write_set(tmp_path / "s", content)
    assert written.count == len(ImageSet(tmp_path / "s")) == 1
    reasons = dict(written.refused)
    assert list(reasons) == [
        "empty.png",
        "broken.gif",
        "cut.png",
        "huge.png",
        "blank.png",
        "item 7",
    ]
    assert reasons["empty.png"] == reasons["item 7"] == "the image is empty"
    assert "does not decode" in reasons["broken.gif"]
    assert "does not decode" in reasons["cut.png"]
    assert "enormous (200 x 51)" in reasons["huge.png"]
    assert reasons["blank.png"] == "the label is empty"
    told = read_json(tmp_path / "s" / "manifest.json")
    assert [tuple(pair) for pair in told["refused"]] == written.refused


def test_nothing_to_write(tmp_path, refused):
    with refused("no image could be written"):
        write_set(tmp_path / "s", [])
    with refused(r"no image could be written .*bad\.png.*empty"):
        write_set(tmp_path / "s", [Item(b"", "가", "bad.png")])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_not_replaced(tmp_path, refused):
    (tmp_path / "thesis.txt").write_text("years of work")
    with refused(r"not replaced, for it holds thesis.txt, not written by"):
        write_set(tmp_path, items(1))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_set_with_own_files_beside_it_is_not_replaced(tmp_path, refused):
    write_set(tmp_path / "s", items(2))
    load_pixels(ImageSet(tmp_path / "s"), 40, pad=True)
    assert write_set(tmp_path / "s", items(3)).count == 3  # what we put there is ours to delete
    (tmp_path / "s" / "valid").mkdir()
    (tmp_path / "s" / "valid" / "precious").write_text("years of work")
    with refused("for it holds valid, not written by"):
        write_set(tmp_path / "s", items(1))
    assert (tmp_path / "s" / "valid" / "precious").read_text() == "years of work"
    assert len(ImageSet(tmp_path / "s")) == 3


def test_a_set_reached_by_a_link_is_replaced_where_it_lies(tmp_path):
    write_set(tmp_path / "disk" / "s", items(3))
    (tmp_path / "s").symlink_to(tmp_path / "disk" / "s")
    write_set(tmp_path / "s", items(2))
    assert len(ImageSet(tmp_path / "disk" / "s")) == 2
    assert (tmp_path / "s").is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["disk", "s"]


def test_a_set_replaces_a_set(tmp_path):
    first = write_set(tmp_path / "s", items(3))
    old = ImageSet(tmp_path / "s")
    second = write_set(tmp_path / "s", items(2, seed=9))
    assert ImageSet(tmp_path / "s").fingerprint() == second.fingerprint != first.fingerprint
    # Whoever had the old one open still reads the old one.
    assert (len(old), old.image_bytes(2)) == (3, picture(2))


def test_an_interrupted_write_leaves_the_old_set(tmp_path):
    first = write_set(tmp_path / "s", items(3))

    def stopped():
        yield from items(2, seed=9)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_set(tmp_path / "s", stopped())
    assert ImageSet(tmp_path / "s").fingerprint() == first.fingerprint
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from pictures import picture, plain
from ocrkit.data import pictures, store
from ocrkit.data.cache import load_pixels
store._COMMIT_EVERY = 2  # some of it is on the disk when the end comes

def items():
    for i in range(9):
        if i == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        yield store.Item(picture(i), "new")

store.write_set(sys.argv[1], items())
"""


def test_a_killed_write_leaves_the_old_set_whole(tmp_path):
    first = write_set(tmp_path / "s", items(3))
    command = [sys.executable, "-c", KILLED, tmp_path / "s", Path(__file__).parent]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    images = ImageSet(tmp_path / "s")
    assert images.texts() == ["글 0", "글 1", "글 2"]
    assert images.fingerprint() == first.fingerprint
    assert [images.image(i).size for i in range(3)] == [(24, 12)] * 3
    assert write_set(tmp_path / "s", items(4)).count == 4


@pytest.mark.parametrize(
    "full",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        lmdb.DiskError("mdb_txn_commit: No space left on device"),
    ],
)
def test_a_full_disk_is_one_line_and_leaves_the_old_set(tmp_path, monkeypatch, full, refused):
    first = write_set(tmp_path / "s", items(3))

    def put(env, content):
        raise full

    with monkeypatch.context() as patched, refused("cannot write .*No space left on device"):
        patched.setattr(store, "_put", put)
        write_set(tmp_path / "s", items(4))
    assert ImageSet(tmp_path / "s").fingerprint() == first.fingerprint
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


FULL_DISK = """
import resource, signal, sys
sys.path.insert(0, sys.argv[2])
from pictures import picture, plain
from ocrkit.data.store import Item, write_set
from ocrkit.errors import OcrkitError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))  # no file may grow beyond
try:
    write_set(sys.argv[1], [Item(picture(i, 200, 100), "new") for i in range(9)])
except OcrkitError as error:
    print(error)
"""


def test_a_disk_that_really_is_full(tmp_path):
    first = write_set(tmp_path / "s", items(3))
    command = [sys.executable, "-c", FULL_DISK, tmp_path / "s", Path(__file__).parent]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) == 1
    assert "cannot write" in ended.stdout
    assert ImageSet(tmp_path / "s").fingerprint() == first.fingerprint
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_indices_outside(tmp_path):
    write_set(tmp_path / "s", items(2))
    images = ImageSet(tmp_path / "s")
    for index in (-1, 2):
        with pytest.raises(IndexError, match="has 2 images"):
            images.text(index)


def test_a_set_can_be_open_twice(tmp_path):
    write_set(tmp_path / "s", items(2))
    one, two = ImageSet(tmp_path / "s"), ImageSet(tmp_path / "s")
    assert one.texts() == two.texts() == ["글 0", "글 1"]


def test_a_set_travels_to_other_processes(tmp_path):
    write_set(tmp_path / "s", items(2))
    images = ImageSet(tmp_path / "s")
    assert images.text(0) == "글 0"
    # Pickled, as for spawned workers; forked, with the handle open.
    assert pickle.loads(pickle.dumps(images)).image_bytes(1) == picture(1)
    child = os.fork()
    if child == 0:
        os._exit(0 if images.texts() == ["글 0", "글 1"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert images.text(1) == "글 1"
