"""The faces that training lines are drawn with: which there are, and what each can draw."""

import random
from functools import lru_cache
from pathlib import Path

import numpy as np

from ocrkit.synth.fonts import HANDWRITING, Font, draw_glyph, find_fonts, mapped_characters

# Faces of one jamo a character, without Hangul syllables, or of another script's forms.
_LEFT_OUT = ("UnJamo", "YetHangul", "UnYetgul", "NotoSansMono")
# Handwriting and display faces are seen, but print is what pages are set in: books and exams with
# serifs, notices and screens without. A system has few serif faces, and they must not be rare.
_FANCY = ("Pen", "pen", "Brush", "Pilgi", "Vada", "Gungseo", "Dinaru", "Graphic", "hline", "Taza")
_FANCY += ("Bandal", "Bangwool", "Eunjin", "Guseul", "BM", *HANDWRITING)
_FANCY += ("Thin", "ExtraLight", "UltraLight", "Black")
_SERIF = ("Batang", "batang", "Myeongjo", "Myung", "Serif", "Shinmun")
_SHARES = {"serif": 0.45, "sans": 0.45, "fancy": 0.1}  # of the lines
_SYSTEM, _LATIN = Path("/usr/share/fonts/truetype"), ("dejavu", "liberation")

_glyph = lru_cache(maxsize=60_000)(draw_glyph)


class Face:
    """One font file at any size: glyphs as coverage, and the characters it has."""

    def __init__(self, font: Font) -> None:
        self.path, self.name = font.path, font.name
        # Noto's collections hold a face a country: the second is Korea's.
        self.index = 1 if font.path.endswith("ttc") and "CJK" in font.name else 0
        self.characters = mapped_characters(font.path, self.index)

    def glyph(self, ch: str, em: int) -> tuple[np.ndarray, int, int, float]:
        """Coverage (h, w) uint8, its left and top from the pen on the baseline, the advance."""
        return _glyph(self.path, em, ch, self.index, anchor="ls")


def _style(name: str) -> str:
    if any(part in name for part in _FANCY):
        return "fancy"
    return "serif" if any(part in name for part in _SERIF) else "sans"


class Faces:
    """The system's Korean faces and, for Latin lines among them, faces of Latin alone.

    fonts: where `ocrkit.synth.fonts.find_fonts` looks.
    """

    def __init__(self, fonts: str | Path = "system") -> None:
        named = (f for f in find_fonts(fonts) if not any(part in f.name for part in _LEFT_OUT))
        self.korean = [face for face in map(Face, named) if "한" in face.characters]
        styles = [_style(face.name) for face in self.korean]
        self.weights = [_SHARES[style] / styles.count(style) for style in styles]
        folders = [_SYSTEM / name for name in _LATIN] if fonts == "system" else []
        files = [file for folder in folders for file in sorted(folder.glob("*.ttf"))]
        self.latin = [Face(Font(f.stem, str(f), "")) for f in files if "Math" not in f.stem]

    def choose(self, rng: random.Random) -> tuple[Face, Face]:
        """A Korean face and the face of Latin letters and digits, mostly the same one."""
        face = rng.choices(self.korean, self.weights)[0]
        other = rng.random() < 0.2 and self.latin
        return face, rng.choice(self.latin) if other else face


def drawable(text: str, face: Face, latin: Face, em: int) -> list[tuple[str, Face]]:
    """The characters of a text that the faces can draw, each with its face; no double spaces."""
    kept: list[tuple[str, Face]] = []
    for ch in text:
        own = latin if ch.isascii() else face
        if ch == " ":
            if kept and kept[-1][0] != " ":
                kept.append((ch, face))
        elif ch in own.characters and own.glyph(ch, em)[0].any():
            kept.append((ch, own))
    if kept and kept[-1][0] == " ":
        kept.pop()
    return kept
