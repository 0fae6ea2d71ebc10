"""How fast a machine can be at all: what its largest products and copies reach."""

from collections.abc import Callable

import torch
from torch.nn import functional as F

from ocrkit.bench.rates import deciding_clock, timed


def measure(
    device: torch.device, rounds: int = 5, edge: int = 2048, megabytes: int = 256
) -> dict[str, float]:
    """Operations and bytes a second, the best of some rounds.

    Products of two square matrices, and a 3x3 convolution of a middle layer's size, in fp32 and in
    bf16 (channels-last); bytes of adding two arrays into a third.

    Args:
        edge: rows and columns of the matrices.
        megabytes: of each array; far more than a cache holds.

    Returns:
        product_fp32, convolution_fp32, product_bf16, convolution_bf16 in FLOP/s (a multiply and an
        add count as two), and bytes_per_second.
    """
    found = {}
    for name, dtype, layout in (
        ("fp32", torch.float32, torch.contiguous_format),
        ("bf16", torch.bfloat16, torch.channels_last),
    ):
        a, b = (torch.randn(edge, edge, device=device).to(dtype) for _ in range(2))
        images = torch.randn(8, edge // 8, 8, 100, device=device).to(dtype)
        images = images.to(memory_format=layout)
        weight = torch.randn(edge // 8, edge // 8, 3, 3, device=device).to(dtype)
        weight = weight.to(memory_format=layout)
        each = 2 * images.numel() * weight[0].numel()
        found[f"product_{name}"] = _best(lambda a=a, b=b: a @ b, 2 * edge**3, device, rounds)
        found[f"convolution_{name}"] = _best(
            lambda x=images, w=weight: F.conv2d(x, w, padding=1), each, device, rounds
        )
    numbers = megabytes * 2**20 // 4
    a, b, out = (torch.ones(numbers, device=device) for _ in range(3))
    found["bytes_per_second"] = _best(
        lambda: torch.add(a, b, out=out), 3 * 4 * numbers, device, rounds
    )
    return found


def _best(work: Callable[[], torch.Tensor], count: int, device: torch.device, rounds: int) -> float:
    """`count` a second, in the fastest round; the first warms up."""

    def once() -> int:
        work()
        return count

    clock = deciding_clock(device)
    with torch.inference_mode():
        best = max([getattr(timed(once, device), clock) for _ in range(rounds + 1)][1:])
    return float(f"{best:.4g}")
