"""The figures draw with any rows missing, and no two names overlap."""

import hashlib
import io
import itertools
import warnings

import matplotlib
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ocrkit import published
from ocrkit.errors import OcrkitError
from ocrkit.results import figures, tables
from ocrkit.results.figures import frame_budgets, style
from ocrkit.results.rows import by_model


@pytest.fixture(autouse=True)
def no_warnings():
    """A missing glyph or an impossible layout is a warning in matplotlib, and an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


def names_of(axes):
    return [text for text in axes.texts if text.get_text()]  # the others are thin lines


def overlaps(figure, texts):
    renderer = figure.canvas.get_renderer()
    boxes = [matplotlib.text.Text.get_window_extent(text, renderer) for text in texts]
    return [
        (a.get_text(), b.get_text())
        for (a, one), (b, other) in itertools.combinations(zip(texts, boxes, strict=True), 2)
        if one.overlaps(other)
    ]


@pytest.mark.parametrize("cost", ["time", "parameters"])
def test_frontier_names_do_not_overlap_and_stay_inside(cost, make_rows):
    reference = make_rows(seeds=(1, 2))
    yours = make_rows(missing=("TPS-VGG-None-CTC",), failed=("TPS-VGG-BiLSTM-CTC",))
    figure = figures.accuracy_against(cost, reference, yours)
    assert len(figure.axes) == 3
    for axes, rows in zip(figure.axes, (published.figures(), reference, yours), strict=True):
        names = names_of(axes)
        merged = by_model(rows)
        assert {n.get_text() for n in names} == set(tables.frontier(merged, cost)["model"])
        assert overlaps(figure, names) == []
        boxes = [
            matplotlib.text.Text.get_window_extent(n, figure.canvas.get_renderer()) for n in names
        ]
        points = axes.transData.transform(merged[[tables.COSTS[cost], "accuracy_percent"]].dropna())
        assert not any(box.count_contains(points) for box in boxes)
        frame = axes.get_window_extent()
        for name in names:
            box = matplotlib.text.Text.get_window_extent(name, figure.canvas.get_renderer())
            assert frame.x0 <= box.x0 + 0.01  # of a pixel
            assert box.x1 <= frame.x1 + 0.01
            assert box.y1 <= frame.y1 + 0.01


def test_the_papers_time_axis_carries_its_footnote(make_rows):
    figure = figures.accuracy_against("time", None, make_rows())
    paper, yours = (axes.get_xlabel() for axes in figure.axes)
    assert "batch 192" in paper
    assert "rank order at best" in paper
    assert "batch 64" in yours


def test_only_sources_with_results_get_a_panel(make_rows):
    assert len(figures.accuracy_against("time").axes) == 1
    failed = make_rows(failed=published.model_names())
    assert len(figures.accuracy_against("time", failed, make_rows()).axes) == 2
    no_latency = make_rows().drop(columns="latency_n_ms_median")
    assert len(figures.accuracy_against("time", None, no_latency).axes) == 1
    assert len(figures.accuracy_against("parameters", None, no_latency).axes) == 2


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=7, unique=True))
def test_names_of_any_seven_points_do_not_overlap(points):
    with style.look():
        figure = style.new_figure(5, 5)
        axes = figure.subplots()
        axes.set(xlim=(-0.1, 1.1), ylim=(-0.1, 1.1))
        style.finish(figure)
        named = pd.DataFrame(points, [f"TPS-VGG-BiLSTM-{i}" for i in range(len(points))])
        notes = figures.name_points(axes, named, named.index)
    assert overlaps(figure, notes) == []


def test_stage_averages_are_the_means_of_the_rows(make_rows):
    yours = make_rows(missing=[n for n in published.model_names() if "RCNN" in n])
    figure = figures.stage_averages(None, yours)
    assert len(figure.axes) == 8
    written = [text.get_text() for text in figure.axes[0].texts]
    paper = published.figures().groupby("transformation")["accuracy_percent"].mean()
    assert written == [f"{paper['None']:.1f}", f"{paper['TPS']:.1f}"]
    assert "no result" in [text.get_text() for text in figure.axes[5].texts]


def test_learning_curves_say_which_model_has_none(make_curves):
    figure = figures.learning_curves(make_curves(missing=("None-VGG-None-CTC",)))
    assert len(figure.axes) == 24
    drawn = {axes.get_title(): len(axes.lines) for axes in figure.axes}
    assert drawn.pop("None-VGG-None-CTC") == 0
    assert set(drawn.values()) == {1}
    assert figure.axes[0].texts[0].get_text() == "no curve yet"
    assert len(figures.learning_curves(make_curves().head(0)).axes) == 24


def test_five_kinds_draws_a_row_a_kind_in_the_papers_order():
    image = Image.new("RGB", (300, 64), "white")
    figure = figures.five_kinds({"blur": image.convert("L"), "basic": image})
    assert len(figure.axes) == 2
    assert figure.axes[0].get_ylabel() == "기본\nbasic"
    assert figure.axes[1].get_ylabel() == "흐림\nblur"


@pytest.mark.parametrize(
    ("samples", "said"), [({}, "at least one image"), ({"noise": None}, "'noise'")]
)
def test_five_kinds_refuses_what_it_cannot_draw(samples, said):
    with pytest.raises(OcrkitError, match=said):
        figures.five_kinds(samples)


def test_drawing_changes_no_default(make_rows):
    before = dict(matplotlib.rcParams)
    figures.stage_averages(make_rows())
    assert dict(matplotlib.rcParams) == before
    assert figures.korean_font() == "NanumGothic"


def test_the_same_figure_is_saved_as_the_same_bytes(tmp_path, make_rows):
    rows = make_rows()
    digests = set()
    for name in ("a.png", "b.png"):
        path = figures.save_figure(figures.stage_averages(rows), tmp_path / name)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1
    with Image.open(tmp_path / "a.png") as image:
        assert image.info["dpi"][0] == pytest.approx(150, abs=1)


def test_a_notebook_shows_a_figure_without_pyplot():
    png, shown = figures.stage_averages()._repr_png_()
    with Image.open(io.BytesIO(png)) as image:
        assert image.width == pytest.approx(2 * shown["width"], abs=2)


def test_a_frame_of_one_model_is_enough(make_rows):
    one = make_rows().head(1)
    assert isinstance(one, pd.DataFrame)
    for cost in ("time", "parameters"):
        figure = figures.accuracy_against(cost, None, one)
        assert len(names_of(figure.axes[1])) == 1


def test_frame_budgets_say_what_fits_and_draw_every_border():
    image = Image.new("L", (640, 64), 235)
    label = "가나다라마바사아자차" * 3  # 30 syllables, no equal neighbours
    figure = frame_budgets(image, label, ("VGG", "ResNet"))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert ["cannot" in title for title in titles] == [True, True, False, False]
    assert titles[0].startswith("VGG, 100 pixels: 24 frames; the label's 30 syllables need 30")
    borders = [len(axes.collections[0].get_segments()) for axes in figure.axes]
    assert borders == [25, 27, 100, 102]
