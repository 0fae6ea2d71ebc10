"""Lines as a till's dot printer leaves them: `python tests/benchmarks/dot_printer.py FOLDER`.

Drawn for the table of `docs/your_own_data.md`: 200 lines to train on, 50 to validate, 200 to test,
over three parts of the kit's words, so that no word of one is in another. One to three words and,
every second time, a price; the four pinned faces, at 16 rows of dots, uneven ink, grey noise.
"""

import io
import random
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ocrkit.data.store import Item, write_set
from ocrkit.synth import find_fonts, read_words
from ocrkit.synth.fonts import Font
from ocrkit.synth.render import draw_text

COUNTS = {"train": 200, "valid": 50, "test": 200}
ROWS, DOT = 16, 4  # rows of dots a line; pixels a dot with the gap beside it


def parts() -> dict[str, list[str]]:
    """The words of each set."""
    words = sorted(read_words())
    random.Random(0).shuffle(words)
    return {"train": words[:2000], "valid": words[2000:3000], "test": words[3000:]}


def text(rng: random.Random, words: list[str]) -> str:
    """What a line says."""
    chosen = rng.sample(words, rng.randint(1, 3))
    if rng.random() < 0.5:
        chosen.append(f"{rng.randint(1, 99)},{rng.randint(0, 9)}00원")
    return " ".join(chosen)


def dots(said: str, font: Font, rng: random.Random) -> bytes:
    """A text printed in dots, as PNG."""
    ink = np.asarray(draw_text(said, font, 48), np.uint8)
    width = max(8, round(ink.shape[1] * ROWS / len(ink)))
    grid = cv2.resize(ink, (width, ROWS), interpolation=cv2.INTER_AREA) > 90
    line = np.zeros((ROWS * DOT, width * DOT), np.float32)
    line[1::DOT, 1::DOT] = grid
    line = cv2.dilate(line, np.ones((2, 2)))
    chance = np.random.default_rng(rng.randrange(2**31))
    inked = chance.uniform(0.55, 1, (ROWS, width)).astype(np.float32)
    line *= cv2.resize(inked, line.shape[::-1], interpolation=cv2.INTER_NEAREST)
    line = cv2.GaussianBlur(np.pad(line, 6), (0, 0), 0.7) * 200
    grey = np.clip(235 - line + chance.normal(0, 8, line.shape), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(grey).save(out, "PNG")
    return out.getvalue()


def draw(folder: Path, counts: dict[str, int] = COUNTS) -> None:
    """The sets, as LMDB."""
    fonts = list(find_fonts("koreanize"))
    for name, count in counts.items():
        rng, words, items = random.Random(name), parts()[name], []
        for _ in range(count):
            said = text(rng, words)
            items.append(Item(dots(said, rng.choice(fonts), rng), said))
        write_set(folder / name, items)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
