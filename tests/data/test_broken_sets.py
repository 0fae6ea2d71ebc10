"""Sets that are cut short, or hold less than they say: one line each, and no crash."""

import os
import subprocess
import sys
import threading

import lmdb
import pytest
from pictures import picture, plain, with_record_size

from ocrkit.data import beside
from ocrkit.data.store import ImageSet, Item, write_set


@pytest.mark.parametrize("left", [0, 10, 4096, 8192, 20_000, -1])
def test_a_truncated_set_is_an_error_and_not_a_crash(tmp_path, left):
    write_set(tmp_path / "s", [Item(picture(i, 90, 60), str(i)) for i in range(20)])
    size = (tmp_path / "s" / "data.mdb").stat().st_size
    os.truncate(tmp_path / "s" / "data.mdb", left % size)
    # In a process of its own: a mapped page beyond the file's end would end this one (SIGBUS).
    code = (
        "import sys; from ocrkit.data.store import ImageSet\n"
        "try: s = ImageSet(sys.argv[1]); [s.image_bytes(i) for i in range(len(s))]\n"
        "except ValueError as error: print(error)"
    )
    command = [sys.executable, "-c", code, tmp_path / "s"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) == 1
    assert "make or copy it again" in ended.stdout


def content(count: int = 3) -> dict[str, bytes]:
    images = {f"image-{i:09d}": picture(i, 90, 60) for i in range(1, count + 1)}
    labels = {f"label-{i:09d}": b"text" for i in range(1, count + 1)}
    return {**images, **labels, "num-samples": str(count).encode()}


@pytest.fixture
def looked(monkeypatch) -> list[str]:
    """The folders that another process looks through from now on."""
    folders, look = [], beside._read_elsewhere

    def counted(folder):
        folders.append(folder.name)
        return look(folder)

    monkeypatch.setattr(beside, "_read_elsewhere", counted)
    return folders


@pytest.mark.parametrize("size", [2**20, 2**31 - 1, 2**32 - 1])
@pytest.mark.parametrize("key", ["image-000000002", "label-000000003", "num-samples"])
def test_a_record_that_points_out_of_the_file_is_an_error_and_not_a_crash(
    tmp_path, refused, key, size
):
    damaged = with_record_size(plain(tmp_path / "s", content()), key, size)
    for _ in range(2):  # nothing of the first try is left in the way
        with refused(r"/s is damaged \(.*\): make or copy it again"):
            ImageSet(damaged)
    ours = tmp_path / "ours"
    write_set(ours, [Item(picture(i, 90, 60), "text") for i in range(3)])
    with refused("/ours is damaged"):
        ImageSet(with_record_size(ours, key, size))


def test_another_process_looks_through_a_set_once(tmp_path, looked):
    plain(tmp_path / "s", content())
    for _ in range(2):
        assert ImageSet(tmp_path / "s").texts() == ["text"] * 3
    assert looked == ["s"]
    os.utime(tmp_path / "s" / "data.mdb")  # it has changed, as far as one can tell
    for _ in range(2):
        assert len(ImageSet(tmp_path / "s")) == 3
    assert looked == ["s", "s"]
    # What we write ourselves needs no second look.
    write_set(tmp_path / "ours", [Item(picture(1), "text")])
    assert len(ImageSet(tmp_path / "ours")) == 1
    assert looked == ["s", "s"]


def test_where_no_other_process_can_be_started_it_is_said(tmp_path, monkeypatch, refused):
    plain(tmp_path / "s", content())
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    with refused("cannot look through .*/s: No such file"):
        ImageSet(tmp_path / "s")
    (tmp_path / "gone").write_text("#!/bin/sh\necho no lmdb here >&2; exit 1\n")
    (tmp_path / "gone").chmod(0o755)
    with refused("cannot look through .*/s: no lmdb here"):
        ImageSet(tmp_path / "s")


def test_a_set_that_is_open_is_not_called_broken(tmp_path, refused):
    plain(tmp_path / "s", content())
    with (
        lmdb.open(str(tmp_path / "s"), readonly=True, lock=False),
        refused("/s is open in this process through lmdb itself: close that"),
    ):
        ImageSet(tmp_path / "s")
    # And from many threads at once.
    opened = []
    threads = [
        threading.Thread(target=lambda: opened.append(ImageSet(tmp_path / "s"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(images) for images in opened] == [3] * 8


def test_sets_that_are_none(tmp_path, refused):
    with refused("has no data.mdb"):
        ImageSet(tmp_path)
    with refused("is missing"):
        ImageSet(tmp_path / "gone")
    (tmp_path / "data.mdb").write_bytes(b"this is no database" * 1000)
    with refused("make or copy it again"):
        ImageSet(tmp_path)


@pytest.mark.parametrize(
    "count", [None, b"0", b"-1", b"many", b"", "１".encode(), b"9" * 5000, b"1\n"]
)
def test_num_samples_missing_or_senseless(tmp_path, count, refused):
    content = {"image-000000001": picture(1), "label-000000001": b"a"}
    path = plain(
        tmp_path / "s", {**content, **({"num-samples": count} if count is not None else {})}
    )
    with refused("num-samples is"):
        ImageSet(path)


def test_fewer_images_than_num_samples_says(tmp_path, refused):
    content = {"image-000000001": picture(1), "label-000000001": b"a", "num-samples": b"2"}
    with refused("says it has 2 images and lacks the last"):
        ImageSet(plain(tmp_path / "s", content))


def test_millions_of_images_that_are_not_there_are_not_asked_for_one_by_one(tmp_path, refused):
    many = {**content(3), "num-samples": b"50000000", "image-050000000": picture(1)}
    with refused("says it has 50,000,000 images and holds 8 records"):
        ImageSet(plain(tmp_path / "s", many))


def test_holes_and_labels_that_are_no_text(tmp_path, refused):
    content = {f"image-{i:09d}": picture(i) for i in (1, 3)}
    content |= {"label-000000001": b"\xff\xfe", "label-000000002": b"b", "num-samples": b"3"}
    images = ImageSet(plain(tmp_path / "s", content))
    with refused("label 0 is not UTF-8"):
        images.text(0)
    with refused("lacks image-000000002"):
        images.image(1)
    with refused("lacks label-000000003"):
        images.text(2)
