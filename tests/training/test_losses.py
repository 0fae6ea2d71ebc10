"""Both losses by hand, and the labels that a model cannot say."""

import itertools
import math
import unicodedata

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.labels import AttentionLabels, CTCLabels
from ocrkit.training.losses import (
    attention_loss,
    check_labels,
    ctc_loss,
    guided_attention_loss,
    loss_of,
    make_converter,
    training_loss,
    weight_of_part,
)


def all_paths(logits: torch.Tensor, label: str, converter: CTCLabels) -> float:
    """CTC's definition: the probabilities of all paths that read as the label, added up."""
    probabilities = logits.double().softmax(1)
    total = 0.0
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        if converter.decode(torch.tensor([path])) == [label]:
            total += math.prod(float(probabilities[t, c]) for t, c in enumerate(path))
    return -math.log(total)


@given(st.text(alphabet="가나", min_size=1, max_size=2), st.integers(0, 99))
def test_ctc_against_its_definition(label, seed):
    converter = CTCLabels("가나")
    logits = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(seed))
    loss = ctc_loss(logits, *converter.encode([label]))
    assert float(loss) == pytest.approx(all_paths(logits[0], label, converter) / len(label), 1e-4)


def test_ctc_by_hand():
    # Two frames, three equal classes: 가 is said by 가가, 가_, _가: 3 of 9 paths.
    converter = CTCLabels("가나")
    loss = ctc_loss(torch.zeros(1, 2, 3), *converter.encode(["가"]))
    assert float(loss) == pytest.approx(math.log(3))


def test_a_label_that_does_not_fit_costs_and_teaches_nothing():
    converter = CTCLabels("가나")
    logits = torch.zeros(2, 2, 3, requires_grad=True)
    loss = ctc_loss(logits, *converter.encode(["가가", "가"]))
    assert loss.item() == pytest.approx((0 + math.log(3)) / 2)
    loss.backward()
    assert (logits.grad[0] == 0).all()
    assert (logits.grad[1] != 0).any()


def test_ctc_runs_in_float32():
    converter = CTCLabels("가나")
    loss = ctc_loss(torch.zeros(1, 2, 3, dtype=torch.bfloat16), *converter.encode(["가"]))
    assert loss.dtype == torch.float32


def test_attention_by_hand():
    # Four classes alike: every step that counts costs log 4; padding costs nothing.
    converter = AttentionLabels("가나", 3)
    ids, _ = converter.encode(["가", "가나가"])
    assert float(attention_loss(torch.zeros(2, 4, 4), ids)) == pytest.approx(math.log(4))
    sure = torch.full((2, 4, 4), -50.0)
    for row, text in enumerate(ids[:, 1:].tolist()):
        for step, character in enumerate(text):
            sure[row, step, character or 3] = 50.0  # where the truth is padding, be wrong
    assert float(attention_loss(sure, ids)) == pytest.approx(0, abs=1e-6)
    sure[1, 3] = 0.0  # the last one's end is a guess: one of 2 + 4 steps costs log 4
    assert float(attention_loss(sure, ids)) == pytest.approx(math.log(4) / 6)


def test_attention_is_told_the_true_previous_characters():
    heard = []

    class Model(torch.nn.Module):
        def forward(self, images, text):
            heard.append(text)
            return torch.zeros(len(images), 4, 4)

    converter = AttentionLabels("가나", 3)
    training_loss(Model(), converter, torch.zeros(2, 1, 4, 4), ["나", "나 가"])
    assert heard[0].tolist() == [[0, 3, 1, 0], [0, 3, 2, 1]]


@given(st.lists(st.text("가나", max_size=3), min_size=1, max_size=4), st.integers(0, 99))
def test_the_mean_over_processes_is_the_whole_batch_s_loss(mine, seed):
    texts = [*mine, *("가", "나가나", "", "가나")[: len(mine)]]  # two processes, as many each
    logits = torch.randn(len(texts), 4, 4, generator=torch.Generator().manual_seed(seed))
    for converter in (CTCLabels("가나다"), AttentionLabels("가나", 3)):
        whole = float(loss_of(logits, converter, texts))
        parts = [
            (logits[: len(mine)], texts[: len(mine)]),
            (logits[len(mine) :], texts[len(mine) :]),
        ]
        weighted = [
            float(loss_of(part, converter, own)) * weight_of_part(converter, own, texts)
            for part, own in parts
        ]
        assert sum(weighted) / 2 == pytest.approx(whole, rel=1e-5)


