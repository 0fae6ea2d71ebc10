"""Finding fonts, and leaving out those that lack a syllable."""

import hashlib
import shutil
import sys
from pathlib import Path

import pytest
from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph
from matplotlib import font_manager

from ocrkit.errors import OcrkitError
from ocrkit.hangul import charset
from ocrkit.synth import Font, find_fonts, fonts, usable_fonts


def small_font(font: Font, out: Path, characters: str, blank: str = "", boxed: str = "") -> Path:
    """A cut of the font with some characters only, some of them emptied or drawn as the box."""
    options = subset.Options(notdef_outline=True, hinting=False)
    with TTFont(font.path) as tables:
        cutter = subset.Subsetter(options)
        cutter.populate(text=characters)
        cutter.subset(tables)
        names = tables.getBestCmap()
        for ch in blank:
            tables["glyf"][names[ord(ch)]] = Glyph()
        for ch in boxed:
            tables["glyf"][names[ord(ch)]] = tables["glyf"][".notdef"]
            tables["hmtx"][names[ord(ch)]] = tables["hmtx"][".notdef"]
        tables.save(out)
    return out


def test_the_pinned_faces_are_found_without_importing_their_package(monkeypatch):
    monkeypatch.delitem(sys.modules, "koreanize_matplotlib", raising=False)
    found = find_fonts("koreanize")
    assert [font.name for font in found] == [
        "NanumGothic",
        "NanumGothicBold",
        "NanumGothicExtraBold",
        "NanumGothicLight",
    ]
    assert "koreanize_matplotlib" not in sys.modules
    assert found[0].sha256 == hashlib.sha256(Path(found[0].path).read_bytes()).hexdigest()


def test_the_pinned_faces_draw_the_papers_972_syllables(fonts):
    kept, left_out = usable_fonts(fonts, charset("972"))
    assert kept == list(fonts)
    assert left_out == {}


def test_copies_count_once_and_other_versions_keep_apart_names(tmp_path, font):
    (tmp_path / "b").mkdir()
    shutil.copy(font.path, tmp_path / "A.ttf")
    shutil.copy(font.path, tmp_path / "copy.ttf")
    small_font(font, tmp_path / "b" / "A.ttf", "가나")
    names = [found.name for found in find_fonts(tmp_path)]
    assert len(names) == 2
    assert names[0] == "A"
    assert names[1].startswith("A-")


def test_fonts_lacking_a_glyph_are_left_out_by_name(tmp_path, font):
    small_font(font, tmp_path / "Whole.ttf", "가나다라")
    small_font(font, tmp_path / "Unmapped.ttf", "가나")
    small_font(font, tmp_path / "Blank.ttf", "가나다라", blank="라")
    small_font(font, tmp_path / "Boxed.ttf", "가나다라", boxed="나")
    (tmp_path / "Broken.ttf").write_bytes(b"this is no font")
    (tmp_path / "Cut.ttf").write_bytes(Path(font.path).read_bytes()[:5000])
    kept, left_out = usable_fonts(find_fonts(tmp_path), "가나다라")
    assert [found.name for found in kept] == ["Whole"]
    assert left_out.pop("Broken").startswith("unreadable")
    assert left_out.pop("Cut").startswith("unreadable")
    assert left_out == {"Unmapped": "다라", "Blank": "라", "Boxed": "나"}


def test_no_usable_font_is_an_error_that_names_the_missing(tmp_path, font):
    found = find_fonts(small_font(font, tmp_path / "Small.ttf", "가나"))
    with pytest.raises(OcrkitError, match="Small: 뷁"):
        usable_fonts(found, "가나뷁")


def test_no_fonts_is_an_error(tmp_path):
    with pytest.raises(OcrkitError, match="no fonts found"):
        find_fonts(tmp_path)


def test_system_fonts_without_fontconfig_come_from_the_usual_folders(tmp_path, monkeypatch, font):
    small_font(font, tmp_path / "Korean.ttf", "가힣")
    small_font(font, tmp_path / "Latin.ttf", "AB")
    (tmp_path / "Broken.otf").write_bytes(b"")

    def no_fontconfig(*args, **kwargs):
        raise FileNotFoundError("fc-list")

    monkeypatch.setattr(fonts.subprocess, "run", no_fontconfig)
    files = [str(file) for file in tmp_path.iterdir()]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: files)
    assert [found.name for found in find_fonts("system")] == ["Korean"]
