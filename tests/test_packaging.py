"""The environments, the pins and the wheel hold together."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
# What conda-forge calls by another name.
CONDA = {
    "torch": "pytorch",
    "lmdb": "python-lmdb",
    "opencv-python-headless": "py-opencv",
}


def canonical(name: str) -> str:
    """A package's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def bounds(requirements: list[str]) -> dict[str, str]:
    """Names and what stands behind them: {"torch": ">=2.6"}."""
    found = {}
    for requirement in requirements:
        name, bound = re.fullmatch(r"([\w.-]+?)\s*([<>=!~].*)?", requirement.strip()).groups()
        found[canonical(name)] = bound or ""
    return found


def conda(file: str) -> tuple[dict, dict[str, str], dict[str, str]]:
    """An environment file: itself, its conda packages and its pip packages."""
    loaded = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    packages = [d for d in loaded["dependencies"] if isinstance(d, str)]
    (pip,) = [d["pip"] for d in loaded["dependencies"] if isinstance(d, dict)]
    return loaded, bounds(packages), bounds([d for d in pip if not d.startswith("-e")])


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("file", ["environment.yml", "environment-cpu.yml"])
def test_environments_are_those_of_pyproject(file, project):
    loaded, packages, pip = conda(file)
    wanted = bounds(project["dependencies"])
    assert all(bound.startswith(">=") for bound in wanted.values())
    assert packages.pop("python").startswith(project["requires-python"])
    assert "pip" in packages
    packages.pop("pip")
    packages.pop("nvidia-apex", None)
    only_pip = {"koreanize-matplotlib"}  # conda-forge has none
    assert packages == {CONDA.get(k, k): v for k, v in wanted.items() if k not in only_pip}
    assert pip == {k: wanted[k] for k in only_pip}
    assert loaded["name"] == project["name"]
    assert loaded["channels"] == ["conda-forge"]
    assert "-e ." in loaded["dependencies"][-1]["pip"]


def test_apex_is_for_linux_alone():
    gpu, gpu_packages, gpu_pip = conda("environment.yml")
    cpu, cpu_packages, cpu_pip = conda("environment-cpu.yml")
    assert gpu.pop("platforms") == ["linux-64"]
    assert "platforms" not in cpu
    assert gpu_packages.pop("nvidia-apex")
    assert (gpu_packages, gpu_pip) == (cpu_packages, cpu_pip)
    gpu["dependencies"] = [d for d in gpu["dependencies"] if "nvidia-apex" not in d]
    assert gpu == cpu


def test_binder_installs_what_the_environment_without_apex_has():
    _, packages, pip = conda(".binder/environment.yml")
    assert (packages, pip) == conda("environment-cpu.yml")[1:]
    assert "--editable ." in (ROOT / ".binder/postBuild").read_text()
    assert os.access(ROOT / ".binder/postBuild", os.X_OK)


def test_constraints_pin_every_dependency(project):
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = bounds([line for line in lines if line and not line.startswith("#")])
    assert all(re.fullmatch(r"==[\w.]+", pin) for pin in pins.values())
    extras = project["optional-dependencies"]
    optional = {each for name in extras if name != "dev" for each in extras[name]}
    assert optional <= set(extras["dev"])  # so that the tests try what is optional
    for name, bound in (bounds(project["dependencies"]) | bounds(extras["dev"])).items():
        assert name in pins, f"{name} has no pin in constraints.txt"
        least, pinned = (
            tuple(map(int, re.findall(r"\d+", version))) for version in (bound, pins[name])
        )
        assert pinned >= least, f"{name} is pinned below {bound}"


def test_what_is_imported_is_declared(project):
    extras = project["optional-dependencies"]
    optional = [each for name in extras if name != "dev" for each in extras[name]]
    declared = set(bounds([*project["dependencies"], *optional]))
    owners = metadata.packages_distributions()
    imported = set()
    for file in (ROOT / "ocrkit").rglob("*.py"):
        found = re.findall(r"^\s*(?:from|import) (\w+)", file.read_text(encoding="utf-8"), re.M)
        imported.update(found)
    outside = {canonical(o) for name in imported for o in owners.get(name, [])} - {"ocrkit"}
    # These two are parts of Jupyter, and come with jupyterlab.
    assert outside - declared <= {"ipython", "nbformat"}


def test_the_licence_is_apache(project):
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert project["license"] == "Apache-2.0"
    assert "Apache License\n" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built as a packager would, and unpacked."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    ended = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (file,) = out.glob("*.whl")
    assert file.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(out / "unpacked")
    return out / "unpacked"


def test_the_wheel_holds_the_library_and_its_small_files(wheel):
    def below(folder: Path, *patterns: str) -> set[str]:
        return {
            p.relative_to(folder).as_posix()
            for pattern in patterns
            for p in folder.rglob(pattern)
            if p.is_file()
        }

    assert below(wheel / "ocrkit", "*.py") == below(ROOT / "ocrkit", "*.py")
    for name in ("words", "published", "results/reader"):
        assert below(wheel / "ocrkit" / "_data" / name, "*") == below(ROOT / "data" / name, "*")
    assert {p.name.split("-")[0] for p in wheel.iterdir()} == {"ocrkit"}
    (about,) = wheel.glob("*.dist-info")
    assert (about / "licenses" / "LICENSE").is_file()
    assert "ocrkit = ocrkit.__main__:main" in (about / "entry_points.txt").read_text()


OUTSIDE = """
import pathlib, ocrkit, ocrkit.cli
from ocrkit import published
from ocrkit.hangul import charset
from ocrkit.resources import resource
from ocrkit.synth.words import read_words
assert pathlib.Path(ocrkit.__file__).is_relative_to({wheel!r}), ocrkit.__file__
assert resource("words").is_relative_to({wheel!r}), resource("words")
print(len(charset("972")), len(published.figures()), len(read_words()) >= 3000)
"""


def test_the_wheel_works_outside_the_clone(wheel, tmp_path):
    command = [sys.executable, "-c", OUTSIDE.format(wheel=str(wheel))]
    environment = os.environ | {"PYTHONPATH": str(wheel)}
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["972", "24", "True"]
