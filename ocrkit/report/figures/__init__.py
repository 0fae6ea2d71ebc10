"""The report's figures; each function returns a matplotlib Figure."""

from ocrkit.report.figures.curves import curves_2019, learning_curves
from ocrkit.report.figures.kinds import five_kinds, kinds_heatmap
from ocrkit.report.figures.mix import tps_on_the_mix
from ocrkit.report.figures.pipeline import four_stages
from ocrkit.report.figures.scatter import accuracy_against
from ocrkit.report.figures.stages import stage_averages
from ocrkit.report.figures.style import korean_font, look, new_figure, save_figure
from ocrkit.report.figures.variance import variance_by_stage

__all__ = [
    "accuracy_against",
    "curves_2019",
    "five_kinds",
    "four_stages",
    "kinds_heatmap",
    "korean_font",
    "learning_curves",
    "look",
    "new_figure",
    "save_figure",
    "stage_averages",
    "tps_on_the_mix",
    "variance_by_stage",
]
