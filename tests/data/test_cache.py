"""From pictures to pixels: shapes and scale, the cache, and the pictures that do not decode."""

import errno
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import flat, picture, plain
from PIL import Image

from ocrkit.data import cache
from ocrkit.data.cache import load_pixels, resize, to_input
from ocrkit.data.store import ImageSet, Item, write_set


def make(path, count: int = 3, bad: tuple[int, ...] = ()):
    """A set of `count` pictures; those in `bad` do not decode."""
    content = [Item(b"junk" if i in bad else picture(i), f"글{i}") for i in range(count)]
    write_set(path, content, verify=False)
    return ImageSet(path)


@pytest.fixture
def decoded(monkeypatch) -> list[int]:
    """The index of every image that is decoded from now on."""
    indices, image = [], ImageSet.image

    def counted(self, index):
        indices.append(index)
        return image(self, index)

    monkeypatch.setattr(ImageSet, "image", counted)
    return indices


def test_input_scale():
    pixels = np.array([[[0, 255], [51, 204]]], dtype=np.uint8)
    images = to_input(pixels)
    assert (images.shape, images.dtype) == ((1, 1, 2, 2), torch.float32)
    # As the reference: (v / 255 - 0.5) / 0.5.
    torch.testing.assert_close(images[0, 0], torch.tensor([[-1.0, 1.0], [-0.6, 0.6]]))
    assert torch.equal(images, to_input(torch.from_numpy(pixels)))


@pytest.mark.filterwarnings("error")
def test_pixels_that_may_not_be_written_to_are_taken_as_they_are():
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    wanted = to_input(pixels.copy())
    pixels.flags.writeable = False
    assert torch.equal(to_input(pixels), wanted)
    assert pixels.max() == 11


def test_resize_is_bicubic_to_the_full_width():
    image = Image.open(io.BytesIO(picture(1, 50, 20)))
    expected = np.asarray(image.resize((100, 32), Image.Resampling.BICUBIC))
    assert np.array_equal(resize(image, 100), expected)
    assert resize(image.convert("RGB"), 40, 16).shape == (16, 40)


@pytest.mark.parametrize(
    ("size", "natural"), [((24, 12), 64), ((10, 32), 10), ((7, 64), 4), ((999, 32), 100)]
)
def test_pad_keeps_the_shape(size, natural):
    # Light on the left, dark in the last column: the padding must repeat the last column.
    image = flat(200, *size)
    image.paste(0, (size[0] - 1, 0, size[0], size[1]))
    padded = resize(image, 100, pad=True)
    assert padded.shape == (32, 100)
    alone = np.asarray(image.resize((natural, 32), Image.Resampling.BICUBIC))
    assert np.array_equal(padded[:, :natural], alone)
    assert (padded[:, natural:] == alone[:, -1:]).all()


def test_pixels_are_the_pictures_resized(tmp_path):
    images = make(tmp_path / "s")
    pixels = load_pixels(images, 40, 16)
    assert pixels.pixels.shape == (3, 16, 40)
    assert pixels.pixels.dtype == np.uint8
    assert (len(pixels), pixels.texts, pixels.broken) == (3, ["글0", "글1", "글2"], [])
    for i in range(3):
        assert np.array_equal(pixels.pixels[i], resize(images.image(i), 40, 16))


def test_the_second_time_nothing_is_decoded(tmp_path, decoded):
    images = make(tmp_path / "s")
    first = load_pixels(images, 40)
    assert sorted(decoded) == [0, 1, 2]
    again = load_pixels(images, 40)
    assert len(decoded) == 3
    assert isinstance(again.pixels, np.memmap)
    assert np.array_equal(first.pixels, again.pixels)
    # Another size, or padding, is another cache.
    load_pixels(images, 50)
    load_pixels(images, 40, pad=True)
    assert len(decoded) == 9


def test_a_new_set_is_decoded_anew(tmp_path, decoded):
    load_pixels(make(tmp_path / "s"), 40)
    write_set(tmp_path / "s", [Item(picture(7), "새")])
    pixels = load_pixels(ImageSet(tmp_path / "s"), 40)
    assert pixels.texts == ["새"]
    assert len(decoded) == 4


