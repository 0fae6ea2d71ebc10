"""Imports go one way: each room of the library uses only those above it in the README's tree."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TREE = (ROOT / "README.md").read_text(encoding="utf-8")
ROOMS = re.findall(r"^│   [├└]── (\w+)(?:\.py)? +#", TREE.split("ground floor first")[1], re.M)
ROOMS = ROOMS[: ROOMS.index("cli") + 1]
APART = {"papers": "experiments", "experiments": "papers"}


def imported(source: str) -> Iterator[str]:
    """The rooms that a module imports from, inside of functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            inside = node.module == "ocrkit"
            names = [f"ocrkit.{a.name}" for a in node.names] if inside else [node.module or ""]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("ocrkit."))


def modules(room: str) -> list[Path]:
    single = ROOT / "ocrkit" / f"{room}.py"
    return [single] if single.exists() else sorted((ROOT / "ocrkit" / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_rooms_above_it(room):
    above = set(ROOMS[: ROOMS.index(room)]) - {APART.get(room)} | {room, "__version__"}
    wrong = [
        f"{path.relative_to(ROOT)} imports ocrkit.{name}"
        for path in modules(room)
        for name in imported(path.read_text(encoding="utf-8"))
        if name not in above
    ]
    assert wrong == []


def test_the_readme_lists_every_room():
    there = {path.stem for path in (ROOT / "ocrkit").iterdir() if path.suffix in ("", ".py")}
    assert there - {"__init__", "__main__", "__pycache__", "_data"} == set(ROOMS)


def test_imports_are_found_wherever_they_stand():
    source = (
        "import ocrkit.cli\ndef f():\n    from ocrkit.papers.x import y\nfrom ocrkit import data"
    )
    assert sorted(imported(source)) == ["cli", "data", "papers"]
