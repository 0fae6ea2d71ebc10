"""Control points bend an image, two decoders read it, and the surer one is heard."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from ocrkit.labels import AttentionLabels
from ocrkit.models.transformation import (
    FIDUCIALS,
    pixel_centres,
    target_fiducials,
)
from ocrkit.papers.recognition.aster import (
    ASTER,
    STUDIES,
    BidirectionalReading,
    greedy_score,
    higher_scored,
    read_both_ways,
    reverse_text,
    smooth_moves,
    spline,
    straighten,
)
from ocrkit.papers.recognition.bent_words import IMAGE_SIZE, OFFSET_SCALE, READER_SIZE, words
from ocrkit.papers.recognition.word_readers import RECIPE, attention_labels

QUICK = replace(RECIPE, steps=20)
LABELS = AttentionLabels("가나다라", 4)


@pytest.fixture(scope="module")
def task() -> BidirectionalReading:
    return BidirectionalReading(1, QUICK, images=32)


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 1, *IMAGE_SIZE, generator=torch.manual_seed(0)) * 2 - 1


def some_points(count: int = 1) -> torch.Tensor:
    moved = 0.2 * torch.randn(count, FIDUCIALS, 2, generator=torch.manual_seed(1))
    return target_fiducials() + moved.double()


def bent(places: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The slow way: solve the spline's equations, then place after place, fiducial by fiducial."""
    home = target_fiducials().numpy()

    def u(place: np.ndarray, other: np.ndarray) -> float:
        r = np.hypot(*(place - other))
        return r**2 * np.log(r) if r > 0 else 0.0

    # sum of w = 0 and sum of w C = 0: far away the spline is flat
    edge = np.column_stack([np.ones(FIDUCIALS), home])
    bends = np.array([[u(a, b) for b in home] for a in home])
    system = np.block([[bends, edge], [edge.T, np.zeros((3, 3))]])
    solved = np.linalg.solve(system, np.concatenate([points, np.zeros((3, 2))]))
    w, a = solved[:FIDUCIALS], solved[FIDUCIALS:]
    return np.array(
        [
            a[0] + p @ a[1:] + sum(u(p, c) * own for c, own in zip(home, w, strict=True))
            for p in places
        ]
    )


def saying(*texts: str, sure: float = 5.0) -> torch.Tensor:
    """Logits that read as these texts: (B, 5, classes)."""
    ids = LABELS.encode(list(texts))[0][:, 1:]
    return sure * torch.nn.functional.one_hot(ids, LABELS.classes).float()


def test_control_points_at_home_move_nothing():
    home = target_fiducials()
    torch.testing.assert_close(spline(4, 6) @ home, pixel_centres(4, 6))
    torch.testing.assert_close(spline(4, 6).sum(dim=1), torch.ones(24, dtype=torch.double))
    some = images(2)
    torch.testing.assert_close(
        straighten(some, home.float().expand(2, -1, -1), IMAGE_SIZE), some, rtol=0, atol=1e-4
    )


def test_the_grid_is_the_spline_through_the_points():
    points = some_points()[0]
    expected = bent(pixel_centres(6, 8).numpy(), points.numpy())
    torch.testing.assert_close(spline(6, 8) @ points, torch.from_numpy(expected), rtol=0, atol=1e-5)
    home = bent(target_fiducials().numpy(), points.numpy())
    np.testing.assert_allclose(home, points)


def test_straighten_agrees_with_opencv():
    """Each pixel's place from the slow spline, then fetched by OpenCV."""
    picture = cv2.GaussianBlur(images(1)[0, 0].numpy(), (5, 5), 1)
    size, points = (8, 20), some_points()
    places = (bent(pixel_centres(*size).numpy(), points[0].numpy()) + 1) / 2 * IMAGE_SIZE[
        ::-1
    ] - 0.5
    x, y = places.reshape(*size, 2).astype(np.float32).transpose(2, 0, 1)
    expected = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    found = straighten(torch.from_numpy(picture)[None, None], points.float(), size)
    # OpenCV rounds places to 1/32 of a pixel.
    assert np.abs(found[0, 0].numpy() - expected).mean() < 0.01


def test_gradients_from_the_control_points_to_the_pixels():
    torch.manual_seed(2)
    small = torch.randn(1, 2, 5, 6, dtype=torch.double, requires_grad=True)
    points = (0.7 * some_points()).requires_grad_()
    assert torch.autograd.gradcheck(lambda i, p: straighten(i, p, (3, 4)), (small, points))


def test_at_first_the_whole_image_is_handed_on():
    models = [study.make(1).eval() for study in STUDIES.values()]
    straight = [model.straight(images(2)) for model in models]
    torch.testing.assert_close(*straight)
    assert straight[0].shape == (2, 1, *READER_SIZE)
    # Only the rectifier differs: both readers begin alike.
    rectified, plain = (model.state_dict() for model in models)
    assert all(torch.equal(value, rectified[name]) for name, value in plain.items())
    assert any(name.startswith("localisation") for name in rectified)
    assert not any(name.startswith("localisation") for name in plain)


