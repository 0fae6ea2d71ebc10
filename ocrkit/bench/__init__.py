"""How fast ocrkit is beside today's tools, both sides measured in turns on one machine."""
