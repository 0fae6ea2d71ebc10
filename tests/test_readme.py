"""What the README claims is so: its file tree, its commands, its table of notebooks."""

import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ocrkit import published
from ocrkit.cli import app
from ocrkit.results.claims import BEST, judge
from ocrkit.results.rows import by_model, reference_results
from ocrkit.results.statistics import PAPER_MIX, rank_correlation, stage_gains

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
KOREAN = (ROOT / "README.ko.md").read_text(encoding="utf-8")
either = pytest.mark.parametrize("text", [README, KOREAN], ids=["English", "Korean"])
TREE_LINE = re.compile(r"^(?P<indent>(?:│   |    )*)(?:├── |└── )(?P<name>[^\s#]+)\s+# \S")


def tree(text: str = README) -> list[str]:
    """The paths of the README's file tree."""
    block = text.split("```text\nocrkit\n", 1)[1].split("```", 1)[0]
    stack: list[str] = []
    paths = []
    for line in block.splitlines():
        match = TREE_LINE.match(line)
        assert match, f"not a line of an annotated tree: {line!r}"
        depth = len(match["indent"]) // 4
        stack[depth:] = [match["name"].rstrip("/")]
        paths.append("/".join(stack))
    return paths


def committed() -> set[str]:
    """Every committed file and every folder above one."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    return {str(parent) for f in listed for parent in [Path(f), *Path(f).parents]}


def test_every_path_of_the_tree_exists():
    missing = [path for path in tree() if path not in committed()]
    assert not missing


def test_the_tree_leaves_no_top_level_entry_out():
    top = {path for path in committed() if "/" not in path and path != "."}
    told = set(tree())
    assert {path for path in top if not path.startswith(".")} <= told


def test_the_tree_names_every_room_of_the_library():
    rooms = {p for p in committed() if re.fullmatch(r"ocrkit/\w+(\.py)?", p)}
    assert rooms - {"ocrkit/__init__.py", "ocrkit/__main__.py"} <= set(tree())


@pytest.mark.parametrize("target", sorted(set(re.findall(r"^make (\w+)", README, re.MULTILINE))))
def test_make_targets_exist(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`ocrkit (\w+)", README))))
def test_commands_exist(command):
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


@either
def test_the_notebook_table_is_whole(text):
    told = re.findall(r"\(notebooks/(?:ko/)?(\d\d_\w+\.ipynb)\)", text)
    assert told == sorted(p.name for p in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def test_the_korean_table_leads_to_the_korean_pages():
    there = {p.name for p in (ROOT / "notebooks" / "ko").glob("*.ipynb")}
    assert there == set(re.findall(r"\(notebooks/ko/(\d\d_\w+\.ipynb)\)", KOREAN))


@either
def test_pictures_and_links_exist(text):
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / link).exists(), link


# The Korean README says what the English one says


def sections(text: str) -> list[str]:
    """The text of each section, without the code."""
    return re.split(r"^##+ ", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)


def test_the_korean_tree_is_the_english_one():
    assert tree(KOREAN) == tree(README)


def test_commands_are_the_same_in_both():
    def blocks(text: str) -> list[str]:
        found = re.findall(r"```(?:sh|python)\n(.*?)```", text, re.DOTALL)
        return [re.sub(r" +#.*", "", block) for block in found]

    assert blocks(KOREAN) == blocks(README) != []


@pytest.mark.parametrize("part", range(len(sections(README))))
def test_numbers_and_code_are_the_same_in_both(part):
    """In each section every number and every word in code font, however often."""

    def told(text: str) -> tuple[set[str], set[str]]:
        section = sections(text)[part]
        there = section.replace("`notebooks/ko/", "`notebooks/")
        code = {re.sub(r"\s+", " ", found) for found in re.findall(r"`([^`]+)`", there)}
        links = re.findall(r"\]\((?:notebooks/(?:ko/)?)?([^)]*)\)", section)
        prose = re.sub(r"`[^`]+`|\]\([^)]*\)", "", section)
        return set(re.findall(r"\d(?:[\d,.]*\d)?", prose)), code | set(links)

    numbers, code = [ours ^ theirs for ours, theirs in zip(told(KOREAN), told(README), strict=True)]
    assert not numbers
    assert not {found for found in code if not found.startswith("README")}


# What came out


@either
def test_what_is_said_of_sentences_is_what_the_rows_say(text):
    rows, _ = reference_results("sentence")
    rho, low, high, models = rank_correlation(rows)
    assert models == 24
    summary = next(section for section in sections(text) if f"{rho:.2f}" in section)
    assert f"{low:.2f}" in summary
    assert f"{high:.2f}" in summary
    gains = stage_gains(rows, "transformation", "TPS", "None").sort_values()
    assert (gains > 0).all()
    ends = [f"{gains.iloc[0]:.1f}", f"{gains.iloc[-2]:.1f}", f"{gains.iloc[-1]:.0f}"]
    details = re.findall(r"^- \*\*[^\n]*`sentence`[^\n]*\n(?:  .*\n)+", text, re.MULTILINE)
    assert any(all(end in detail for end in ends) for detail in details)


def test_the_table_of_claims_is_what_the_rows_say():
    """Verdicts, means and intervals, pairs that gain; the Korean table has the same numbers."""
    lines = re.findall(
        r"^\| (?!The paper says)(\w.*) \|$", README.partition("## Two commands")[0], re.MULTILINE
    )
    told = dict(zip(("tps", "resnet", "vgg", "bilstm", "largest_gain", "best"), lines, strict=True))
    paper = judge(published.figures(), PAPER_MIX)
    rows, _ = reference_results("sentence")
    for name, ours in judge(rows).items():
        if name not in told:
            continue
        _, its_results, our_results, verdict = told[name].split(" | ")
        assert verdict == ours.verdict
        if name == "best":
            accuracy = by_model(rows).set_index("model")["accuracy_percent"]
            place = (accuracy > accuracy[BEST]).sum() + 1
            best = f"the best is {accuracy.idxmax()}, {accuracy.max():.1f} %"
            assert our_results == f"{accuracy[BEST]:.1f} %, number {place}; {best}"
            continue
        assert its_results.startswith(f"{paper[name].value:.1f} ")
        assert our_results.startswith(f"{ours.value:.1f} ({ours.low:.1f} to {ours.high:.1f})")
        for cell, finding in ((its_results, paper[name]), (our_results, ours)):
            pairs = re.match(r"(\d+ of \d+) pairs gain", finding.names)
            assert pairs is None or pairs[1] in cell
