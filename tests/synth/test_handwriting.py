"""The sixth kind: what its warp and its pen do, and where its faces come from."""

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest

from ocrkit.errors import OcrkitError
from ocrkit.synth import KINDS, Generation, find_fonts, fonts, manifest, sample
from ocrkit.synth.fonts import HANDWRITING, handwriting_family
from ocrkit.synth.handwriting import Handwriting, change_width, smooth_field, warp_ink
from ocrkit.synth.kinds import Basic

TEXT = "도서관 꽃 뷁"
ROOT = Path(__file__).resolve().parents[2]
CALM = Handwriting(reach=0.0, edge=(0.5, 0.5), pressure=0.0, noise_sd=0.0)


def drawn(kind, text, font, seed=0):
    return np.asarray(kind.draw(text, font, np.random.default_rng(seed)), float)


@pytest.mark.parametrize("text", [TEXT, "이", "가 " * 60 + "힣"], ids=["words", "one", "long"])
def test_a_page_is_grey_64_high_with_a_margin_free_of_ink(text, font):
    for seed in range(8):
        page = drawn(Handwriting(), text, font, seed)
        assert page.shape[0] == 64
        assert page.min() < 120
        assert min(e.min() for e in (page[:5], page[-5:], page[:, :5], page[:, -5:])) > 180


def test_no_ink_is_a_line_too(font):
    assert drawn(Handwriting(), " ", font).shape[0] == 64


def test_the_papers_kinds_stay_five_and_the_sixth_is_drawn_by_its_name(words, fonts):
    assert list(KINDS) == ["basic", "background", "skew", "distortion", "blur"]
    order = Generation("handwriting", 1, 7, words, fonts)
    assert sample(order, 3) == sample(order, 3)
    assert sample(order, 3).image != sample(order, 4).image
    assert manifest(order)["generations"][0]["settings"]["reach"] == Handwriting.reach
    with pytest.raises(OcrkitError, match="blur, handwriting"):
        Generation("handwritten", 1, 7, words, fonts)


def test_with_nothing_to_change_it_draws_basic(font):
    calm, basic = drawn(CALM, TEXT, font), drawn(Basic(noise_sd=0.0), TEXT, font)
    assert calm.shape == basic.shape
    assert np.abs(calm - basic).mean() < 2.5  # a blurred rim is not quite that of the face


def test_the_pinned_face_is_drawn_as_ever(font):
    page = drawn(Handwriting(noise_sd=0.0), TEXT, font, 5)
    assert page.shape == (64, 265)
    ink = (235 - page[:, 4:254]).reshape(64, 10, 25).sum(axis=(0, 2))
    known = [79.1, 69.5, 77.4, 74.5, 138.0, 34.6, 132.2, 121.4, 86.3, 187.0]
    assert 1000 * ink / ink.sum() == pytest.approx(known, abs=0.5)


def test_lines_of_one_text_differ_in_weight_and_in_shape(font):
    blackness = [(235 - drawn(Handwriting(noise_sd=0.0), "가", font, i)).sum() for i in range(40)]
    assert np.std(blackness) > 0.1 * np.mean(blackness)
    bent = [drawn(Handwriting(edge=(0.5, 0.5), pressure=0.0), TEXT, font, i) for i in range(8)]
    assert len({page.shape for page in bent}) > 1


@pytest.mark.parametrize("cell", [3.7, 10.0, 500.0])
def test_a_field_is_smooth_and_at_most_one(cell):
    field = smooth_field(np.random.default_rng(1), (40, 90), cell)
    assert field.shape == (40, 90)
    assert np.abs(field).max() <= 1
    # the slope of a B-spline is at most the largest step between neighbours of its grid
    assert np.abs(np.diff(field, axis=0)).max() <= 2 / cell
    assert np.abs(np.diff(field, axis=1)).max() <= 2 / cell


def test_a_field_of_equal_values_is_flat():
    class Same:
        def uniform(self, low, high, size):
            return np.full(size, 0.3)

    assert smooth_field(Same(), (9, 31), 4.0) == pytest.approx(0.3)


