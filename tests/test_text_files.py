"""Text files as people save them: encodings found out, broken lines named."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.errors import OcrkitError
from ocrkit.text_files import read_lines, read_whole_lines

TEXT = "한글\nab 1\n\n다라"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_encoding_and_line_end_gives_the_same_lines(tmp_path, encoding, end):
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT.replace("\n", end).encode(encoding))
    assert read_lines(path) == read_whole_lines(path) == TEXT.split("\n")


def test_a_broken_line_does_not_spoil_the_others(tmp_path, refused):
    path = tmp_path / "a.txt"
    path.write_bytes("가나\n".encode() + b"\xff\xfe\xfa\n" + "다라\n".encode())
    assert read_lines(path) == ["가나", None, "다라"]
    with refused("a.txt, line 2 is neither UTF-8 nor CP949 text: save the file as UTF-8"):
        read_whole_lines(path)


def test_what_is_no_text(tmp_path, refused):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\0b")
    with refused("a.txt is no text file"):
        read_lines(path)
    path.write_bytes(codecs.BOM_UTF16_LE + b"a\0b")
    with refused("a.txt is broken UTF-16 text"):
        read_lines(path)
    with refused("is a folder"):
        read_lines(tmp_path)


@given(st.binary(max_size=200))
def test_any_bytes_are_lines_or_one_error(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("text") / "a.txt"
    path.write_bytes(raw)
    said, lines = "", []
    try:
        lines = read_lines(path)
    except OcrkitError as error:
        said = str(error)
    assert len(said.splitlines()) <= 1
    assert all(line is None or isinstance(line, str) for line in lines)
