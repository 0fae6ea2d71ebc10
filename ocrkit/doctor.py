"""What this machine can do, and what is missing: the first thing to run, and to send with a bug."""

import importlib.util
import os
import platform
import shutil
from pathlib import Path

import torch

import ocrkit
from ocrkit.errors import OcrkitError
from ocrkit.hangul import charset
from ocrkit.synth.fonts import find_fonts, usable_fonts
from ocrkit.training.engines import check_apex
from ocrkit.training.precision import cpu_features, resolve_precision

Finding = tuple[str, bool, str]  # what was looked at, is it well, what was found


def _fonts(source: str) -> Finding:
    try:
        kept, left_out = usable_fonts(find_fonts(source), charset("972"))
    except OcrkitError as error:
        return f"fonts ({source})", source == "system", str(error)
    text = f"{len(kept)} faces draw all 972 syllables"
    return f"fonts ({source})", True, text + (f", {len(left_out)} lack some" if left_out else "")


def _apex() -> Finding:
    if importlib.util.find_spec("apex") is None:
        return "NVIDIA Apex", True, "not installed (only needed for the apex engine on a GPU)"
    try:
        check_apex(torch.device("cuda"))  # is it NVIDIA's? Whether there is a GPU is another line
    except OcrkitError as error:
        return "NVIDIA Apex", False, str(error)
    return "NVIDIA Apex", True, "installed"


def examine(folder: Path) -> list[Finding]:
    """Look at Python, torch, processor, GPU, fonts, Apex and the disk under `folder`."""
    free = shutil.disk_usage(folder).free / 2**30
    features = [name for name, there in cpu_features().items() if there] or ["no bf16 units"]
    cpu = torch.device("cpu")
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return [
        ("ocrkit", True, ocrkit.__version__),
        ("Python", True, f"{platform.python_version()} on {platform.system()}"),
        ("torch", True, torch.__version__),
        ("processor", True, f"{os.cpu_count()} cores; {', '.join(features)}"),
        ("precision auto", True, f"{resolve_precision('auto', cpu)} on this processor"),
        ("GPU", True, ", ".join(gpus) or "none (all of smoke and mini runs on the processor)"),
        _apex(),
        _fonts("koreanize"),
        _fonts("system"),
        ("disk", free > 2, f"{free:.0f} GiB free in {folder.resolve().name or folder}"),
    ]