def test_a_control_point_may_leave_the_image():
    model = ASTER(5, True).localisation
    with torch.no_grad():
        model.last.bias[:2] = torch.tensor([-3.0, -5.0])
    moved = model.eval()(images(1))[0] - target_fiducials().float()
    away = moved.abs().mean(dim=0)
    torch.testing.assert_close(away, torch.tensor([3 * OFFSET_SCALE, 5 * OFFSET_SCALE]))
    torch.testing.assert_close(moved.std(dim=0), torch.zeros(2), rtol=0, atol=1e-6)


def test_moves_are_smooth_and_orthogonal():
    moves, home = smooth_moves(), target_fiducials()
    torch.testing.assert_close(moves.T @ moves, 20 * torch.eye(8, dtype=torch.double))
    # A turn by a small angle moves (x, y) by (-y, x): both are among the moves.
    for wanted in (home[:, 1], home[:, 0], home[:, 0] ** 2, home[:, 1] * home[:, 0] ** 3):
        torch.testing.assert_close(moves @ (moves.T @ wanted) / 20, wanted)
    zigzag = torch.tensor([1.0, -1.0], dtype=torch.double).repeat(10)
    assert (moves @ (moves.T @ zigzag) / 20).norm() < 0.5 * zigzag.norm()


def test_no_step_can_silence_the_localisation():
    """A step that pushes every hidden unit down leaves gradients that can lift it again."""
    torch.manual_seed(4)
    model = ASTER(5, True).localisation.train()
    with torch.no_grad():
        model.hidden[0].weight.sub_(1.0)
    torch.nn.init.normal_(model.last.weight)
    model(images(8)).square().sum().backward()
    assert model.maps[0].weight.grad.abs().sum() > 0


def test_the_places_of_features_count():
    """A mark at the left and the same mark at the right may have different control points."""
    model = ASTER(5, True).localisation.eval()
    torch.nn.init.normal_(model.last.weight)
    left, right = -torch.ones(2, 1, 1, *IMAGE_SIZE)
    left[..., 8:16], right[..., 80:88] = 1, 1
    assert (model(left) - model(right)).abs().max() > 1e-3


def test_sureness_is_the_sum_of_log_probabilities_up_to_the_end():
    torch.manual_seed(3)
    logits = torch.cat([saying("가나", "라", "다다라나"), saying("가나다라", sure=0.5)])
    logits[:3] += 0.3 * torch.randn(3, *logits.shape[1:])
    scores, counts = greedy_score(logits)
    assert counts.tolist() == [2, 1, 4, 4]
    for row, score, count in zip(logits, scores, counts, strict=True):
        chances = row.softmax(dim=1).max(dim=1).values[: count + 1]
        assert score.item() == pytest.approx(chances.log().sum().item(), abs=1e-5)


def test_a_reading_without_an_end_is_counted_whole():
    logits = saying("가나다라")[:, :4]
    assert greedy_score(logits)[1].tolist() == [4]
    assert LABELS.decode(reverse_text(logits).argmax(dim=2)) == ["라다나가"]


def test_backward_targets_turned_give_the_truth():
    texts = ["가나다라", "나", "다라", "라다나"]
    backward = saying(*(text[::-1] for text in texts))
    assert LABELS.decode(reverse_text(backward).argmax(dim=2)) == texts
    torch.testing.assert_close(reverse_text(reverse_text(backward)), backward)


def test_the_surer_decoder_wins_word_by_word():
    ahead = torch.cat([saying("가나", sure=5), saying("다라", sure=1)])
    back = torch.cat([saying("라나", sure=1), saying("가다", sure=5)])
    assert LABELS.decode(higher_scored(ahead, back).argmax(dim=2)) == ["가나", "다가"]


def test_both_decoders_learn_and_the_second_reads_from_the_end(task):
    model = STUDIES["aster"].make(1).train()
    heard = []
    for head in (model.reader.head, model.back):
        head.register_forward_pre_hook(lambda head, args: heard.append(args[1]))
    task.loss(model, 0).backward()
    ahead, back = (attention_labels().decode(ids[:, 1:]) for ids in heard)
    assert ahead == task.batches[0].texts
    assert back == [text[::-1] for text in ahead]
    moved = {
        name.split(".")[0]
        for name, p in model.named_parameters()
        if p.grad is not None and p.grad.abs().sum() > 0
    }
    assert moved == {"reader", "back", "localisation"}


def test_each_decoder_and_the_surer_one_read(task):
    model = STUDIES["aster"].make(1)
    ways = read_both_ways(model, words("valid", "bent", 3))
    assert list(ways) == ["ahead", "back", "better"]
    assert {len(texts) for texts in ways.values()} == {3}
    for ahead, back, chosen in zip(*ways.values(), strict=True):
        assert chosen in (ahead, back)
    assert set(task.validate(model)) == {"valid_accuracy", "valid_cer"}


def test_a_toy_is_learnt_in_a_few_steps(task, fall):
    """One batch, again and again, through all the model."""
    torch.manual_seed(5)
    model = STUDIES["aster"].make(1).train()
    assert fall(model, lambda: task.loss(model, 19), 12, 2e-3) < 0.75
    assert (model.eval().points(images(1)) - target_fiducials()).abs().max() > 1e-4
