"""Sets of labelled images in LMDB, in the reference framework's key format.

Keys: `image-%09d` and `label-%09d` counted from 1, and `num-samples`; values: the encoded image's
bytes, the label in UTF-8. Sets made by other people's scripts load here, and ours load there.
"""

import hashlib
import os
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakValueDictionary

import lmdb
from PIL import Image

from ocrkit.data.beside import check_readable, write_checked
from ocrkit.data.pictures import decode
from ocrkit.errors import OcrkitError
from ocrkit.files import atomic_folder, read_json, write_json
from ocrkit.schemas import Manifest

_COMMIT_EVERY = 2000
# Every file that is written into a set's folder, by us or by LMDB: all that replacing it deletes.
SET_FILES = re.compile(
    r"(data|lock)\.mdb|manifest\.json|checked\.json|pixels-\d+x\d+(-pad)?\.(npy|json)"
)


@dataclass(frozen=True)
class Item:
    """One labelled image: its encoded bytes, its text and a name to report it by."""

    image: bytes
    text: str
    name: str = ""


@dataclass
class Written:
    """What `write_set` did: how many went in, and which did not, by name and reason."""

    count: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    fingerprint: str = ""


def write_set(
    path: str | Path, items: Iterable[Item], about: dict | None = None, verify: bool = True
) -> Written:
    """Write an LMDB set and its `manifest.json`, whole or not at all.

    path: the set's folder; a set that is there is replaced when the new one is whole.
    items: the labelled images.
    about: what the manifest should tell besides count and fingerprint.
    verify: decode each image and refuse those that fail (named in the result).
    Raises OcrkitError: nothing to write, the disk is full, or the folder holds something else.
    """
    done, digest = Written(), hashlib.sha256()
    with atomic_folder(path, SET_FILES) as folder:
        # The map is address space, not disk; doubled when it is full.
        env = lmdb.open(os.fsencode(folder), map_size=2**30, sync=False, writemap=False)
        batch: list[tuple[bytes, bytes]] = []
        try:
            for number, item in enumerate(items, start=1):
                if reason := _refusal(item, verify):
                    done.refused.append((item.name or f"item {number}", reason))
                    continue
                done.count += 1
                text = item.text.encode("utf-8")
                digest.update(_digested(item.image, text))
                batch.append((b"image-%09d" % done.count, item.image))
                batch.append((b"label-%09d" % done.count, text))
                if len(batch) >= _COMMIT_EVERY:
                    _put(env, batch)
                    batch.clear()
            if not done.count:
                first = f" (first: {done.refused[0]})" if done.refused else ""
                raise OcrkitError(f"no image could be written to {path}{first}")
            _put(env, [*batch, (b"num-samples", b"%d" % done.count)])
            env.sync(True)
        except lmdb.Error as error:
            raise OcrkitError(f"cannot write the LMDB set {path}: {error}") from error
        finally:
            env.close()
        (folder / "lock.mdb").unlink(missing_ok=True)
        write_checked(folder)
        done.fingerprint = digest.hexdigest()[:16]
        manifest = {"count": done.count, "fingerprint": done.fingerprint, **(about or {})}
        if done.refused:
            manifest["refused"] = done.refused
        write_json(folder / "manifest.json", manifest)
    return done


def _digested(image: bytes, text: bytes) -> bytes:
    return len(image).to_bytes(8, "little") + image + text + b"\0"


def _refusal(item: Item, verify: bool) -> str:
    """Why an item cannot go into a set, or ""."""
    if not item.text.strip():
        return "the label is empty"
    if not item.image:
        return "the image is empty"
    if verify:
        try:
            decode(item.image)
        except OcrkitError as error:
            return str(error)
    return ""


def _put(env: lmdb.Environment, pairs: list[tuple[bytes, bytes]]) -> None:
    """Write pairs in one transaction, with a larger map when they do not fit."""
    while True:
        try:
            with env.begin(write=True) as transaction:
                for key, value in pairs:
                    transaction.put(key, value)
            return
        except lmdb.MapFullError:
            env.set_mapsize(env.info()["map_size"] * 2)


# LMDB opens a file once a process: sets of one file (device, inode) share the handle.
_handles: WeakValueDictionary[tuple[int, int], lmdb.Environment] = WeakValueDictionary()
_opening = threading.Lock()


def _no_set(path: Path) -> str:
    """Why there is no set here, and what to give instead."""
    if not path.exists():
        return f"{path} is missing: give the folder of an LMDB set"
    if inside := sorted(file.parent for file in path.glob("*/data.mdb")):
        return f"{path} is not an LMDB set, it holds {len(inside)}: give one, such as {inside[0]}"
    return f"{path} is not an LMDB set (`ocrkit pack` makes one): it has no data.mdb"


