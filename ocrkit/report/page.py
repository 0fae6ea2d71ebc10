"""One page to open: every table and figure of a report, with plain words between them."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from ocrkit.files import write_text
from ocrkit.report import figures, tables
from ocrkit.report.claims import claims_table
from ocrkit.report.css import CSS
from ocrkit.report.mix import CLAIM, has_mix, judge_mix, mix_gains, mix_table
from ocrkit.report.reviewers import answers_to_reviewers, existing_models
from ocrkit.report.rows import by_model
from ocrkit.report.statistics import intervals, rank_correlation
from ocrkit.report.summary import WHO, failed_runs, in_short, run_facts

_HOW_TO_READ = (
    "Accuracy is the share of sentences read without a single error, spaces ignored. The paper's"
    " numbers come from its own test mix, which was never published, at the full model size; ours"
    " from sentences of the basic and skew kinds, made of words never seen in training. So compare"
    " the order of the models and the differences between them, not one column with the other.",
    "± is the wider side of a bootstrap 95 % interval over the test images when there is one seed,"
    " and the standard deviation over seeds when there are several. A dash is a number that does"
    " not exist (yet).",
    "The paper's milliseconds are wall clock at batch 192, not synchronised with the device, the"
    " first call included: rank order at best. Ours are the median time per image of a whole batch,"
    " measured after all training, while nothing else runs.",
)
MIX_FIGURE = "tps_on_the_mix"
_NOTHING = "No run has results yet: the command make reproduce makes them."


class _Page:
    """Collects sections, and writes each table and figure beside the page as it comes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.contents: list[tuple[str, str]] = []
        self.body: list[str] = []

    def heading(self, title: str) -> None:
        anchor = f"part-{len(self.contents) + 1}"
        self.contents.append((anchor, title))
        self.body.append(f'<h2 id="{anchor}">{html.escape(title)}</h2>')

    def words(self, *paragraphs: str, kind: str = "") -> None:
        mark = f' class="{kind}"' if kind else ""
        self.body += [f"<p{mark}>{html.escape(text)}</p>" for text in paragraphs]

    def points(self, sentences: Sequence[str]) -> None:
        items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
        self.body.append(f"<ul>{items}</ul>")

    def table(self, name: str, frame: pd.DataFrame, caption: str) -> None:
        write_text(self.folder / "tables" / f"{name}.csv", frame.to_csv(index=False))
        write_text(self.folder / "tables" / f"{name}.md", tables.to_markdown(frame))
        drawn = tables.to_html(frame) if len(frame) else "<p class=none>nothing to show yet</p>"
        self.body.append(
            f'<figure class="table" id="{name}"><figcaption>{html.escape(caption)}</figcaption>'
            f"<div>{drawn}</div></figure>"
        )

    def figure(self, name: str, drawing: Figure, caption: str) -> None:
        path = figures.save_figure(drawing, self.folder / "figures" / f"{name}.png")
        code = base64.b64encode(path.read_bytes()).decode("ascii")
        said = html.escape(caption, quote=True)
        self.body.append(
            f'<figure id="{name}"><img alt="{said}" src="data:image/png;base64,{code}">'
            f"<figcaption>{said}</figcaption></figure>"
        )

    def document(self, title: str) -> str:
        links = "".join(f'<a href="#{a}">{html.escape(name)}</a>' for a, name in self.contents)
        text = io.StringIO()
        text.write('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')
        text.write('<meta name="viewport" content="width=device-width, initial-scale=1">')
        text.write(f"<title>{html.escape(title)}</title><style>{CSS}</style></head><body><main>")
        text.write(f"<h1>{html.escape(title)}</h1><nav>{links}</nav>")
        text.write("\n".join(self.body))
        text.write("</main></body></html>\n")
        return text.getvalue()


