"""PARSeq: who sees whom in each order, and that all ways to decode agree with the slow one."""

import math

import pytest
import torch
from reference_models import noise_images
from torch.nn import functional as F

from ocrkit.models import Recognizer
from ocrkit.models.parseq import ORDERS, PARSeq, all_but_itself, draw_ranks, seen_in_order
from ocrkit.models.transfer import Start, carry_over
from ocrkit.training.losses import attention_loss, make_converter, training_loss

BATCH, FRAMES, INPUTS, HIDDEN, CLASSES, STEPS = 3, 7, 6, 64, 9, 5
TEXT = torch.tensor([[0, 4, 5, 6, 7], [0, 2, 8, 1, 0], [0, 1, 0, 0, 0]])  # 4, 2 and 0 characters


def decoder() -> PARSeq:
    torch.manual_seed(0)
    return PARSeq(INPUTS, HIDDEN, CLASSES, STEPS).eval()


def written_once(head: PARSeq) -> torch.Tensor:
    """Logits before any second look."""
    return head._write(head._offer_frames(frames()), BATCH, STEPS)


def frames() -> torch.Tensor:
    return torch.randn(BATCH, FRAMES, INPUTS, generator=torch.Generator().manual_seed(1))


def test_orders_are_pairs_of_permutations_from_left_to_right_first():
    for length in range(1, 9):
        ranks = draw_ranks(length)
        assert len(ranks) == min(ORDERS, max(2, math.factorial(length)))
        assert ranks.sort(1).values.tolist() == [list(range(length))] * len(ranks)
        assert ranks[0].tolist() == list(range(length))
        assert (ranks[::2] + ranks[1::2] == length - 1).all()
    torch.manual_seed(0)
    drawn = {tuple(draw_ranks(8)[2].tolist()) for _ in range(20)}
    assert len(drawn) > 15


def test_each_place_sees_what_was_written_before_it_in_every_order():
    orders = [[1, 2, 3, 4], [4, 3, 2, 1], [2, 4, 1, 3], [3, 1, 4, 2]]  # characters as written
    ranks = torch.tensor([[order.index(p) for p in (1, 2, 3, 4)] for order in orders])
    seen = seen_in_order(TEXT, ranks).view(BATCH, len(orders), STEPS, STEPS)
    for b, count in enumerate((4, 2, 0)):
        for k, order in enumerate(orders):
            written = [p for p in order if p <= count]
            for place in range(count + 1):  # of [s], and of padding after it, nothing is asked
                own = place + 1
                if own <= count:
                    expected = {0, *written[: written.index(own)]}
                else:
                    expected = {0} if k == 1 else {0, *written}
                assert set(seen[b, k, place].nonzero()[:, 0].tolist()) == expected


def test_a_second_look_sees_all_but_its_own_character():
    seen = all_but_itself(TEXT)
    assert seen.shape == (BATCH, STEPS, STEPS)
    for b, count in enumerate((4, 2, 0)):
        for place in range(STEPS):
            expected = {0, *range(1, count + 1)} - {place + 1}
            assert set(seen[b, place].nonzero()[:, 0].tolist()) == expected


def test_what_is_not_seen_changes_nothing():
    head = decoder().train()
    torch.manual_seed(3)
    before = head(frames(), TEXT, STEPS).view(BATCH, ORDERS, STEPS, CLASSES)
    torch.manual_seed(3)
    ranks = draw_ranks(STEPS - 1)
    seen = seen_in_order(TEXT, ranks).view(BATCH, ORDERS, STEPS, STEPS)
    changed = TEXT.clone()
    changed[0, 2] = 3
    torch.manual_seed(3)
    after = head(frames(), changed, STEPS).view(BATCH, ORDERS, STEPS, CLASSES)
    moved = (after - before).abs().amax(3) > 1e-6
    assert moved[0].equal(seen[0, :, :, 2])
    assert not moved[1:].any()


def test_writing_equals_being_told_step_by_step_what_was_written():
    head = decoder()
    with torch.no_grad():
        head.generator.bias[:2] = -100  # never [GO] nor [s]: every step is taken
        written = written_once(head)
        text = F.pad(written.argmax(2)[:, :-1], (1, 0))
        told = head(frames(), text, STEPS)
    torch.testing.assert_close(written, told)


def test_a_refined_text_is_each_place_looked_at_alone():
    head = decoder()
    with torch.no_grad():
        first, second = written_once(head), head(frames(), None, STEPS)
        offered = head._offer_frames(frames())
        for b, ids in enumerate(first.argmax(2).tolist()):
            kept = ids[: ids.index(1)] if 1 in ids else ids[:-1]
            for place in range(STEPS):
                # [GO] and the characters kept, of which the place's own is not shown
                shown = torch.tensor([[0, *kept]])
                seen = torch.tensor([[[at != place + 1 for at in range(len(kept) + 1)]]])
                part = tuple(x[b : b + 1] for x in offered)
                alone = head._answer(part, head.places[place : place + 1], shown, seen)
                torch.testing.assert_close(alone[0, 0], second[b, place])


def test_it_stops_when_all_have_ended():
    head = decoder()
    with torch.no_grad():
        head.generator.bias[1] = 100
        logits = written_once(head)
    assert logits.shape == (BATCH, STEPS, CLASSES)
    assert not logits[:, 1:].any()
    assert (logits[:, 0].argmax(1) == 1).all()


def test_the_loss_is_the_mean_of_the_orders():
    logits = torch.randn(2, 3 * 4, CLASSES, generator=torch.Generator().manual_seed(2))
    ids = torch.tensor([[0, 5, 6, 7, 1], [0, 3, 1, 0, 0]])
    each = [attention_loss(part, ids) for part in logits.split(4, dim=1)]
    torch.testing.assert_close(attention_loss(logits, ids), torch.stack(each).mean())


def made(charset: str, seed: int = 0) -> Recognizer:
    torch.manual_seed(seed)
    classes = make_converter("PARSeq", charset, 3).classes
    sizes = {"max_length": 3, "image_width": 40, "width": 0.125}
    return Recognizer("None-VGG-None-PARSeq", classes=classes, **sizes).eval()


def test_its_frames_learn_by_ctc_beside_it():
    model, converter = made("가나다").train(), make_converter("PARSeq", "가나다", 3)
    images, texts = noise_images(40), ["가나다", "다"]
    torch.manual_seed(5)
    alone = training_loss(model, converter, images, texts)
    assert model.add_auxiliary("extractor")
    losses = []
    for weight in (0.0, 0.5):
        torch.manual_seed(5)
        losses.append(training_loss(model, converter, images, texts, weight))
    assert losses[0].item() == pytest.approx(alone.item(), rel=1e-4)
    assert losses[1].item() > losses[0].item()
    losses[1].backward()
    assert model.auxiliary.weight.grad.abs().sum() > 0


def test_characters_are_carried_over_by_name(tmp_path):
    old, new = made("가나"), made("나다", seed=1)
    carry_over(Start(tmp_path, old, "가나"), new, "나다")
    for table in ("characters", "generator"):
        before, after = (getattr(model.head, table).weight for model in (old, new))
        assert torch.equal(after[[0, 1, 2]], before[[0, 1, 3]])
        assert not torch.equal(after[3], before[2])
