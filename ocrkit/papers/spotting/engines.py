"""What an engine that reads Korean is tried on: lines of the five kinds, and a page."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from ocrkit.papers.shared.scene_sets import vocabulary
from ocrkit.synth.backgrounds import gaussian_noise
from ocrkit.synth.fonts import Font
from ocrkit.synth.kinds import KINDS
from ocrkit.synth.render import draw_text
from ocrkit.synth.words import read_words

INK = 40  # grey level


@dataclass(frozen=True, eq=False)
class LineSet:
    """Lines of text, drawn: images uint8 (H, W), 64 pixels high, and what they say."""

    images: tuple[np.ndarray, ...]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


@cache
def sentences(
    kind: str,
    count: int,
    words: int = 10,
    seed: int = 0,
    face: int | None = None,
    part: str | None = None,
) -> LineSet:
    """As in the study: words drawn at random from the whole list, a space between them.

    kind: one of the five.
    words: in a sentence.
    face: the number of the one face to write in; None: any of the vocabulary's four.
    part: draw from the vocabulary's words of a part instead: "test" for unseen words.
    """
    listed = vocabulary().words[part] if part else read_words()
    fonts = vocabulary().fonts if face is None else vocabulary().fonts[face:][:1]
    images, texts = [], []
    for index in range(count):
        rng = np.random.default_rng((seed, list(KINDS).index(kind), index))
        texts.append(" ".join(listed[i] for i in rng.integers(len(listed), size=words)))
        drawn = KINDS[kind].draw(texts[-1], fonts[rng.integers(len(fonts))], rng)
        images.append(np.asarray(drawn))
    return LineSet(tuple(images), tuple(texts))


def printed_page(size: tuple[int, int], em: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """A page to look at: a title over two columns of words, and its lines in reading order.

    size: rows and columns of the grey image.
    em: size of the letters in pixels; the title's are half as large again.
    """
    rng = np.random.default_rng(0)
    words, fonts = vocabulary().words["test"], vocabulary().fonts
    image, lines = gaussian_noise(rng, *size), []

    def write(left: int, top: int, width: int, height: int, font: Font) -> None:
        text = words[rng.integers(len(words))]
        while True:
            longer = f"{text} {words[rng.integers(len(words))]}"
            if draw_text(longer, font, float(height)).shape[1] > width:
                break
            text = longer
        mask = draw_text(text, font, float(height)).astype(np.uint16)
        area = image[top : top + mask.shape[0], left : left + mask.shape[1]]
        area[...] = (area * (255 - mask) + INK * mask) // 255
        lines.append(text)

    write(em, em // 2, size[1] // 2, em * 3 // 2, fonts[1])
    width = (size[1] - em) // 2 - em
    for column in range(2):
        for top in range(3 * em, size[0] - 2 * em, 2 * em):
            write(em + column * (width + em), top, width, em, fonts[0])
    return image, tuple(lines)
