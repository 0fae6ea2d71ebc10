"""A model and batches turn into a checkpoint and a history."""

from ocrkit.training.loop import Progress, Trainer, TrainingResult
from ocrkit.training.predict import read_all
from ocrkit.training.recipe import RECIPES, Recipe

__all__ = ["RECIPES", "Progress", "Recipe", "Trainer", "TrainingResult", "read_all"]
