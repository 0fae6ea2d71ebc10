"""Drawn samples become the very pixels that a set on disk would give."""

import numpy as np
import pytest

from ocrkit.data.cache import draw_pixels, load_pixels
from ocrkit.data.store import ImageSet, Item, write_set
from ocrkit.errors import OcrkitError
from ocrkit.synth import Generation, find_fonts, samples


def test_as_through_a_file(tmp_path):
    generation = Generation("skew", 5, 3, ("가나", "다라"), tuple(find_fonts()), words_per_label=2)
    drawn = list(samples(generation))
    write_set(tmp_path / "set", (Item(one.image, one.label) for one in drawn))
    stored = load_pixels(ImageSet(tmp_path / "set"), 64)
    direct = draw_pixels(drawn, 64)
    np.testing.assert_array_equal(direct.pixels, stored.pixels)
    assert direct.texts == stored.texts
    assert direct.pixels.shape == (5, 32, 64)


def test_nothing_drawn_is_an_error():
    with pytest.raises(OcrkitError, match="at least one"):
        draw_pixels([], 64)
