"""The report's figures; each function returns a matplotlib Figure."""

from ocrkit.results.figures.panels import five_kinds, frame_budgets, learning_curves, stage_averages
from ocrkit.results.figures.scatter import accuracy_against, name_points
from ocrkit.results.figures.style import korean_font, look, new_figure, save_figure

__all__ = ["accuracy_against", "five_kinds", "frame_budgets", "korean_font", "learning_curves"]
__all__ += ["look", "name_points", "new_figure", "save_figure", "stage_averages"]
