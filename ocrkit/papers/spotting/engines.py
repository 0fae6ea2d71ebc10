"""What an engine that reads Korean is tested on: lines of the five kinds, scenes, a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ocrkit.metrics import score
from ocrkit.papers.shared.detection_metrics import detection_scores, spotting_scores
from ocrkit.papers.shared.scene_sets import SceneSet, vocabulary
from ocrkit.synth.backgrounds import gaussian_noise
from ocrkit.synth.fonts import Font
from ocrkit.synth.kinds import KINDS, turn_to_height
from ocrkit.synth.render import draw_text, draw_text_to_height
from ocrkit.synth.words import read_words

INK, PAPER = 40, 235  # grey levels


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

    Args:
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


@cache
def turned_sentences(degrees: float, count: int, words: int = 4, seed: int = 0) -> LineSet:
    """Sentences on plain paper, turned anticlockwise; their letters keep the size of 44 pixels."""
    lines, font = sentences("background", count, words, seed), vocabulary().fonts[1]
    images, turn = [], np.radians(degrees)
    for text in lines.texts:
        mask = draw_text_to_height(text, font, 44)
        height = mask.shape[0] * np.cos(turn) + mask.shape[1] * np.sin(turn)
        ink = turn_to_height(mask, degrees, round(height)).astype(np.uint16)
        page = np.uint8(PAPER - (PAPER - INK) * ink // 255)
        images.append(np.pad(page, 10, constant_values=PAPER))
    return LineSet(tuple(images), lines.texts)


def line_scores(texts: Sequence[str], lines: LineSet) -> dict[str, float]:
    """How well lines were read, in percent.

    Args:
        texts: what was read from each image; line breaks count as spaces.

    Returns:
        accuracy (low, high: its 95 % interval), cer and jamo_error without spaces; empty, the share
        of images from which nothing was read; with_spaces, the share of the right readings in which
        every space was right too.
    """
    texts = [" ".join(text.split()) for text in texts]
    scores = score(texts, lines.texts)
    pairs = list(zip(texts, lines.texts, strict=True))
    right = sum(read.replace(" ", "") == true.replace(" ", "") for read, true in pairs)
    spaced = sum(read == true for read, true in pairs)
    return {
        "images": len(lines),
        "accuracy": scores.accuracy,
        "low": scores.low,
        "high": scores.high,
        "cer": 100 * scores.cer,
        "jamo_error": 100 * scores.jamo_error,
        "empty": 100 * float(np.mean([not text for text in texts])),
        "with_spaces": 100 * spaced / right if right else float("nan"),
    }


def scene_scores(
    quads: Sequence[np.ndarray], texts: Sequence[Sequence[str]], scenes: SceneSet
) -> dict[str, float]:
    """F1 of finding words in scenes, and of finding and reading them, at IoU 0.5; percent."""
    found = detection_scores(quads, scenes.quads)
    read = spotting_scores(quads, texts, scenes.quads, scenes.texts)
    return {
        "images": len(scenes),
        "f1": found.f1,
        "precision": found.precision,
        "recall": found.recall,
        "f1_read": read.f1,
        "low": read.low,
        "high": read.high,
    }


def printed_page(
    size: tuple[int, int] = (256, 512), columns: int = 2, em: int = 18, seed: int = 0
) -> tuple[np.ndarray, tuple[str, ...]]:
    """A page to look at: a title over columns of words, and its lines in reading order.

    Args:
        size: rows and columns of the grey image.
        columns: of text.
        em: size of the letters in pixels; the title's are half as large again.
    """
    rng = np.random.default_rng(seed)
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
    width = (size[1] - em) // columns - em
    for column in range(columns):
        for top in range(3 * em, size[0] - 2 * em, 2 * em):
            write(em + column * (width + em), top, width, em, fonts[0])
    return image, tuple(lines)
