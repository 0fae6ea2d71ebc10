"""Which number format a machine trains fastest in, found by asking it."""

import contextlib
import re

import torch

from ocrkit.errors import OcrkitError

PRECISIONS = ("fp32", "bf16", "fp16", "auto")


def cpu_features() -> dict[str, bool]:
    """Which bf16 instructions this processor has: AMX multiplies tiles, AVX-512-BF16 vectors."""
    probe = torch.cpu
    return {
        "amx": bool(getattr(probe, "_is_amx_tile_supported", lambda: False)()),
        "avx512_bf16": bool(getattr(probe, "_is_avx512_bf16_supported", lambda: False)()),
    }


def find_device(name: str) -> torch.device:
    """A device by its name: "cpu", "cuda" or "cuda:1".

    torch knows others (mps, xpu, meta, ...), on which nothing here has ever been run.
    Raises OcrkitError: an unknown name, or a GPU that is not there.
    """
    if not re.fullmatch(r"cpu|cuda(:\d{1,3})?", name):
        raise OcrkitError(f"unknown device {name!r}: choose cpu or cuda")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise OcrkitError(f"there is no {name} here ({torch.cuda.device_count()} GPUs): use cpu")
    return device


def resolve_precision(precision: str, device: torch.device) -> str:
    """ "fp32", "bf16" or "fp16": what was asked for, or for "auto" what the hardware is quick at.

    Raises OcrkitError: an unknown precision.
    """
    if precision not in PRECISIONS:
        raise OcrkitError(f"unknown precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if any(cpu_features().values()) else "fp32"


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager:
    """The context in which the forward pass runs: 16 bits where that is safe, or nothing."""
    if precision != "fp32":
        half = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
        return torch.autocast(device.type, dtype=half)
    return contextlib.nullcontext()
