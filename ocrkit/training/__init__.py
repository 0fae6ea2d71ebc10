"""A model and batches turn into a checkpoint and a history."""

from ocrkit.training.loop import Loop, Progress, Task, TrainingResult
from ocrkit.training.predict import read_all
from ocrkit.training.recipe import RECIPES, Recipe
from ocrkit.training.trainer import Trainer

__all__ = ["RECIPES", "Loop", "Progress", "Recipe", "Task", "Trainer", "TrainingResult", "read_all"]
