"""Fonts and words that the tests of this folder share."""

import pytest

from ocrkit.synth import Font, find_fonts

TEXT = "안녕하세요 대한민국 학교 선생님 도서관 컴퓨터 사랑 가족 음식 꽃 뷁 흙길 옛날 값"


@pytest.fixture(scope="session")
def fonts() -> tuple[Font, ...]:
    """The four pinned faces."""
    return tuple(find_fonts("koreanize"))


@pytest.fixture(scope="session")
def font(fonts) -> Font:
    """One regular face."""
    return next(font for font in fonts if font.name == "NanumGothic")


@pytest.fixture(scope="session")
def words() -> tuple[str, ...]:
    """A handful of words, with tall, wide and rare syllables."""
    return tuple(TEXT.split())
