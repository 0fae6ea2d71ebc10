"""Korean fonts: find them, and leave out by name those that lack a syllable."""

import contextlib
import hashlib
import importlib.util
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.ttLib import TTFont
from PIL import ImageFont

from ocrkit.errors import OcrkitError

# Faces of handwriting under the SIL Open Font License, by how their files' names begin.
HANDWRITING = ("NanumPen", "NanumBrush", "Gaegu", "GamjaFlower", "PoorStory", "SingleDay")
HANDWRITING += ("EastSeaDokdo",)

_SUFFIXES = {".ttf", ".otf", ".ttc", ".otc"}
_CHECK_SIZE = 24  # pixels per em: enough to tell ink from none
_UNMAPPED = "\U0010ffff"  # a noncharacter: every font draws its .notdef box for it


@dataclass(frozen=True)
class Font:
    """A font file: its name (the file's stem), path and SHA-256."""

    name: str
    path: str
    sha256: str


def find_fonts(source: str | Path = "koreanize") -> list[Font]:
    """Font files by name: "koreanize", "system", "handwriting", a folder or a file.

    "koreanize" is the four Nanum Gothic faces that the package koreanize-matplotlib carries, so
    that everybody has the same; "system" is what fontconfig (else matplotlib) finds for Korean, and
    "handwriting" what it finds of `HANDWRITING`.
    Files with the same bytes count once.
    Raises OcrkitError if there are none.
    """
    if source == "koreanize":
        paths = _files(_koreanize_folder())
        advice = "reinstall koreanize-matplotlib"
    elif source == "system":
        paths = _system_files()
        advice = "install some (Debian: apt install fonts-nanum) or give a folder of fonts"
    elif source == "handwriting":
        # By name and not by language: fontconfig's wants syllables that some of them lack.
        files = _system_files(korean=False)
        paths = [path for path in files if handwriting_family(path.stem)]
        advice = f"`make fonts` brings them, or install some of {', '.join(HANDWRITING)}"
    else:
        paths = _files(Path(source).expanduser())
        advice = "give a folder of .ttf or .otf files, 'koreanize', 'system' or 'handwriting'"
    fonts: dict[str, Font] = {}
    for path in paths:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest in fonts:
            continue
        name = "_".join(path.stem.split())
        if any(name == font.name for font in fonts.values()):  # another version of the same file
            name = f"{name}-{digest[:8]}"
        fonts[digest] = Font(name, str(path), digest)
    if not fonts:
        raise OcrkitError(f"no fonts found in '{source}': {advice}")
    return list(fonts.values())


def handwriting_family(name: str) -> str | None:
    """Which of `HANDWRITING` a font's name begins with, or None."""
    return next((family for family in HANDWRITING if name.startswith(family)), None)


def usable_fonts(fonts: Iterable[Font], syllables: str) -> tuple[list[Font], dict[str, str]]:
    """The fonts that can draw every syllable, and name -> missing characters for the others.

    A character is missing if the font's character map lacks it, or if it is drawn with no ink or
    as the box for unknown characters. A file that is no readable font is left out with the reason.
    Raises OcrkitError if no font is left.
    """
    kept: list[Font] = []
    left_out: dict[str, str] = {}
    for font in fonts:
        try:
            missing = missing_characters(font, syllables)
        except Exception as error:  # font parsers raise nearly anything on broken files
            left_out[font.name] = f"unreadable: {' '.join(str(error).split()) or repr(error)}"
            continue
        if missing:
            left_out[font.name] = missing
        else:
            kept.append(font)
    if not kept:
        named = "; ".join(f"{name}: {why[:12]}" for name, why in list(left_out.items())[:3])
        raise OcrkitError(
            f"no font can draw all {len(set(syllables))} syllables ({named}): use other fonts"
        )
    return kept, left_out


# A face per size is cheap: some kilobytes.
@lru_cache(maxsize=256)
def open_face(path: str, em: float, index: int = 0) -> ImageFont.FreeTypeFont:
    """A font file's face of this number, em pixels large. Raises OcrkitError: it is no font."""
    try:
        return ImageFont.truetype(path, em, index, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise OcrkitError(f"cannot open the font {path}: {error}; choose another font") from error


def draw_glyph(
    path: str, em: float, ch: str, index: int = 0, anchor: str = "la"
) -> tuple[np.ndarray, int, int, float]:
    """A character's coverage (h, w) uint8, its left and top from the pen, and the pen's advance.

    path, em, index: as in `open_face`.
    anchor: where the pen stands: "la" on the ascender line, "ls" on the baseline.
    """
    face = open_face(path, em, index)
    ink: Any  # Pillow's type for it says less than it can do
    ink, (left, top) = face.getmask2(ch, mode="L", anchor=anchor)
    pixels = np.frombuffer(bytes(ink), np.uint8).reshape(ink.size[::-1])
    return pixels, left, top, face.getlength(ch)


def drawn_by_none(fonts: Iterable[Font], characters: str) -> str:
    """Those of the characters that not a single one of the fonts can draw."""
    missing = characters
    for font in fonts:
        # A file that is no readable font draws nothing: `usable_fonts` names it.
        with contextlib.suppress(Exception):
            missing = missing_characters(font, missing) if missing else ""
    return missing


def mapped_characters(path: str, index: int = 0) -> frozenset[str]:
    """The characters that the face of this number in a font file has a glyph for."""
    with TTFont(path, fontNumber=index, lazy=True) as tables:
        # Numbers for names, which are looked up for longer than all the rest takes.
        tables.setGlyphOrder([".notdef", *map(str, range(1, tables["maxp"].numGlyphs))])
        glyphs = tables.getBestCmap() or {}
    return frozenset(chr(c) for c, glyph in glyphs.items() if glyph != ".notdef")


def missing_characters(font: Font, characters: str) -> str:
    """Characters that the font cannot draw, in their order, each once."""
    mapped = mapped_characters(font.path)
    unknown = draw_glyph(font.path, _CHECK_SIZE, _UNMAPPED)[0]

    def drawn(ch: str) -> bool:
        ink = draw_glyph(font.path, _CHECK_SIZE, ch)[0]
        return bool(ink.any()) and not np.array_equal(ink, unknown)

    return "".join(ch for ch in dict.fromkeys(characters) if ch not in mapped or not drawn(ch))


def _koreanize_folder() -> Path:
    # Importing the package would change matplotlib's settings, so it is only located.
    spec = importlib.util.find_spec("koreanize_matplotlib")
    if spec is None or spec.origin is None:
        raise OcrkitError("koreanize-matplotlib is not installed: pip install koreanize-matplotlib")
    return Path(spec.origin).parent / "fonts"


def _files(where: Path) -> list[Path]:
    if where.is_file():
        return [where]
    return sorted(p for p in where.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file())


def _system_files(korean: bool = True) -> list[Path]:
    try:
        listed = subprocess.run(
            ["fc-list", "--format", "%{file}\n", ":lang=ko" if korean else ":"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):  # no fontconfig on this machine
        from matplotlib.font_manager import findSystemFonts

        files = sorted(map(Path, findSystemFonts()))
        if not korean:
            return files
        return [p for p in files if not drawn_by_none([Font(p.stem, str(p), "")], "가힣")]
    return sorted({Path(line) for line in listed if Path(line).suffix.lower() in _SUFFIXES})
