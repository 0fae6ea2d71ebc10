"""Text files that people bring: their encoding is found out, for they do not say it."""

import re
from pathlib import Path

from ocrkit.errors import OcrkitError
from ocrkit.files import read_file


def read_lines(path: str | Path) -> list[str | None]:
    """The lines of a text file, whatever its line ends; None where one is broken text.

    UTF-8 (with or without byte order mark), UTF-16 (with) and CP949 are read. A UTF-8 file with one
    broken line must not be taken for CP949: most of its bytes would decode, into the wrong
    syllables. So the lines vote.
    Raises OcrkitError: it cannot be read, or is no text.
    """
    raw = read_file(path)
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return re.split(r"\r\n|\r|\n", raw.decode("utf-16"))
        except UnicodeDecodeError:
            raise OcrkitError(f"{path} is broken UTF-16 text: save it as UTF-8") from None
    if b"\0" in raw:
        raise OcrkitError(f"{path} is no text file: save it as UTF-8 text")
    lines = raw.removeprefix(b"\xef\xbb\xbf").splitlines()
    telling = [line for line in lines if not line.isascii()]
    utf8 = sum(_decoded(line, "utf-8") is not None for line in telling)
    encoding = "utf-8" if 2 * utf8 >= len(telling) else "cp949"
    return [_decoded(line, encoding) for line in lines]


def read_whole_lines(path: str | Path) -> list[str]:
    """As `read_lines`, where every line must be good.

    Raises OcrkitError: as `read_lines`, or a line is broken text; names the first.
    """
    lines = read_lines(path)
    if None in lines:
        raise OcrkitError(
            f"{path}, line {lines.index(None) + 1} is neither UTF-8 nor CP949 text: "
            "save the file as UTF-8"
        )
    return [line for line in lines if line is not None]


def _decoded(line: bytes, encoding: str) -> str | None:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return None
