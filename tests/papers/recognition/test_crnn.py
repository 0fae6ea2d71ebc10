"""CRNN, a member of the grid, learns to read words with CTC."""

from dataclasses import replace

import torch

from ocrkit.papers.recognition import word_readers
from ocrkit.papers.recognition.crnn import STUDIES
from ocrkit.papers.recognition.word_readers import CTC_SIZE, ctc_labels, ctc_task
from ocrkit.papers.shared.study import find_study
from ocrkit.training import Loop


def test_the_study_reads_what_it_was_shown():
    study = find_study("crnn")
    assert study is STUDIES["crnn"]
    task = ctc_task(1, images=4, batch_size=4)
    batch = task.batches[0]
    assert batch.pixels.shape == (4, *CTC_SIZE)
    ids, _ = ctc_labels().encode(batch.texts)
    # A path that says each id once, with blanks between, decodes to the truth.
    paths = torch.nn.functional.pad(ids[:, :, None], (1, 0)).flatten(1)
    assert ctc_labels().decode(paths) == batch.texts
    recipe = replace(study.recipe, steps=25, batch_size=4, validate_every=25, precision="fp32")
    loop = Loop(study.make(1), task, recipe, 1)
    first = task.loss(loop.model, 0).item()
    loop.run()
    assert task.loss(loop.model.eval(), 0).item() < first / 2


def test_it_is_tested_on_every_kind_of_scene(monkeypatch):
    monkeypatch.setattr(word_readers, "TEST_IMAGES", {"as trained": 6, "other scenes": 4})
    study = STUDIES["crnn"]
    model = study.make(1).eval()
    assert list(study.test(model)) == ["accuracy", "cer", "rotated", "curved"]
    (text,) = study.read(model, study.images()[3:])
    assert isinstance(text, str)