def test_the_auxiliary_loss_of_parts_is_the_whole_batch_s_too():
    converter, texts = AttentionLabels("가나", 3), ["가나", "나가", "", "가"]
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 4, 4, generator=generator)
    frames = torch.randn(4, 9, 3, generator=generator)
    alpha = torch.rand(4, 4, 9, generator=generator)

    def loss(rows: slice) -> float:
        def model(images, ids):
            return logits[rows], frames[rows], alpha[rows]

        part = weight_of_part(converter, texts[rows], texts)
        return float(training_loss(model, converter, frames[rows], texts[rows], 0.5, part))

    halves = [loss(slice(0, 2)), loss(slice(2, 4))]
    assert sum(halves) / 2 == pytest.approx(loss(slice(0, 4)), rel=1e-5)


def test_attention_that_reads_evenly_from_left_to_right_costs_nothing():
    along = torch.eye(20)[None]  # 20 characters at 20 frames, then [s] and padding anywhere
    lengths = torch.tensor([21])
    anywhere = torch.rand(1, 3, 20).softmax(2)
    even = guided_attention_loss(torch.cat([along, anywhere], 1), lengths)
    assert float(even) == pytest.approx(0, abs=1e-6)
    beside = guided_attention_loss(torch.cat([along.roll(2, 2), anywhere], 1), lengths)
    backwards = guided_attention_loss(torch.cat([along.flip(2), anywhere], 1), lengths)
    # Two frames of 20 are a tenth of the line, one width: 1 - exp(-1/2); the last two wrap around.
    assert float(beside) == pytest.approx((18 * (1 - math.exp(-0.5)) + 2) / 20, abs=1e-3)
    assert 0.7 < float(backwards) < 1


def test_short_and_empty_labels_are_guided_over_the_whole_line():
    alpha = torch.zeros(2, 3, 8)
    alpha[0, 0, 3:5] = 0.5  # one character, in the middle
    alpha[1, 0, 0] = 1  # an empty label: its first step is [s]
    loss = guided_attention_loss(alpha, torch.tensor([2, 1]))
    assert float(loss) == pytest.approx((1 - math.exp(-((1 / 16) ** 2) / 0.02)) / 2)


def test_long_labels_weigh_more_in_attention_alone():
    mine, whole = (
        ["가나", "가나"],
        ["가나", "가나", "", "가 "],
    )  # with the end: 3 + 3 of 3 + 3 + 1 + 2
    assert weight_of_part(AttentionLabels("가나", 3), mine, whole) == pytest.approx(3 / (9 / 4))
    assert weight_of_part(CTCLabels("가나"), mine, whole) == 1


def test_loss_of_is_the_loss_of_either_kind():
    ctc, attention = CTCLabels("가나"), AttentionLabels("가나", 3)
    assert float(loss_of(torch.zeros(1, 2, 3), ctc, ["가"])) == pytest.approx(math.log(3))
    assert float(loss_of(torch.zeros(1, 4, 4), attention, ["가"])) == pytest.approx(math.log(4))


def test_the_converter_of_a_prediction():
    assert isinstance(make_converter("CTC", "가나", 3), CTCLabels)
    attention = make_converter("Attn", "가나", 3)
    assert isinstance(attention, AttentionLabels)
    assert attention.max_length == 3


def test_the_share_is_compared_with_the_limit(refused):
    texts = ["가", "나", "가나", "가 가"]  # the last needs 3 frames
    share, said = check_labels(CTCLabels("가나"), texts, frames=2, limit=0.25)
    assert share == 0.25
    assert said.startswith("25.0 % of the labels do not fit: they need up to 3 CTC frames")
    with refused(r"25\.0 %.*the model has 2; use wider images.*raise --unfit-limit \(0\.24\)"):
        check_labels(CTCLabels("가나"), texts, frames=2, limit=0.24)


@pytest.mark.parametrize("converter", [CTCLabels("각난"), AttentionLabels("각난", 2)])
def test_labels_are_measured_composed(converter):
    # Decomposed, these two syllables are six letters; as labels they are two.
    text = unicodedata.normalize("NFD", "각 난")
    assert check_labels(converter, [text], frames=2, limit=0)[0] == 0


def test_no_labels_at_all():
    assert check_labels(CTCLabels("가"), [], frames=2, limit=0)[0] == 0
    assert check_labels(AttentionLabels("가", 2), [], frames=2, limit=0)[0] == 0
