"""Text to ids and back, for CTC and attention; which labels fit how many frames."""

import itertools
import unicodedata

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.hangul import charset
from ocrkit.labels import (
    AttentionLabels,
    CTCLabels,
    charset_of,
    fits,
    frames_needed,
    label_of,
    outside,
    unfit_share,
)

CHARSET = "가각나다라값힣A1"
LABELS = st.text(alphabet=CHARSET, max_size=12)


@st.composite
def spoken(draw) -> tuple[str, list[int]]:
    """A label, and frame ids that say it: each character held, blanks where they must or may be."""
    label, frames = draw(LABELS), []
    for before, character in zip([None, *label], label, strict=False):
        least = 1 if before == character else 0
        frames += [0] * draw(st.integers(least, 3))
        frames += [CHARSET.index(character) + 1] * draw(st.integers(1, 3))
    return label, frames + [0] * draw(st.integers(0, 3))


@st.composite
def as_typed(draw) -> tuple[str, str]:
    """A label, and the same as a person may type it: spaces anywhere, decomposed or not."""
    label = draw(LABELS)
    typed = "".join(c + draw(st.sampled_from(["", " ", "\t", "\u3000"])) for c in label)
    return label, unicodedata.normalize(draw(st.sampled_from(["NFC", "NFD"])), typed)


def test_ids_of_the_reference():
    ids, lengths = CTCLabels("가나").encode(["나가", ""])
    assert ids.tolist() == [[2, 1], [0, 0]]
    assert lengths.tolist() == [2, 0]
    ids, lengths = AttentionLabels("가나", 3).encode(["나가", ""])
    assert ids.tolist() == [[0, 3, 2, 1, 0], [0, 1, 0, 0, 0]]
    assert lengths.tolist() == [3, 1]
    assert ids.dtype == lengths.dtype == torch.int64


def test_classes_of_the_paper():
    assert CTCLabels(charset("972")).classes == 973
    assert AttentionLabels(charset("972"), 50).classes == 974


@given(spoken())
def test_ctc_reads_any_way_of_saying_a_label(case):
    label, frames = case
    assert CTCLabels(CHARSET).decode(torch.tensor([frames])) == [label]
    assert fits(label, len(frames))


@given(as_typed())
def test_ctc_encodes_what_was_typed(case):
    label, typed = case
    ids, lengths = CTCLabels(CHARSET).encode([typed])
    assert [CHARSET[i - 1] for i in ids[0, : lengths[0]].tolist()] == list(label)


@given(st.lists(as_typed(), min_size=1, max_size=4))
def test_attention_round_trip(cases):
    converter = AttentionLabels(CHARSET, 12)
    ids, lengths = converter.encode([typed for _, typed in cases])
    assert ids.shape == (len(cases), 14)
    assert (ids[:, 0] == converter.GO).all()
    assert lengths.tolist() == [len(label) + 1 for label, _ in cases]
    assert converter.decode(ids[:, 1:]) == [label for label, _ in cases]
    # What comes after the end is no text, whatever the ids.
    noisy = ids[:, 1:].clone()
    for row, length in zip(noisy, lengths.tolist(), strict=True):
        row[length:] = 5
    assert converter.decode(noisy) == [label for label, _ in cases]


ANYTHING = st.text(alphabet=st.characters(codec="utf-8"), max_size=8)


@given(st.lists(ANYTHING, max_size=3), ANYTHING.filter(label_of), st.randoms())
def test_round_trips_over_any_charset(texts, text, random):
    texts, characters = [*texts, text], charset_of([*texts, text])
    characters = "".join(random.sample(characters, len(characters)))
    labels = [label_of(text) for text in texts]
    ctc = CTCLabels(characters)
    ids, lengths = ctc.encode(texts)
    assert lengths.tolist() == [len(label) for label in labels]
    # A blank after each character keeps doubled ones apart.
    assert ctc.decode(torch.stack([ids, torch.zeros_like(ids)], dim=2).flatten(1)) == labels
    attention = AttentionLabels(characters, max(map(len, labels)))
    ids, lengths = attention.encode(texts)
    assert attention.decode(ids[:, 1:]) == labels
    assert (int(ids.max()), ctc.classes) == (attention.classes - 1, attention.classes - 1)


@given(LABELS.filter(bool))
def test_a_row_without_an_end_keeps_its_last_character(label):
    ids = torch.tensor([[CHARSET.index(c) + 2 for c in label]])
    assert AttentionLabels(CHARSET, 12).decode(ids) == [label]


def test_the_end_is_found_by_id_and_not_by_its_spelling():
    converter = AttentionLabels("[s]GO가", 8)
    ids, _ = converter.encode(["가[s]가", "[GO]"])
    assert converter.decode(ids[:, 1:]) == ["가[s]가", "[GO]"]


def test_frames_needed_is_the_true_minimum():
    # All 3^T paths over [blank], 가, 나: what can be said at all in T frames?
    converter = CTCLabels("가나")
    for frames in range(1, 7):
        paths = torch.tensor(list(itertools.product(range(3), repeat=frames)))
        said = set(converter.decode(paths))
        for length in range(frames + 1):
            for label in map("".join, itertools.product("가나", repeat=length)):
                assert (label in said) == fits(label, frames), (label, frames)


def test_known_frames():
    assert [frames_needed(label) for label in ("", "가", "가나", "가가", "가가가나나")] == [
        *(0, 1, 2, 3, 8)
    ]
    assert unfit_share(["가", "가가", "가나다", "가나"], 2) == 0.5
    assert unfit_share([], 2) == 0.0


def test_label_of_composes_and_closes_up():
    assert label_of(unicodedata.normalize("NFD", " 한글 문장\t입니다\n")) == "한글문장입니다"


def test_a_label_is_its_own_label():
    # A syllable, a space, and a final consonant that the syllable takes up once the space is gone.
    label = label_of("가 \u11a8")
    assert label_of(label) == label


def test_outside_names_each_once():
    assert outside("가Z힣Z!가", "가힣") == "Z!"


@pytest.mark.parametrize("converter", [CTCLabels("가나"), AttentionLabels("가나", 5)])
def test_a_character_outside_the_charset(converter, refused):
    with refused("'가Z!' has 'Z!', which the charset of 2 characters lacks"):
        converter.encode(["가", "가 Z!"])


def test_a_label_too_long_for_attention(refused):
    with refused("'가나가나' has 4 characters, over max_length = 3"):
        AttentionLabels("가나", 3).encode(["가 나 가 나"])


@pytest.mark.parametrize("bad", ["", "가나가"])
def test_charsets_that_cannot_be(bad, refused):
    with refused("each only once"):
        CTCLabels(bad)


def test_max_length_must_be_positive(refused):
    with refused("max_length"):
        AttentionLabels("가", 0)


def test_a_charset_from_labels(refused):
    assert charset_of(["나 가", unicodedata.normalize("NFD", "각"), "1가"]) == "1가각나"
    with refused("no characters to make a charset of"):
        charset_of(["", " \t"])
