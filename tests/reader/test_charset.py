"""The charset of the line reader."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.hangul import FIRST, LAST, LEADS, TAILS, VOWELS, compose
from ocrkit.reader.charset import BLANK, CLASSES, FIRST_SYLLABLE, SIGNS, decode, encode, letters


def test_every_syllable_and_sign_comes_back():
    everything = SIGNS + "".join(map(chr, range(FIRST, LAST + 1)))
    ids = encode(everything)
    assert ids == list(range(1, CLASSES))
    assert decode([BLANK, *ids, BLANK]) == everything


def test_signs_are_distinct_and_hold_the_marks_of_korean_print():
    assert len(set(SIGNS)) == len(SIGNS)
    assert set(" ‘’“”『』「」《》〈〉·…※→○●□■①⑮❶❺ㄱㅣ~%") <= set(SIGNS)


@given(st.sampled_from(LEADS), st.sampled_from(VOWELS), st.sampled_from(TAILS))
def test_letters_of_an_id_are_those_of_its_syllable(lead, vowel, tail):
    found = letters(np.array(encode(compose(lead, vowel, tail))))
    assert (LEADS[found[0][0]], VOWELS[found[1][0]], TAILS[found[2][0]]) == (lead, vowel, tail)
    assert encode(compose(lead, vowel, tail))[0] >= FIRST_SYLLABLE


def test_decomposed_text_is_composed_and_foreign_signs_are_left_out():
    assert decode(encode("한漢글")) == "한글"
