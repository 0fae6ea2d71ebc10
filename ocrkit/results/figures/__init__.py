"""The report's figures; each function returns a matplotlib Figure."""

from ocrkit.results.figures.curves import curves_2019, learning_curves
from ocrkit.results.figures.kinds import five_kinds
from ocrkit.results.figures.pipeline import four_stages
from ocrkit.results.figures.scatter import accuracy_against
from ocrkit.results.figures.stages import stage_averages
from ocrkit.results.figures.style import korean_font, look, new_figure, save_figure

__all__ = [
    "accuracy_against",
    "curves_2019",
    "five_kinds",
    "four_stages",
    "korean_font",
    "learning_curves",
    "look",
    "new_figure",
    "save_figure",
    "stage_averages",
]
