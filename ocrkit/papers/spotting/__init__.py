"""Finding and reading in one: FOTS, the end-to-end TextSpotter, and the engine Tesseract."""
