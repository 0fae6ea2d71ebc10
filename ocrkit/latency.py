"""How long reading takes: synchronised, warmed up, median and 95th percentile.

The paper's milliseconds are wall clock without device synchronisation, the first (slow) call
included. Here the device is waited for, and the first calls are thrown away.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Latency:
    """Milliseconds an image, and of how many images a batch they were."""

    median_ms: float
    p95_ms: float
    batch: int


def _wait(device: torch.device) -> None:
    """Wait until the device has done all it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@torch.inference_mode()
def measure_latency(
    model: torch.nn.Module, images: torch.Tensor, repeats: int = 20, warmup: int = 2
) -> Latency:
    """Time the reading of one batch on one thread, again and again.

    Args:
        model: a recogniser; put into eval mode here.
        images: (B, 1, H, W) on the model's device.
        repeats: how many timed calls.
        warmup: how many calls before them, which are not counted.

    Returns:
        median and 95th percentile of the milliseconds an image (the call's time / B).
    """
    model.eval()
    times, threads = [], torch.get_num_threads()
    # One thread: what a model costs, not how well its small layers share out over cores. It is
    # also what can be repeated on a machine that does something else besides.
    torch.set_num_threads(1)
    try:
        for call in range(warmup + repeats):
            _wait(images.device)
            start = time.perf_counter()
            model(images)
            _wait(images.device)
            if call >= warmup:
                times.append(1000 * (time.perf_counter() - start) / len(images))
    finally:
        torch.set_num_threads(threads)
    return Latency(float(np.median(times)), float(np.percentile(times, 95)), len(images))


def milliseconds(call: Callable[[int], object], repeats: int = 20, warmup: int = 2) -> float:
    """Median time of `call(number)` on one thread, the first `warmup` calls not counted."""
    times, threads = [], torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            for number in range(warmup + repeats):
                start = time.perf_counter()
                call(number)
                times.append(1000 * (time.perf_counter() - start))
    finally:
        torch.set_num_threads(threads)
    return float(np.median(times[warmup:]))
