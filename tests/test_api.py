"""`import ocrkit`: fast, and every public name is there, explained and on docs/api.md."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ocrkit

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_importing_waits_for_nothing_slow():
    code = "import ocrkit, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(ended.stdout.split())
    assert "ocrkit" in loaded
    assert loaded.isdisjoint({"torch", "numpy", "pandas", "PIL", "pydantic", "matplotlib"})


@pytest.mark.parametrize("name", ocrkit.__all__)
def test_every_name_is_there_and_explained(name):
    value = getattr(ocrkit, name)
    assert name in dir(ocrkit)
    if not isinstance(value, tuple | dict):  # those have no docstring of their own
        assert value.__doc__
        assert not value.__doc__.startswith(f"{name}("), "a dataclass's own words, not Python's"


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="no attribute 'Rader'"):
        ocrkit.Rader  # noqa: B018


def test_the_page_lists_the_public_names_and_no_other():
    table = PAGE.split("## Names")[1]
    rows = re.findall(r"^\| (`.*?) \| .{10,} \|$", table, flags=re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(ocrkit.__all__)


def test_type_checkers_see_the_same_names():
    source = (ROOT / "ocrkit" / "__init__.py").read_text(encoding="utf-8")
    imports = [
        (node.module, name.name)
        for block in ast.parse(source).body
        if isinstance(block, ast.If)
        for node in block.body
        for name in node.names
    ]
    assert {name: module for module, name in imports} == ocrkit._MODULES


def test_the_page_s_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(example, "docs/api.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 2