def write_report(
    out_dir: str | Path,
    *,
    reference: pd.DataFrame | None = None,
    yours: pd.DataFrame | None = None,
    reference_curves: pd.DataFrame | None = None,
    curves: pd.DataFrame | None = None,
    samples: Mapping[str, Image.Image | Sequence[Image.Image]] | None = None,
) -> Path:
    """Write every table, every figure and one self-contained page; return the page's path.

    Below `out_dir`: tables/*.csv and *.md, figures/*.png, report.html (images inside it). Files
    are replaced one by one, each whole; nothing else in the folder is touched.

    Args:
        reference, yours: result rows (`runs.csv`), or None when there is no such run.
        reference_curves, curves: their `curves.csv`, or None.
        samples: images by kind for Figure 3 (see `figures.five_kinds`), or None.

    Raises:
        OcrkitError: rows that mix presets or name an unknown model; a folder not writable.
    """
    ours = {"reference": reference, "yours": yours}
    page = _Page(Path(out_dir))
    page.heading("In short")
    _warn_of_smoke(page, ours)
    page.points(in_short(reference, yours))
    page.heading("How to read the numbers")
    page.words(*_HOW_TO_READ)
    _paper_beside_ours(page, reference, yours)
    _the_papers_claims(page, ours)
    page.heading("The five kinds of sentence")
    if samples:
        caption = "The paper's Figure 3, redrawn: the five kinds of generated sentence."
        page.figure("five_kinds", figures.five_kinds(samples), caption)
    page.words(
        "The models were trained on basic and skew alone, as in the paper; the other three kinds"
        " show what they make of pictures unlike those of their training."
    )
    for source, rows in _with_results(ours).items():
        caption = f"{WHO[source]}: accuracy (%) on each kind, unseen words."
        page.figure(f"kinds_{source}", figures.kinds_heatmap(rows), caption)
        page.table(f"kinds_{source}", tables.kinds_table(rows), caption)
    if not _with_results(ours):
        page.words(_NOTHING, kind="none")
    _the_test_mix(page, ours)
    page.heading("Errors and costs")
    page.words(
        "CER is wrong characters over all characters; the jamo error counts letters within"
        " syllables. The two norm_EDs are different measures under one name: the framework's mean"
        " (higher is better) and the Korean fork's undivided sum (lower is better)."
    )
    for source, rows in _with_results(ours).items():
        page.table(f"errors_{source}", tables.errors_table(rows), f"{WHO[source]}: finer scores.")
        caption = f"{WHO[source]}: training time, latency per image, parameters by stage."
        page.table(f"costs_{source}", tables.costs_table(rows), caption)
    if not _with_results(ours):
        page.words(_NOTHING, kind="none")
    page.heading("Learning curves")
    for source, frame in (("reference", reference_curves), ("yours", curves)):
        if frame is not None and len(frame):
            caption = f"{WHO[source]}: validation accuracy while training."
            page.figure(f"learning_{source}", figures.learning_curves(frame), caption)
    caption = "The author's own training logs of 2019, parsed from the public repository."
    page.figure("curves_2019", figures.curves_2019(), caption)
    page.heading("What the runs were made with")
    page.table("run_facts", run_facts(reference, yours), "Settings, machine and dates.")
    for source, rows in ours.items():
        lost = failed_runs(rows)
        if len(lost):
            page.table(f"failed_{source}", lost, f"{WHO[source]}: runs that failed.")
    path = page.folder / "report.html"
    write_text(path, page.document(_title(ours)))
    return path


def _paper_beside_ours(
    page: _Page, reference: pd.DataFrame | None, yours: pd.DataFrame | None
) -> None:
    both = (None, reference, yours)
    page.heading("Tables 1 and 2")
    page.table("table1", tables.table1(*both), "Table 1: accuracy against time.")
    page.table("table2", tables.table2(*both), "Table 2: accuracy against parameters.")
    page.heading("Time, parameters and the true frontiers")
    page.words(
        "A model is on the frontier when no other is both as cheap and as accurate. The paper's"
        " tables introduce their rows as the frontiers of Figures 4 and 5; computed from all 24"
        " models, the frontiers differ from them in one row each, as the remarks say."
    )
    for cost, number in (("time", 4), ("parameters", 5)):
        caption = f"Figure {number}: accuracy against {cost}; the frontier's models are named."
        page.figure(f"accuracy_{cost}", figures.accuracy_against(cost, *both), caption)
        caption = f"The true frontiers of accuracy against {cost}."
        page.table(f"frontier_{cost}", tables.frontiers(cost, *both), caption)
    page.heading("All 24 models")
    page.table("all_models", tables.all_models(*both), "Accuracy (%), the paper's best first.")
    page.heading("What each stage adds")
    caption = "Mean accuracy of the models that share an option; small dots are the models."
    page.figure("stage_averages", figures.stage_averages(*both), caption)


