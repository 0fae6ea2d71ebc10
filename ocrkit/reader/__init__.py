"""A reader of real Korean lines of any width, in all 11,172 syllables, trained on drawn ones."""

from ocrkit.reader.lines import LineText, Reader, load_reader

__all__ = ["LineText", "Reader", "load_reader"]
