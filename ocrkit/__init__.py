"""ocrkit: a walkable reproduction of "A Study on the OCR of Korean Sentence" (HCLT 2019).

The names below are the public interface (docs/api.md). Each is imported when it is first used, so
that `import ocrkit` does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what __getattr__ finds, for editors and type checkers
    from ocrkit.data.batches import Batches
    from ocrkit.data.cache import Pixels, draw_pixels, load_pixels
    from ocrkit.data.store import ImageSet, Item, write_set
    from ocrkit.errors import OcrkitError
    from ocrkit.hangul import charset
    from ocrkit.labels import label_of
    from ocrkit.metrics import Scores, score
    from ocrkit.models.checkpoints import load_checkpoint, save_checkpoint
    from ocrkit.models.recognizer import MODEL_NAMES, Recognizer
    from ocrkit.models.reference import load_reference
    from ocrkit.page import Page, read
    from ocrkit.reading import Reader, Reading
    from ocrkit.synth.fonts import Font, find_fonts
    from ocrkit.synth.generate import Generation, Sample, samples
    from ocrkit.synth.words import read_words
    from ocrkit.training.losses import make_converter
    from ocrkit.training.recipe import RECIPES, Recipe
    from ocrkit.training.trainer import Trainer

__version__ = "0.1.0"

_NAMES = {
    "data.batches": ("Batches",),
    "data.cache": ("Pixels", "draw_pixels", "load_pixels"),
    "data.store": ("ImageSet", "Item", "write_set"),
    "errors": ("OcrkitError",),
    "hangul": ("charset",),
    "labels": ("label_of",),
    "metrics": ("Scores", "score"),
    "models.checkpoints": ("load_checkpoint", "save_checkpoint"),
    "models.reference": ("load_reference",),
    "models.recognizer": ("MODEL_NAMES", "Recognizer"),
    "page": ("Page", "read"),
    "reading": ("Reader", "Reading"),
    "synth.fonts": ("Font", "find_fonts"),
    "synth.generate": ("Generation", "Sample", "samples"),
    "synth.words": ("read_words",),
    "training.losses": ("make_converter",),
    "training.recipe": ("RECIPES", "Recipe"),
    "training.trainer": ("Trainer",),
}
_MODULES = {name: f"ocrkit.{module}" for module, names in _NAMES.items() for name in names}

__all__ = ["MODEL_NAMES", "RECIPES", "Batches", "Font", "Generation", "ImageSet", "Item"]
__all__ += ["OcrkitError", "Page", "Pixels", "Reader", "Reading", "Recipe", "Recognizer", "Sample"]
__all__ += ["Scores", "Trainer", "charset", "draw_pixels", "find_fonts", "label_of"]
__all__ += ["load_checkpoint", "load_pixels", "load_reference", "make_converter", "read"]
__all__ += ["read_words", "samples", "save_checkpoint", "score", "write_set"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'ocrkit' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
