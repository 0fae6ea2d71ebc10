"""Sets that are cut short, or hold less than they say: one line each, and no crash."""

import os
import subprocess
import sys

import pytest
from pictures import picture, plain

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


def test_sets_that_are_none(tmp_path, refused):
    with refused("has no data.mdb"):
        ImageSet(tmp_path)
    with refused("has no data.mdb"):
        ImageSet(tmp_path / "gone")
    (tmp_path / "data.mdb").write_bytes(b"this is no database" * 1000)
    with refused("make or copy it again"):
        ImageSet(tmp_path)


@pytest.mark.parametrize("count", [None, b"0", b"-1", b"many", b""])
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
