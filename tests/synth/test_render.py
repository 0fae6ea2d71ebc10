"""Masks of ink."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrkit.errors import OcrkitError
from ocrkit.hangul import charset
from ocrkit.synth import Font, find_fonts
from ocrkit.synth.render import draw_text, draw_text_to_height

FONTS = find_fonts("koreanize")
texts = st.lists(st.sampled_from(charset("972")), min_size=1, max_size=8)


@settings(deadline=None, max_examples=50)
@given(texts, st.sampled_from(FONTS), st.sampled_from([16.0, 41.5, 64.0]))
def test_a_line_holds_all_the_ink_of_its_characters(characters, font, em):
    line = draw_text(" ".join(characters), font, em)
    alone = sum(int(draw_text(ch, font, em).astype(int).sum()) for ch in characters)
    assert int(line.astype(int).sum()) == alone


@settings(deadline=None, max_examples=50)
@given(texts, st.sampled_from(FONTS), st.integers(12, 80))
def test_the_line_fills_the_height_asked_for(characters, font, height):
    mask = draw_text_to_height("".join(characters), font, height)
    assert mask.shape[0] == height
    assert mask[-4:].any()  # drawn as large as the height allows, but for rounding
    assert mask.max() > 100


def test_spaces_take_room_and_no_ink(font):
    near, far = draw_text("가나", font, 50), draw_text("가   나", font, 50)
    assert far.shape[1] > near.shape[1] + 20
    assert np.count_nonzero(far) == np.count_nonzero(near)
    assert not draw_text_to_height("  ", font, 20).any()


def test_a_font_file_that_has_gone_is_named():
    with pytest.raises(OcrkitError, match=r"gone\.ttf"):
        draw_text("가", Font("gone", "gone.ttf", ""), 30.0)
