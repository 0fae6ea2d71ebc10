"""ocrkit: a walkable reproduction of "A Study on the OCR of Korean Sentence" (HCLT 2019)."""

__version__ = "0.1.0"
