"""The report's figures; each function returns a matplotlib Figure."""

from ocrkit.results.figures.curves import learning_curves
from ocrkit.results.figures.kinds import five_kinds
from ocrkit.results.figures.scatter import accuracy_against, name_points
from ocrkit.results.figures.stages import stage_averages
from ocrkit.results.figures.style import korean_font, look, new_figure, save_figure

__all__ = ["accuracy_against", "five_kinds", "korean_font", "learning_curves", "look"]
__all__ += ["name_points", "new_figure", "save_figure", "stage_averages"]
