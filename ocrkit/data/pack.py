"""A user's labelled image files become an LMDB set: `GT.tsv` + a folder of images -> a set."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath

from ocrkit.data.pictures import contrast_problem, decode
from ocrkit.data.store import SET_FILES, Item, Written, write_set
from ocrkit.data.truth import Line, read_truth
from ocrkit.errors import OcrkitError
from ocrkit.files import check_replaceable
from ocrkit.hangul import nfc
from ocrkit.labels import invisible, label_of

# A picture of one line of text takes kilobytes; a file of this size is something else.
MAX_BYTES = 64 * 2**20


def pack(
    gt: Path, images: Path, out: Path, watch: Callable[[int, int], None] = lambda done, lines: None
) -> Written:
    """Write the images that a GT file lists, with their labels, as an LMDB set.

    gt: lines `file<TAB>label`, `file label` or a CSV table (see `read_truth`); files lie below
        `images`, whatever Unicode form their names have on this disk. Their paths may begin at
        a folder above it (images rec/train, paths rec/train/1.jpg).
    images: the folder of images.
    out: the set's folder; a set that is there is replaced when the new one is whole.
    watch: called with (lines done, lines in all) now and then.
    Returns how many went in, and ("line 7 (a.png)", reason) of each line that did not; the set's
    manifest holds the same.
    Raises OcrkitError: GT or folder cannot be read, no line can be used, or `out` holds something
    that is no part of a set.
    """
    gt, images, out = Path(gt), Path(images), Path(out)
    if not images.is_dir():
        raise OcrkitError(f"{images} is no folder: give the folder that holds the images")
    check_replaceable(out, SET_FILES)
    lines = read_truth(gt)
    folder, seen = _Folder(images), {}
    refused: list[tuple[str, str]] = []

    def usable() -> Iterator[Item]:
        for done, line in enumerate(lines, start=1):
            name = f"line {line.number}" + (f" ({_short(line.file)})" if line.file else "")
            try:
                yield Item(_image(line, folder, seen), line.label, name)
            except OcrkitError as error:
                refused.append((name, str(error)))
            if done % 100 == 0 or done == len(lines):
                watch(done, len(lines))
        if len(refused) == len(lines):
            raise OcrkitError(_nothing(gt, images, refused))

    # The manifest is written after the last item, when `refused` is complete.
    done = write_set(out, usable(), {"packed_from": gt.name, "refused": refused}, verify=False)
    done.refused = refused
    return done


def _nothing(gt: Path, images: Path, refused: list[tuple[str, str]]) -> str:
    """Why not a single line could be used, with the commonest reason first."""
    # "no such file below ..." of a thousand lines is one reason.
    reasons = Counter(_kind_of(reason) for _, reason in refused).most_common(3)
    why = "; ".join(f"{count} x {reason}" for reason, count in reasons)
    why = f": {why} (first: {refused[0][0]})" if refused else ""
    return (
        f"{gt} has no usable line{why}. Write one line an image, file<TAB>label, with files below "
        f"{images}"
    )


def _kind_of(reason: str) -> str:
    """A reason without what is of one line alone, which stands behind a colon or in brackets."""
    if "commas divide only" in reason:
        return reason.partition(")")[0] + ")"
    return re.split(r"[:(]", reason)[0].strip()


class _Folder:
    """Finds files below a folder by name, in whichever Unicode form the disk keeps it.

    Links are followed, to files and to folders: a person who links a file there wants that file.
    """

    def __init__(self, root: Path):
        self.root = root

    def find(self, name: str) -> Path:
        """The file of this name. Raises OcrkitError: outside the folder, missing, or not a file."""
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() and path.is_relative_to(self.root.absolute().as_posix()):
            path = path.relative_to(self.root.absolute().as_posix())
        if path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive:
            raise OcrkitError(f"the file is outside the images' folder: write it below {self.root}")
        try:
            found = self.root / path
            if not found.exists():
                path = self._from_here(path)
                found = self.root / path
            # macOS writes file names decomposed (NFD): the same to the eye, another string.
            if not found.exists():
                found = self._names.get(nfc(path.as_posix()), found)
            if not found.is_file():
                what = "this is a folder" if found.is_dir() else "no such file"
                if found.is_symlink() and not found.exists():
                    what = "this link leads nowhere"
                raise OcrkitError(f"{what}: {path} below {self.root}")
        except OSError as error:  # such as a name longer than any disk allows
            raise OcrkitError(f"no such file: {error.strerror}") from None
        return found

    def _from_here(self, path: PurePosixPath) -> PurePosixPath:
        """A path that begins at a data root above this folder, as PaddleOCR's lists have them."""
        ours, parts = self.root.absolute().parts, path.parts
        shared = [n for n in range(1, len(parts)) if ours[-n:] == parts[:n]]
        return PurePosixPath(*parts[shared[-1] :]) if shared else path

    @cached_property
    def _names(self) -> dict[str, Path]:
        names, seen = {}, set()
        for folder, folders, files in os.walk(self.root, followlinks=True):
            if (real := os.path.realpath(folder)) in seen:  # a link to a folder above
                folders.clear()
                continue
            seen.add(real)
            paths = [Path(folder, file) for file in files]
            names |= {nfc(path.relative_to(self.root).as_posix()): path for path in paths}
        return names


def _image(line: Line, folder: _Folder, seen: dict[str | bytes, Line]) -> bytes:
    """The bytes of a line's image. Raises OcrkitError: why the line cannot be used.

    seen: the first line of each file, and of each picture by its digest.
    """
    if line.wrong:
        raise OcrkitError(line.wrong)
    # A label of invisible characters alone (such as a zero-width space) says nothing either.
    if all(map(invisible, label_of(line.label))):
        raise OcrkitError("the label is empty")
    if not line.file:
        raise OcrkitError("the line names no file")
    path = folder.find(line.file)
    _check_first(seen, str(path), line, "the file is listed before")
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise OcrkitError(f"the file is enormous ({size // 2**20} MiB): cut it to a line")
        image = path.read_bytes()
    except OSError as error:
        raise OcrkitError(f"the file cannot be read: {error.strerror}") from None
    picture = decode(image)
    if min(picture.size) < 2:
        raise OcrkitError(f"the image is {picture.width} x {picture.height} pixels: no text fits")
    if problem := contrast_problem(picture):
        raise OcrkitError(problem)
    _check_first(seen, hashlib.sha256(image).digest(), line, "the same picture came before")
    return image


def _check_first(seen: dict, key: str | bytes, line: Line, problem: str) -> None:
    first = seen.setdefault(key, line)
    if first is not line:
        same = label_of(first.label) == label_of(line.label)
        label = "the same label" if same else f"another label, {_short(first.label)!r}"
        raise OcrkitError(f"{problem}, with {label}: line {first.number}")


def _short(text: str) -> str:
    """A name from a file fit to print on one line."""
    text = re.sub(r"[^\S ]|[\x00-\x1f\x7f]", "?", text)
    return text if len(text) <= 60 else text[:59] + "…"
