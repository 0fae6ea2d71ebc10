"""The scenes and word images that the papers' models are trained and tested on, in memory.

Words and syllables are those of the preset `mini`: the 80 most frequent syllables of the everyday
list and its words of at most 4 of them, split so that no test word is ever seen in training.
"""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from ocrkit.errors import OcrkitError
from ocrkit.synth.fonts import Font, find_fonts
from ocrkit.synth.scenes import SCENES, SceneSettings, SceneWord, scenes, word_image
from ocrkit.synth.words import common_syllables, read_words, split_words, words_over

PARTS = ("train", "valid", "test")
_POOL, _LONGEST, _SPLIT_SEED = 80, 4, 2019
_SHARES = {"train": 0.6, "valid": 0.1, "test": 0.3}
_RANDOM_SHARE = 0.75
_TRAINING_TEXTS = 16_000


@dataclass(frozen=True)
class Vocabulary:
    """What may be written, by part where it differs."""

    charset: str  # the syllables, in code-point order
    # "train" holds its words and three times as many random strings, none of them held out
    texts: dict[str, tuple[str, ...]]
    words: dict[str, tuple[str, ...]]  # real words alone
    fonts: tuple[Font, ...]  # the four pinned faces


@cache
def vocabulary() -> Vocabulary:
    """The papers' vocabulary, the same for everybody."""
    listed = read_words()
    charset = "".join(sorted(common_syllables(listed, _POOL)))
    usable = [word for word in words_over(listed, charset) if len(word) <= _LONGEST]
    words = {k: tuple(v) for k, v in split_words(usable, _SHARES, _SPLIT_SEED).items()}
    train = _training_texts(words["train"], charset, {*words["valid"], *words["test"]})
    return Vocabulary(charset, words | {"train": train}, words, tuple(find_fonts("koreanize")))


def _training_texts(words: tuple[str, ...], charset: str, held_out: set[str]) -> tuple[str, ...]:
    rng = np.random.default_rng(_SPLIT_SEED)
    strings: list[str] = []
    while len(strings) < _RANDOM_SHARE * _TRAINING_TEXTS:
        picks = rng.integers(len(charset), size=rng.integers(1, _LONGEST + 1))
        if (string := "".join([charset[i] for i in picks])) not in held_out:
            strings.append(string)
    rest = _TRAINING_TEXTS - len(strings)
    return (*strings, *(words[i % len(words)] for i in range(rest)))


@dataclass(frozen=True, eq=False)
class SceneSet:
    """Scenes: images uint8 (N, H, W), and the words of each; nothing in it may be written to."""

    images: np.ndarray
    words: tuple[tuple[SceneWord, ...], ...]

    @property
    def quads(self) -> list[np.ndarray]:
        """For each image its words' quads, float32 (n, 4, 2)."""
        return [np.stack([word.quad for word in words]) for words in self.words]

    @property
    def texts(self) -> list[list[str]]:
        """For each image its words' texts."""
        return [[word.text for word in words] for words in self.words]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, eq=False)
class WordSet:
    """Word images: uint8 (N, H, W), their texts, and a quad for each character, (n, 4, 2)."""

    images: np.ndarray
    texts: tuple[str, ...]
    character_quads: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.images)


@lru_cache(maxsize=8)
def scene_set(part: str, count: int, settings: SceneSettings = SCENES["upright"]) -> SceneSet:
    """Scenes 0 to `count` of a part: "train", "valid" or "test"; kept in memory.

    Raises OcrkitError: an unknown part, or no scenes.
    """
    texts = _texts(part, count)
    seed = PARTS.index(part)  # no two parts draw the same scenes
    drawn = list(scenes(count, seed, settings, texts, vocabulary().fonts))
    images = np.stack([scene.image for scene in drawn])
    images.flags.writeable = False
    return SceneSet(images, tuple(scene.words for scene in drawn))


@lru_cache(maxsize=8)
def word_set(
    part: str,
    count: int,
    settings: SceneSettings = SCENES["upright"],
    size: tuple[int, int] = (32, 128),
) -> WordSet:
    """Images of one text each, for recognisers, turned and bent by `settings`; kept in memory.

    Raises OcrkitError: an unknown part, or no images.
    """
    texts, fonts = _texts(part, count), vocabulary().fonts
    images, said, quads = np.empty((count, *size), np.uint8), [], []
    for index in range(count):
        entropy = (0, PARTS.index(part), index)
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
        said.append(texts[rng.integers(len(texts))])
        font = fonts[rng.integers(len(fonts))]
        images[index], characters = word_image(said[-1], font, rng, size, settings)
        quads.append(characters)
    images.flags.writeable = False
    return WordSet(images, tuple(said), tuple(quads))


def _texts(part: str, count: int) -> tuple[str, ...]:
    if part not in PARTS or count < 1:
        raise OcrkitError(
            f"no set of {count} images of '{part}': use 1 or more of {', '.join(PARTS)}"
        )
    return vocabulary().texts[part]
