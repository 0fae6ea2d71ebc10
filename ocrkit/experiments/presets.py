"""Presets: how big the experiment is. `smoke` proves the road, `mini` is for a laptop.

They are written in presets.toml. The numbers of `mini` were chosen by measurement (docs/log.md).
"""

import tomllib
from dataclasses import asdict, dataclass, field, replace
from importlib.resources import files
from typing import Any

from ocrkit.errors import OcrkitError
from ocrkit.training.recipe import RECIPES, Recipe

KINDS = ("basic", "background", "skew", "distortion", "blur")

# The faces of koreanize-matplotlib 0.1.1, by SHA-256: other faces would be other data.
PINNED_FONTS = {
    "NanumGothic": "48a28e97b34fc8e5b157657633670cd1b7de126cfc414da65ce9c3d5bc8be733",
    "NanumGothicBold": "454eb3f503f377782a99eb84fc4bb7dde22a0f075d41b47427737f2985053bc9",
    "NanumGothicExtraBold": "e0288775c8f021f327fd77f9eb251eea80e4601bbbb068478c7878caa23e8f92",
    "NanumGothicLight": "da39544c39be58124a4fcb296eafc2bf73530b3dbd1b19aa802c5c3fd227e31c",
}


@dataclass(frozen=True)
class Preset:
    """One size of the experiment."""

    name: str  # what folders and rows call it
    image_width: int  # pixels; the height is 32 as in the paper
    width: float  # multiplier of the layers' channels; 1.0 is the paper's
    max_length: int  # longest label in characters
    charset: str  # "972", or "pool": the `pool_size` most frequent syllables of the word list
    pool_size: int
    words_per_label: int  # 1 for single words, 10 for the paper's sentences
    train_images: int  # images in each training source
    # images of each of the five kinds (unseen words), and of each training kind with seen words
    test_images: int
    valid_images: int
    recipe: Recipe  # how each model is trained
    # where fonts come from: "koreanize" (the four pinned faces) or "system"
    fonts: str = "koreanize"
    # share of the training words that are random strings of syllables, so that a small model learns
    # syllables and not a word list; tests hold real words only
    random_share: float = 0.0
    test_words: float = 0.3  # shares of the word list kept out of training, 0 to 1
    valid_words: float = 0.1
    # one training source each; half of a batch from each of two
    train_kinds: tuple[str, ...] = ("basic", "skew")
    # the set that learning curves are drawn on: `valid_images` in all, equally many of each kind
    valid_kinds: tuple[str, ...] = ("basic", "skew")
    # the kinds whose images a row's accuracy counts; empty: the train_kinds
    scored_kinds: tuple[str, ...] = ()
    # test images of one unseen word, and of one syllable, alone and stretched to the full width, as
    # most of the paper's test set was; 0 makes none
    word_images: int = 0
    syllable_images: int = 0
    models: tuple[str, ...] = ()  # those that a sweep trains when none is named; empty: all 24
    # largest share of training labels that a model may be unable to say, 0 to 1
    unfit_limit: float = 0.01
    seed: int = 2019  # of the data. Models have seeds of their own.
    note: str = field(default="", compare=False)

    def as_dict(self) -> dict:
        """The settings; what a preset does not have is left out."""
        settings = asdict(self)
        optional = ("scored_kinds", "word_images", "syllable_images", "models")
        absent = [name for name in optional if not settings[name]]
        if not self.recipe.auxiliary_ctc:  # without the loss, nothing says what it reads
            del settings["recipe"]["auxiliary_frames"]
        return {name: value for name, value in settings.items() if name not in absent}


def _make(name: str, tables: dict[str, dict[str, Any]]) -> Preset:
    """The preset of a table of presets.toml."""
    settings: dict[str, Any] = {"name": name}
    for key, value in tables[name].items():
        settings[key] = tuple(value) if isinstance(value, list) else value
    base = _make(settings.pop("extends"), tables) if "extends" in settings else None
    changes = dict(settings.pop("recipe", {}))
    recipe = RECIPES[changes.pop("like")] if "like" in changes or base is None else base.recipe
    settings["recipe"] = replace(recipe, **changes)
    return replace(base, **settings) if base else Preset(**settings)


_TABLES = tomllib.loads(
    files("ocrkit.experiments").joinpath("presets.toml").read_text(encoding="utf-8")
)
PRESETS = {name: _make(name, _TABLES) for name in _TABLES}


def get_preset(name: str) -> Preset:
    """A preset by name. Raises OcrkitError: an unknown name."""
    try:
        return PRESETS[name]
    except KeyError:
        raise OcrkitError(f"no preset {name!r}: choose one of {', '.join(PRESETS)}") from None
