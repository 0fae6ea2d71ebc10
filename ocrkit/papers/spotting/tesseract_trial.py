"""What Tesseract makes of our images, measured: `ocrkit papers tesseract` writes tesseract.csv."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from ocrkit.files import atomic_file
from ocrkit.papers.shared.quads import as_quads
from ocrkit.papers.shared.scene_sets import scene_set, vocabulary
from ocrkit.papers.spotting.engines import (
    Exam,
    line_scores,
    scene_scores,
    sentences,
    turned_sentences,
    unseen_words,
)
from ocrkit.papers.spotting.spotter import KINDS as LARGE
from ocrkit.papers.spotting.tesseract import Page, read_images, version
from ocrkit.resources import resource
from ocrkit.synth.kinds import KINDS
from ocrkit.synth.scenes import SCENES

FILE = "tesseract.csv"
COUNT = 200  # images a row; a fifth of it for single faces and turns
ANGLES = tuple(range(0, 31, 2))
LIGHT = 3  # the number of the thin face
# What can be done to an image before it is read.
PREPARED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda image: image,
    "black and white first": lambda image: cv2.threshold(image, 0, 255, cv2.THRESH_OTSU)[1],
    "blurred first": lambda image: cv2.GaussianBlur(image, (0, 0), 1),
}
# The spotters' scenes have larger letters than the detectors'.
WORLDS = {**SCENES, **{f"{name}, large letters": settings for name, settings in LARGE.items()}}


def trial(count: int, watch: Callable[[str], None] = lambda said: None) -> pd.DataFrame:
    """Read the five kinds of sentences, words, each face, a thin one helped, turns, and scenes.

    Args:
        count: images a row.
        watch: is told what comes next.

    Returns:
        one row a task, kind and setting, with `line_scores` or `scene_scores`, the version of the
        program, and ms_image: milliseconds an image, a share of its start included.

    Raises:
        OcrkitError: the program or its Korean data is not installed.
    """
    rows, fewer = [], -(-count // 5)

    def lines(task: str, kind: str, setting: str, exam: Exam, mode: str, spaces: bool = True):
        watch(f"{task}, {kind}, {setting}")
        pages, ms = _timed(exam.images, mode, spaces=spaces)
        scores = line_scores([page.text for page in pages], exam)
        rows.append({"task": task, "kind": kind, "setting": setting, **scores, "ms_image": ms})

    for kind in KINDS:
        exam, words = sentences(kind, count), unseen_words(kind, count)
        lines("sentences", kind, "line", exam, "line")
        lines("sentences", kind, "line, spaces off", exam, "line", spaces=False)
        for mode in ("line", "word"):
            lines("words", kind, mode, words, mode)
    for kind in ("basic", "blur"):
        for face, font in enumerate(vocabulary().fonts):
            lines("faces", kind, font.name, sentences(kind, fewer, face=face), "line")
    light = sentences("basic", fewer, face=LIGHT)
    for way, prepare in PREPARED.items():
        lines(
            "prepared", "basic", way, replace(light, images=[*map(prepare, light.images)]), "line"
        )
    for degrees in ANGLES:
        for mode in ("block", "line"):
            lines("turned", str(degrees), mode, turned_sentences(degrees, fewer), mode)
    for kind, settings in WORLDS.items():
        scenes = scene_set("test", count, settings)
        for scale in (1, 2):
            watch(f"scenes, {kind}, x{scale}")
            pages, ms = _timed(scenes.images, "sparse", scale=scale)
            scores = scene_scores(*found_words(pages), scenes)
            named = {"task": "scenes", "kind": kind, "setting": f"sparse, x{scale}"}
            rows.append({**named, **scores, "ms_image": ms})
    return pd.DataFrame(rows).assign(version=version())


def _timed(images: Sequence[np.ndarray], mode: str, **options) -> tuple[list[Page], float]:
    start = time.perf_counter()
    pages = read_images(images, mode, **options)
    return pages, 1000 * (time.perf_counter() - start) / len(images)


def found_words(pages: Sequence[Page]) -> tuple[list[np.ndarray], list[list[str]]]:
    """The quads and the texts of each page's words."""
    quads = [as_quads([word.quad for word in page.words]) for page in pages]
    return quads, [[word.text for word in page.words] for page in pages]


def write_trial(folder: Path, watch: Callable[[str], None] = lambda said: None) -> Path:
    """Do the trial with `COUNT` images and keep it in a folder; where the file goes."""
    table, path = trial(COUNT, watch), folder / FILE
    with atomic_file(path) as temporary:
        table.round(3).to_csv(temporary, index=False)
    return path


def read_trial(folder: Path | None = None) -> pd.DataFrame:
    """The trial kept in a folder; None: the committed one.

    Raises:
        OcrkitError: there is none.
    """
    path = resource("results", "papers", FILE) if folder is None else folder / FILE
    return pd.read_csv(path, dtype={"kind": str, "version": str})