@pytest.mark.parametrize(("edge", "wider"), [(0.5, 0.0), (0.25, 0.674), (0.6, -0.253)])
def test_a_stroke_gets_wider_by_the_quantile_of_its_edge(edge, wider):
    stroke = np.zeros((30, 60), np.uint8)
    stroke[:, 20:40] = 255
    ink = change_width(stroke, 2.0, edge)[15].sum() / 255
    assert ink == pytest.approx(20 + 2 * 2.0 * wider, abs=0.35)  # both sides, 2 pixels of spread


def test_ink_is_moved_by_its_shift_and_comes_from_nowhere():
    mask = np.random.default_rng(2).integers(0, 256, (12, 17), dtype=np.uint8)
    still = np.zeros(mask.shape)
    assert np.array_equal(warp_ink(mask, still, still), mask)
    moved = warp_ink(mask, still + 3, still - 2)
    assert np.array_equal(moved[:-2, 3:], mask[2:, :-3])
    assert not moved[-2:].any()
    assert not moved[:, :3].any()
    half = warp_ink(mask, still + 0.5, still).astype(float)
    assert half[:, 1:] == pytest.approx((mask[:, 1:] / 2 + mask[:, :-1] / 2), abs=1)


def listed(monkeypatch, *paths):
    """What fontconfig finds: all of them, for it is not asked for Korean alone."""
    asked = []

    def answer(command, **kwargs):
        asked.append(command[-1])
        return subprocess.CompletedProcess(command, 0, "".join(f"{path}\n" for path in paths))

    monkeypatch.setattr(fonts.subprocess, "run", answer)
    return asked


def test_faces_are_found_by_name(tmp_path, monkeypatch, font):
    for number, name in enumerate(["Gaegu-Regular", "Gothic", "PoorStory_400Regular"]):
        shutil.copy(font.path, tmp_path / f"{name}.ttf")
        with (tmp_path / f"{name}.ttf").open("ab") as file:  # else they count as one
            file.write(bytes(number))
    asked = listed(monkeypatch, *tmp_path.iterdir())
    found = [font.name for font in find_fonts("handwriting")]
    assert found == ["Gaegu-Regular", "PoorStory_400Regular"]
    assert [handwriting_family(name) for name in found] == ["Gaegu", "PoorStory"]
    assert asked == [":"]


def test_missing_faces_name_the_command_that_brings_them(monkeypatch, refused, font):
    listed(monkeypatch, font.path)
    with refused("make fonts"):
        find_fonts("handwriting")


def make(tmp_path, *tools, **more):
    """`make handwriting` with some tools alone on the path."""
    for tool in tools:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), **more}
    return subprocess.run(
        [shutil.which("make") or "make", "handwriting"],
        cwd=ROOT,
        env={**environment, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_brings_every_face_and_leaves_nothing_else(tmp_path):
    with tarfile.open(tmp_path / "packed.tgz", "w:gz") as packed:
        for name in ("Gaegu_400Regular.ttf", "Gaegu_700Bold.ttf", "LICENSE_FONT"):
            (tmp_path / name).write_text(name)
            packed.add(tmp_path / name, f"package/400Regular/{name}")
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncp {tmp_path}/packed.tgz .\n')
    npm.chmod(0o755)
    tools = ("sh", "mkdir", "mktemp", "tar", "gzip", "find", "cp", "rm", "uname", "dirname")
    done = make(tmp_path, *tools, XDG_DATA_HOME=str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    brought = [path.name for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert brought == ["Gaegu_400Regular.ttf"]
    assert not list(tmp_path.glob("tmp.*"))
    asked = re.findall(r"@expo-google-fonts/([\w-]+)@[\d.]+", (tmp_path / "asked").read_text())
    brought_by_npm = {"".join(map(str.title, name.split("-"))) for name in asked}
    assert brought_by_npm | {"NanumPen", "NanumBrush"} == set(HANDWRITING)


def test_make_says_that_npm_is_missing(tmp_path):
    done = make(tmp_path, "sh", "mkdir", "uname")
    assert done.returncode != 0
    assert "npm is missing" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]
