"""Precision follows the hardware; devices are found or refused by name."""

import contextlib

import pytest
import torch

from ocrkit.training import precision
from ocrkit.training.precision import autocast, cpu_features, find_device, resolve_precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"amx": True, "avx512_bf16": True}, "bf16"),
        ({"amx": False, "avx512_bf16": True}, "bf16"),
        ({"amx": False, "avx512_bf16": False}, "fp32"),
    ],
)
def test_auto_asks_the_processor(monkeypatch, features, expected):
    monkeypatch.setattr(precision, "cpu_features", lambda: features)
    assert resolve_precision("auto", CPU) == expected


@pytest.mark.parametrize(("supported", "expected"), [(True, "bf16"), (False, "fp32")])
def test_auto_asks_the_gpu(monkeypatch, supported, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: supported)
    assert resolve_precision("auto", GPU) == expected


@pytest.mark.parametrize("asked", ["fp32", "bf16", "fp16"])
def test_what_is_asked_for_is_given(asked):
    assert resolve_precision(asked, CPU) == asked


def test_unknown_precision(refused):
    with refused("unknown precision 'fp8': choose one of fp32, bf16, fp16, auto"):
        resolve_precision("fp8", CPU)


def test_a_torch_that_cannot_tell_has_no_units(monkeypatch):
    assert set(cpu_features()) == {"amx", "avx512_bf16"}
    monkeypatch.setattr(torch, "cpu", object())
    assert cpu_features() == {"amx": False, "avx512_bf16": False}


@pytest.mark.parametrize(("asked", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_autocast_multiplies_in_16_bits_or_not_at_all(asked, dtype):
    with autocast(asked, CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    assert isinstance(autocast("fp32", CPU), contextlib.nullcontext)


def test_devices_by_name(monkeypatch, refused):
    assert find_device("cpu") == CPU
    with refused("unknown device 'gpu': choose cpu or cuda"):
        find_device("gpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with refused(r"there is no cuda here \(0 GPUs\): use cpu"):
        find_device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert find_device("cuda") == GPU
    with refused("there is no cuda:1 here"):
        find_device("cuda:1")
