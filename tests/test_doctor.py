"""The doctor says what is there, and marks what is missing."""

import shutil
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

import ocrkit
from ocrkit import doctor
from ocrkit.errors import OcrkitError


@pytest.fixture
def examine(tmp_path, monkeypatch):
    """Findings by name, with a disk that is roomy whatever the machine's, and no font search."""
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=50 * 2**30))
    monkeypatch.setattr(doctor, "usable_fonts", lambda fonts, needed: (fonts, {}))
    return lambda: {what: (well, found) for what, well, found in doctor.examine(tmp_path)}


def test_what_a_healthy_machine_hears(examine, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=50 * 2**30))
    found = examine()
    assert all(said and "\n" not in said for _, said in found.values())
    assert found["ocrkit"] == (True, ocrkit.__version__)
    assert found["torch"] == (True, torch.__version__)
    assert found["fonts (koreanize)"] == (True, "4 faces draw all 972 syllables")
    assert found["disk"][0]
    assert "50 GiB free" in found["disk"][1]
    assert "cores" in found["processor"][1]
    assert found["precision auto"][1].split()[0] in ("fp32", "bf16")


def test_a_full_disk_is_marked(examine, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2**30))
    well, found = examine()["disk"]
    assert not well
    assert found.startswith("1 GiB free")


def test_missing_fonts(examine, monkeypatch):
    def none(source):
        raise OcrkitError(f"no fonts of {source}: install some")

    monkeypatch.setattr(doctor, "find_fonts", none)
    found = examine()
    # The pinned faces are needed; the system's are a choice.
    assert found["fonts (koreanize)"] == (False, "no fonts of koreanize: install some")
    assert found["fonts (system)"][0]


def test_apex_is_only_an_offer(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    well, found = doctor._apex()[1:]
    assert well
    assert found.startswith("not installed")


def test_another_package_called_apex_is_told_apart(monkeypatch):
    stranger, nvidia = ModuleType("apex"), ModuleType("apex.optimizers")
    nvidia.FusedAdam = object
    monkeypatch.setitem(sys.modules, "apex", stranger)
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: object())
    well, found = doctor._apex()[1:]
    assert not well
    assert "is not NVIDIA's" in found
    monkeypatch.setitem(sys.modules, "apex.optimizers", nvidia)
    assert doctor._apex()[1:] == (True, "installed")


def test_gpus_are_named(examine, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda i: f"Card {i}")
    assert examine()["GPU"] == (True, "Card 0, Card 1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert "none" in examine()["GPU"][1]
