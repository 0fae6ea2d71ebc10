"""Reading, counting and splitting words."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.errors import OcrkitError
from ocrkit.synth import common_syllables, read_words, split_words, words_over
from ocrkit.synth.words import common_characters, read_word_list

TABLE = (
    "순위\t단어\t품사\t풀이\t등급\r\n"
    "1\t것01\t의\t생각할 것\tA\r\n"
    "2\t하다01\t동\t\tA\r\n"
    "3\t것02\t의\t\tA\r\n"
    "4\t(으)로\t조\t\tB\r\n"
    "5\t-들09\t접\t\tB\r\n"
    "6\t국가03\t명\t國家\tA\r\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
def test_vocabulary_table_gives_its_word_column(tmp_path, encoding):
    path = tmp_path / "vocabulary.txt"
    path.write_bytes(TABLE.encode(encoding))
    assert read_words(path) == ["것", "하다", "으로", "들", "국가"]


def test_plain_text_drops_comments_and_foreign_letters_and_repeats(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("# 주석은 아니다\n학교, 친구 ABC\n친구\t바다!\n\n  # 또\n", encoding="utf-8")
    assert read_words(path) == ["학교", "친구", "바다"]


def test_what_is_no_hangul_is_told_or_kept(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("학교 Hello 2024년\n3,500원 韓國\n", encoding="utf-8")
    hangul = read_word_list(path)
    assert hangul.words == ["학교", "년", "원"]
    assert hangul.shortened == {"2024년": "년", "500원": "원"}
    assert hangul.wordless == ["Hello", "3", "韓國"]
    every = read_word_list(path, hangul_only=False)
    assert every.words == ["학교", "Hello", "2024년", "3,500원", "韓國"]
    assert (every.shortened, every.wordless) == ({}, [])
    assert common_characters(["2년", "20년"]) == "2년0"


def test_decomposed_syllables_are_composed(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text(unicodedata.normalize("NFD", "한글 문장"), encoding="utf-8")
    assert read_words(path) == ["한글", "문장"]


@pytest.mark.parametrize(
    "content", [b"", b"# \xea\xb0\x80\n", b"only latin 123", b"\x89PNG\xff\x80"]
)
def test_a_list_without_words_is_refused(tmp_path, content):
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(OcrkitError, match=r"words\.txt"):
        read_words(path)


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(OcrkitError, match="nowhere"):
        read_words(tmp_path / "nowhere.txt")


def test_common_syllables_ties_go_by_code_point():
    assert common_syllables(["나가", "나다", "다라"], 3) == "나다가"
    assert common_syllables(["나가"], 10) == "가나"


def test_words_over_a_charset():
    assert words_over(["가나", "가다", "나"], "가나") == ["가나", "나"]


syllables = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)
word_lists = st.lists(
    st.text(syllables, min_size=1, max_size=3), min_size=10, max_size=60, unique=True
)


@given(word_lists, st.integers(0, 1000))
def test_every_word_is_in_exactly_one_part(words, seed):
    shares = {"train": 0.8, "test": 0.2, "none": 0.0}
    parts = split_words(words, shares, seed)
    assert sorted(word for part in parts.values() for word in part) == sorted(words)
    assert abs(len(parts["test"]) - 0.2 * len(words)) <= 1
    assert parts["none"] == []
    # neither the order of the list nor a second run changes who goes where
    again = split_words(words[::-1], shares, seed)
    assert {name: set(part) for name, part in again.items()} == {
        name: set(part) for name, part in parts.items()
    }


def test_the_seed_changes_the_split():
    words = [chr(0xAC00 + i) for i in range(200)]
    halves = {"a": 1, "b": 1}
    assert split_words(words, halves, 0) != split_words(words, halves, 1)


@pytest.mark.parametrize("shares", [{"a": 0.0}, {"a": 1.0, "b": -1.0}, {"a": 0.9999, "b": 0.0001}])
def test_bad_shares_are_refused(shares):
    with pytest.raises(OcrkitError):
        split_words(["가", "나", "다"], shares, 0)