def _open(path: Path) -> lmdb.Environment:
    """A set's handle for reading. Without locks, so that a forked process may go on using it."""
    file = path / "data.mdb"
    if not file.is_file():
        raise OcrkitError(_no_set(path))
    status = file.stat()
    key = (status.st_dev, status.st_ino)
    with _opening:
        env = _handles.get(key)
        if env is not None:
            _check_size(path, env)
            return env
        try:
            env = lmdb.open(
                os.fsencode(path), readonly=True, lock=False, readahead=False, max_readers=1
            )
        except lmdb.Error as error:
            if "already open" not in str(error):
                raise
            raise OcrkitError(
                f"{path} is open in this process through lmdb itself: close that environment first"
            ) from None
        try:
            _check_size(path, env)
            check_readable(path)
        except OcrkitError:
            env.close()
            raise
        _handles[key] = env
        return env


def _check_size(path: Path, env: lmdb.Environment) -> None:
    """The file is mapped into memory: to read a page beyond its end would end the process."""
    if (path / "data.mdb").stat().st_size < (env.info()["last_pgno"] + 1) * env.stat()["psize"]:
        raise OcrkitError(f"{path} is cut short: make or copy it again")


class ImageSet:
    """An LMDB set, open for reading: `len(s)`, `s.text(i)`, `s.image(i)`; indices from 0.

    The LMDB handle is opened when first needed and stays behind when a set is sent to spawned
    workers (the reference's cannot be sent).
    Raises OcrkitError: not an LMDB set, truncated, damaged, or without `num-samples`.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._env: lmdb.Environment | None = None
        raw = self._get(b"num-samples") or b"missing"
        if not re.fullmatch(rb"0*[1-9][0-9]{0,17}", raw):
            found = f"{raw[:20]!r}{'...' if len(raw) > 20 else ''}"
            raise OcrkitError(f"{self.path} is an LMDB without images (num-samples is {found})")
        self._count = int(raw)
        if self._count > (records := _open(self.path).stat()["entries"]):
            raise OcrkitError(
                f"{self.path} says it has {self._count:,} images and holds {records:,} records: "
                "make it again"
            )
        if self._get(b"image-%09d" % self._count) is None:
            raise OcrkitError(
                f"{self.path} says it has {self._count} images and lacks the last: make it again"
            )

    def __len__(self) -> int:
        return self._count

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_env": None}

    def _get(self, key: bytes) -> bytes | None:
        try:
            if self._env is None:
                self._env = _open(self.path)
            with self._env.begin() as transaction:
                return transaction.get(key)
        except lmdb.Error as error:
            raise OcrkitError(
                f"{self.path} is broken or cut short ({error}): make or copy it again"
            ) from None

    def _value(self, what: str, index: int) -> bytes:
        if not 0 <= index < self._count:
            raise IndexError(f"{self.path} has {self._count} images, not number {index}")
        value = self._get(b"%s-%09d" % (what.encode(), index + 1))
        if value is None:
            raise OcrkitError(f"{self.path} lacks {what}-{index + 1:09d}: make or copy it again")
        return value

    def text(self, index: int) -> str:
        """The text of image `index` as stored, spaces and all."""
        try:
            return self._value("label", index).decode("utf-8")
        except UnicodeDecodeError:
            raise OcrkitError(f"{self.path}: label {index} is not UTF-8: pack it again") from None

    def texts(self) -> list[str]:
        """All texts, in order."""
        return [self.text(i) for i in range(len(self))]

    def image_bytes(self, index: int) -> bytes:
        """The encoded bytes of image `index`."""
        return self._value("image", index)

    def image(self, index: int) -> Image.Image:
        """Image `index`, decoded to greyscale. Raises OcrkitError: it does not decode."""
        return decode(self.image_bytes(index))

    @property
    def manifest(self) -> dict:
        """What the set tells of itself; {} for sets made elsewhere."""
        path = self.path / "manifest.json"
        return read_json(path, Manifest) if path.exists() else {}

    def fingerprint(self) -> str:
        """16 hex digits that change when any image or label does; from the manifest if it is there.

        Sets made elsewhere are read through once.
        """
        if known := self.manifest.get("fingerprint"):
            return known
        digest = hashlib.sha256()
        for i in range(len(self)):
            digest.update(_digested(self.image_bytes(i), self.text(i).encode("utf-8")))
        return digest.hexdigest()[:16]
