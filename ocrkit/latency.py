"""How long reading takes: synchronised, warmed up, median and 95th percentile.

The paper's milliseconds are wall clock without device synchronisation, the first (slow) call
included. Here the device is waited for, and the first calls are thrown away. (torch's benchmark
Timer reports means over blocks of calls, which have no 95th percentile of single calls.)
"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch


@torch.inference_mode()
def call_times(
    call: Callable[[int], object], repeats: int = 20, warmup: int = 2, device: str = "cpu"
) -> np.ndarray:
    """Milliseconds of `call(number)` on one thread, one for each of `repeats` calls.

    The `warmup` calls before them are not counted; a GPU named by `device` is waited for.
    """
    wait = partial(torch.cuda.synchronize, device) if device.startswith("cuda") else lambda: None
    times, threads = [], torch.get_num_threads()
    # One thread: what a model costs, not how well its small layers share out over cores. It is
    # also what can be repeated on a machine that does something else besides.
    torch.set_num_threads(1)
    try:
        for number in range(warmup + repeats):
            wait()
            start = time.perf_counter()
            call(number)
            wait()
            times.append(1000 * (time.perf_counter() - start))
    finally:
        torch.set_num_threads(threads)
    return np.array(times[warmup:])


def measure_latency(
    model: torch.nn.Module, images: torch.Tensor, repeats: int = 20
) -> tuple[float, float]:
    """Time the reading of one batch (B, 1, H, W), on the model's device, again and again.

    The model is put into eval mode. Returns median and 95th percentile in milliseconds an image: a
    call's divided by B.
    """
    model.eval()
    times = call_times(lambda _: model(images), repeats, device=str(images.device)) / len(images)
    return float(np.median(times)), float(np.percentile(times, 95))


def milliseconds(call: Callable[[int], object]) -> float:
    """Median time of `call(number)`."""
    return float(np.median(call_times(call)))
