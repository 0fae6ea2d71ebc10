"""CTC by hand is CTC, its readings are the likeliest, and CRNN learns to read with it."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch.nn import functional as F

from ocrkit.labels import CTCLabels, frames_needed
from ocrkit.papers.recognition import word_readers
from ocrkit.papers.recognition.crnn import STUDIES
from ocrkit.papers.recognition.ctc import align, best_path, collapse, extend, likeliest, prefix_beam
from ocrkit.papers.recognition.word_readers import CTC_SIZE, ctc_labels, ctc_task
from ocrkit.papers.shared.study import find_study
from ocrkit.training import Loop


def random_logits(frames: int, classes: int, seed: int = 0, scale: float = 2.0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return scale * torch.randn(frames, classes, dtype=torch.float64, generator=random)


def theirs(logits: torch.Tensor, label: list[int]) -> tuple[float, torch.Tensor]:
    """torch's loss and its gradient with respect to the logits."""
    logits = logits.clone().requires_grad_()
    loss = F.ctc_loss(
        logits.log_softmax(1)[:, None],
        torch.tensor([label], dtype=torch.int64).reshape(1, -1),
        [len(logits)],
        [len(label)],
        reduction="sum",
    )
    loss.backward()
    return loss.item(), logits.grad


def chances(logits: torch.Tensor) -> dict[tuple[int, ...], float]:
    """Every label and its chance, from every path: slow and obvious."""
    y, sums = logits.softmax(1), {}
    for path in product(range(logits.shape[1]), repeat=len(logits)):
        chance = torch.stack([y[t, k] for t, k in enumerate(path)]).prod().item()
        said = tuple(collapse(path))
        sums[said] = sums.get(said, 0.0) + chance
    return sums


@pytest.mark.parametrize("label", [[], [1], [2, 2], [1, 2, 1], [3, 3, 3], [1, 2, 3, 3]])
@pytest.mark.parametrize("more", [0, 1, 5])
def test_loss_and_gradient_are_torchs(label, more):
    logits = random_logits(max(1, frames_needed(label)) + more, 4, seed=more)
    ours, (loss, gradient) = align(logits, label), theirs(logits, label)
    assert ours.loss == pytest.approx(loss, rel=1e-9, abs=1e-9)
    torch.testing.assert_close(ours.gradient, gradient, rtol=1e-8, atol=1e-10)


def test_the_loss_sums_all_paths():
    logits = random_logits(4, 3)
    for label, chance in chances(logits).items():
        assert align(logits, label).loss == pytest.approx(-torch.tensor(chance).log().item())


def test_alpha_times_beta_is_the_same_at_every_frame():
    found = align(random_logits(9, 5), [2, 2, 4])
    sums = (found.alpha + found.beta).logsumexp(1)
    torch.testing.assert_close(sums, torch.full_like(sums, -found.loss))
    torch.testing.assert_close(found.paths.sum(1), torch.ones_like(sums))
    torch.testing.assert_close(found.occupancy.sum(1), torch.ones_like(sums))


def test_long_lines_do_not_underflow():
    logits = random_logits(600, 80, scale=5.0).float()
    found = align(logits, [1, 2, 2, 3] * 10)
    assert found.loss > 200  # e to the -200 is 0 in half and single precision
    loss, _ = theirs(logits, [1, 2, 2, 3] * 10)
    assert found.loss == pytest.approx(loss, rel=1e-4)
    assert found.gradient.isfinite().all()


def test_the_gradient_goes_downhill():
    logits, label = random_logits(6, 4), [1, 3]
    for _ in range(60):
        logits = logits - align(logits, label).gradient
    assert align(logits, label).loss < 0.2
    assert best_path(logits.log_softmax(1)) == label


def test_bad_labels_are_said(refused):
    with refused("ids lie in 1..3"):
        align(random_logits(4, 4), [0, 1])
    with refused("no path of 2 frames says a label of 2 characters"):
        align(random_logits(2, 4), [1, 1])  # a blank must stand between
    with refused("a beam of width 0 holds nothing"):
        prefix_beam(random_logits(2, 2), 0)


def test_extending_and_collapsing():
    assert extend([5, 5]).tolist() == [0, 5, 0, 5, 0]
    assert collapse([0, 5, 5, 0, 5, 0]) == [5, 5]
    assert collapse(extend([7, 7, 8]).tolist()) == [7, 7, 8]
    ids = torch.tensor([[1, 1, 0, 1, 2, 2, 0]])
    assert collapse(ids[0].tolist()) == [1, 1, 2]
    assert CTCLabels("가나").decode(ids) == ["가가나"]


@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_is_exact(seed):
    logits = random_logits(4, 3, seed)
    truth = chances(logits)
    found = prefix_beam(logits.log_softmax(1), 1_000)
    assert tuple(found[0][0]) == max(truth, key=truth.get)
    for label, score in found:
        assert score == pytest.approx(torch.tensor(truth[tuple(label)]).log().item())


def test_the_likeliest_path_may_say_another_label_than_the_likeliest():
    # The blank is likeliest in both frames (0.36), but three paths say 1 (0.64).
    log_y = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log()
    assert best_path(log_y) == []
    assert prefix_beam(log_y)[0][0] == [1]
    assert prefix_beam(log_y)[0][1] == pytest.approx(torch.tensor(0.64).log().item(), abs=1e-6)


def test_a_lexicon_gives_its_likeliest_word():
    logits = random_logits(6, 5)
    words = [[1, 2], [3], [4, 4, 4, 4], [2, 1, 3]]
    best, scores = likeliest(logits.log_softmax(1), words)
    assert scores[2] == -torch.inf  # needs seven frames
    ours = [-align(logits, word).loss if word != words[2] else -torch.inf for word in words]
    torch.testing.assert_close(scores, torch.tensor(ours, dtype=torch.float64))
    assert best == int(torch.tensor(ours).argmax())


def test_the_study_reads_what_it_was_shown():
    study = find_study("crnn")
    assert study is STUDIES["crnn"]
    task = ctc_task(1, images=4, batch_size=4)
    batch = task.batches[0]
    assert batch.pixels.shape == (4, *CTC_SIZE)
    ids, _ = ctc_labels().encode(batch.texts)
    # A path that says each id once, with blanks between, decodes to the truth.
    paths = torch.stack([extend(row.tolist()) for row in ids])
    assert ctc_labels().decode(paths) == batch.texts
    recipe = replace(study.recipe, steps=25, batch_size=4, validate_every=25, precision="fp32")
    loop = Loop(study.make(1), task, recipe, 1)
    first = task.loss(loop.model, 0).item()
    loop.run()
    assert task.loss(loop.model.eval(), 0).item() < first / 2


def test_it_is_tested_on_every_kind_of_scene(monkeypatch):
    monkeypatch.setattr(word_readers, "TEST_IMAGES", {"as trained": 6, "other scenes": 4})
    model = STUDIES["crnn"].make(1).eval()
    assert list(STUDIES["crnn"].test(model)) == ["accuracy", "cer", "rotated", "curved"]
    (text,) = STUDIES["crnn"].one(model, 7)
    assert isinstance(text, str)
