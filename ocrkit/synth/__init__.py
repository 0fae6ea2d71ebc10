"""Words and fonts to labelled sentence images of the five kinds, and of handwriting."""

from ocrkit.synth.fonts import Font, find_fonts, usable_fonts
from ocrkit.synth.generate import Generation, Sample, manifest, sample, samples
from ocrkit.synth.kinds import KINDS, Background, Basic, Blur, Distortion, Skew
from ocrkit.synth.words import common_syllables, read_words, split_words, words_over

__all__ = ["KINDS", "Background", "Basic", "Blur", "Distortion", "Font", "Generation", "Sample"]
__all__ += ["Skew", "common_syllables", "find_fonts", "manifest", "read_words", "sample", "samples"]
__all__ += ["split_words", "usable_fonts", "words_over"]
