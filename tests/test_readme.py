"""What the README claims is so: its file tree, its commands, its table of notebooks."""

import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ocrkit.cli import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TREE_LINE = re.compile(r"^(?P<indent>(?:│   |    )*)(?:├── |└── )(?P<name>[^\s#]+)\s+# \S")


def tree() -> list[str]:
    """The paths of the README's file tree."""
    block = README.split("```text\nocrkit\n", 1)[1].split("```", 1)[0]
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


def test_the_notebook_table_is_whole():
    told = set(re.findall(r"\(notebooks/(\d\d_\w+\.ipynb)\)", README))
    there = {p.name for p in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")}
    assert told == there


def test_pictures_and_links_exist():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