@pytest.mark.parametrize("file", ["pixels-32x40.npy", "pixels-32x40.json"])
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"[]"])
def test_a_damaged_cache_is_made_again(tmp_path, file, damage):
    images = make(tmp_path / "s")
    first = np.array(load_pixels(images, 40).pixels)
    path = tmp_path / "s" / file
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert np.array_equal(load_pixels(images, 40).pixels, first)
    assert path.stat().st_size == len(whole)


def test_a_cache_of_other_content_is_made_again(tmp_path):
    images = make(tmp_path / "s")
    first = np.array(load_pixels(images, 40).pixels)
    file = tmp_path / "s" / "pixels-32x40.npy"
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    raw = bytearray(file.read_bytes())
    raw[-7] ^= 1
    file.write_bytes(raw)
    os.utime(file, ns=times)  # neither size nor time tell
    assert np.array_equal(load_pixels(images, 40).pixels, first)
    # Another set of the same size and time, as a copying program may leave it.
    mine, other = tmp_path / "s", tmp_path / "other"
    write_set(other, [Item(picture(i + 50), f"글{i}") for i in range(3)])
    assert (mine / "data.mdb").stat().st_size == (other / "data.mdb").stat().st_size
    for name in ("data.mdb", "manifest.json"):
        times = ((mine / name).stat().st_atime_ns, (mine / name).stat().st_mtime_ns)
        os.replace(other / name, mine / name)
        os.utime(mine / name, ns=times)
    assert not np.array_equal(load_pixels(ImageSet(mine), 40).pixels, first)


def test_broken_pictures_are_named_and_texts_stay_in_step(tmp_path):
    images = make(tmp_path / "s", count=5, bad=(1, 4))
    for _ in range(2):  # decoded, then from the cache
        pixels = load_pixels(images, 40)
        assert pixels.texts == ["글0", "글2", "글3"]
        assert [i for i, _ in pixels.broken] == [1, 4]
        assert all("does not decode" in reason for _, reason in pixels.broken)
        assert np.array_equal(pixels.pixels[1], resize(images.image(2), 40))


@pytest.mark.parametrize("gone", [1, 2])
def test_a_set_that_lacks_an_image_is_read_without_it(tmp_path, gone):
    content = {f"label-{i:09d}": b"text" for i in (1, 2, 3)} | {"num-samples": b"3"}
    content |= {f"image-{i:09d}": picture(i) for i in (1, 2, 3) if i != gone}
    pixels = load_pixels(ImageSet(plain(tmp_path / "s", content)), 40)
    assert pixels.broken[0][0] == gone - 1
    assert "lacks image" in pixels.broken[0][1]
    assert len(pixels) == 2


def test_no_picture_decodes(tmp_path, refused):
    images = make(tmp_path / "s", count=2, bad=(0, 1))
    with refused("no image of .* decodes"):
        load_pixels(images, 40)


def test_a_full_disk(tmp_path, monkeypatch, refused):
    images = make(tmp_path / "s")

    def save(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched, refused("cannot write .*No space left"):
        patched.setattr(cache.np, "save", save)
        load_pixels(images, 40)
    assert not [p for p in (tmp_path / "s").iterdir() if "pixels" in p.name]
    assert len(load_pixels(images, 40)) == 3


@pytest.fixture
def read_only(monkeypatch):
    """Say which folders cannot be written (`tests` may run as root, whom no mode stops)."""
    real = tempfile.mkstemp

    def make_read_only(*folders, refusal: int = errno.EROFS):
        def mkstemp(*args, dir=None, **options):
            if any(Path(dir).is_relative_to(folder) for folder in folders):
                raise OSError(refusal, os.strerror(refusal))
            return real(*args, dir=dir, **options)

        monkeypatch.setattr(tempfile, "mkstemp", mkstemp)

    return make_read_only


@pytest.mark.parametrize("refusal", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_where_nothing_can_be_written_the_pixels_are_held_in_memory(tmp_path, read_only, refusal):
    images = make(tmp_path / "s", count=4, bad=(1,))
    files = sorted((tmp_path / "s").iterdir())
    read_only(tmp_path, refusal=refusal)
    held = load_pixels(images, 40)
    assert sorted((tmp_path / "s").iterdir()) == files
    read_only()
    cached = load_pixels(images, 40)
    assert np.array_equal(held.pixels, cached.pixels)
    assert (held.texts, held.broken) == (cached.texts, cached.broken)
    assert not isinstance(held.pixels, np.memmap)