def _the_papers_claims(page: _Page, ours: Mapping[str, pd.DataFrame | None]) -> None:
    page.heading("The paper's claims")
    page.words(
        "Each claim of the paper, on its own 24 rows and on ours; every verdict is computed from"
        " the rows. A difference counts when its 95 % interval leaves zero out; one within the"
        " noise of seeds and test images is not settled. Intervals are from a bootstrap over seeds"
        " and over test images. The paper's test images are taken to be all 92,700 that it"
        " describes; its spread over runs is not known."
    )
    judged = _with_results(ours) or {"yours": None}
    for source, rows in judged.items():
        page.table(f"claims_{source}", claims_table(rows, source), f"The claims. {WHO[source]}.")
        rho, low, high, shared = rank_correlation(rows)
        if rho == rho:  # NaN is not equal to itself
            page.words(
                f"{WHO[source]} and the paper: Spearman's rank correlation over {shared} models is"
                f" {rho:.2f} (95 % interval {low:.2f} to {high:.2f})."
            )
        if rows is not None:
            caption = f"{WHO[source]}: mean accuracy, spread over seeds, bootstrap interval."
            page.table(f"intervals_{source}", intervals(rows), caption)
    caption = "Which stage explains how much of the variance of the 24 accuracies."
    page.figure("variance_by_stage", figures.variance_by_stage(None, *ours.values()), caption)
    page.words("The reviewers of 2019 asked for two things.")
    for source, rows in judged.items():
        for question, sentences in answers_to_reviewers(rows):
            page.words(f"{question} ({WHO[source].lower()}):")
            page.points(sentences)
        caption = f"Existing models within the grid of 24. {WHO[source]}."
        page.table(f"existing_{source}", existing_models(rows, source), caption)


def _the_test_mix(page: _Page, ours: Mapping[str, pd.DataFrame | None]) -> None:
    shown = {source: rows for source, rows in ours.items() if has_mix(rows)}
    if not shown:
        return
    page.heading("The test mix")
    page.words(
        "Most of the paper's test images were single words and syllables, stretched to the width"
        " of a sentence; its accuracies are of all of them together. Here the parts stand apart,"
        " and the same words and syllables are read in their own shape as well, with the last"
        " column repeated to the right: that tells the stretching from the shortness."
    )
    for source, rows in shown.items():
        gains = mix_gains(rows)
        verdict, told = judge_mix(gains)
        page.words(f"{WHO[source]}. {CLAIM} {verdict.capitalize()}. {told}")
        caption = f"{WHO[source]}: points that TPS adds in each part."
        page.figure(MIX_FIGURE, figures.tps_on_the_mix(rows), caption)
        page.table(f"mix_{source}", mix_table(rows), f"{WHO[source]}: accuracy (%) in each part.")


def _with_results(ours: Mapping[str, pd.DataFrame | None]) -> dict[str, pd.DataFrame]:
    return {
        source: rows
        for source, rows in ours.items()
        if by_model(rows)["accuracy_percent"].notna().any()
    }


def _presets(ours: Mapping[str, pd.DataFrame | None]) -> list[str]:
    known = (rows["preset"] for rows in ours.values() if rows is not None and "preset" in rows)
    return list(dict.fromkeys(name for presets in known for name in presets.dropna()))


def _title(ours: Mapping[str, pd.DataFrame | None]) -> str:
    presets = ", ".join(_presets(ours))
    return "Korean sentence OCR: the paper beside our runs" + (f" ({presets})" if presets else "")


def _warn_of_smoke(page: _Page, ours: Mapping[str, pd.DataFrame | None]) -> None:
    if "smoke" in _presets(ours):
        page.words(
            "These rows come from the smoke preset: a few training steps that prove that the road"
            " runs from end to end. Their accuracies claim nothing.",
            kind="warning",
        )
