"""What is in the file from which Tesseract reads a language: its network, its signs, its spelling.

The network does not name characters. It says codes, and the file tells which codes in a row are a
character: one for a digit, three for a syllable of Hangul.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

from ocrkit.errors import OcrkitError
from ocrkit.papers.spotting.tesseract import INSTALL, data_folder

_PARTS = {
    0: "config",
    17: "network",
    18: "punctuation",
    19: "words",
    20: "numbers",
    21: "characters",
    22: "codes",
    23: "version",
}


@dataclass(frozen=True)
class LanguageData:
    """A language, as its file has it.

    Attributes:
        network: its layers, in Tesseract's own language.
        config: what it sets when it is loaded, such as {"preserve_interword_spaces": "1"}.
        spelling: the codes of each character that can be read.
        bytes: how large each part of the file is.
    """

    network: str
    config: dict[str, str]
    spelling: dict[str, tuple[int, ...]]
    bytes: dict[str, int]


def language_data(language: str = "kor") -> LanguageData:
    """What the installed file of a language holds.

    Raises:
        OcrkitError: the program or its language is not installed, or the file is of an older kind.
    """
    path = data_folder() / f"{language}.traineddata"
    if not path.exists():
        raise OcrkitError(f"tesseract has no data for {language}: {INSTALL}")
    return parse_data(path)


def parse_data(path: Path) -> LanguageData:
    """A file NAME.traineddata.

    Raises:
        OcrkitError: it is broken, or has no LSTM.
    """
    try:
        parts = _split(path.read_bytes())
        characters = [line.split(" ")[0] for line in parts["characters"].decode().splitlines()[1:]]
        spelling = dict(zip(characters, _codes(parts["codes"]), strict=True))
        version = parts["version"].decode()
    except (KeyError, ValueError, struct.error) as error:
        raise OcrkitError(f"{path} is no data of Tesseract 4 or 5: {INSTALL}") from error
    lines = (line.split() for line in parts.get("config", b"").decode().splitlines())
    return LanguageData(
        network=version[version.find("[") :].strip(),
        config={line[0]: line[1] for line in lines if len(line) == 2 and line[0][0] != "#"},
        spelling=spelling,
        bytes={name: len(part) for name, part in parts.items()},
    )


def _split(data: bytes) -> dict[str, bytes]:
    """The parts by name: a count, where each begins (-1: not there), and then they themselves."""
    (count,) = struct.unpack_from("<i", data)
    begins = struct.unpack_from(f"<{count}q", data, 4)
    there = sorted((begin, number) for number, begin in enumerate(begins) if begin >= 0)
    ends = [begin for begin, _ in there[1:]] + [len(data)]
    return {
        _PARTS.get(number, str(number)): data[begin:end]
        for (begin, number), end in zip(there, ends, strict=True)
    }


def _codes(data: bytes) -> list[tuple[int, ...]]:
    """The codes of each character: a count, then for each a byte, a length, and its codes."""
    (count,) = struct.unpack_from("<I", data)
    codes, at = [], 4
    for _ in range(count):
        (length,) = struct.unpack_from("<I", data, at + 1)
        codes.append(struct.unpack_from(f"<{length}i", data, at + 5))
        at += 5 + 4 * length
    return codes
