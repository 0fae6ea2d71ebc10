"""Batch norm over the images of all processes, on CPUs.

Plain batch norm in several processes normalises each part of a batch by that part's own mean and
variance, so two processes do not compute what one would. torch.nn.SyncBatchNorm exchanges these
numbers between GPUs, and refuses tensors in main memory.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn


class _Sum(torch.autograd.Function):
    """The sum over all processes, and the sum of its gradients over them on the way back."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _Sum.forward(ctx, gradient)


class SyncBatchNorm2d(nn.BatchNorm2d):
    """`BatchNorm2d` whose training statistics are those of all processes' images together.

    Every process must hold as many images as the others. Ioffe and Szegedy, "Batch Normalization"
    (ICML 2015), algorithm 1.
    """

    running_mean: Tensor  # never None here: statistics are tracked, with a momentum
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W), of the input's type."""
        if not (self.training and dist.is_initialized()):
            return super().forward(x)
        # In double precision: the variance is a difference of means.
        wide, size = x.double(), dist.get_world_size()
        moments = torch.stack([wide.mean((0, 2, 3)), wide.square().mean((0, 2, 3))])
        mean, square = (_Sum.apply(moments) / size).unbind(0)
        variance = square - mean.square()
        scale = torch.rsqrt(variance + self.eps)
        normal = ((wide - mean[:, None, None]) * scale[:, None, None]).to(self.weight.dtype)
        count = size * x.numel() // x.shape[1]
        with torch.no_grad():
            unbiased = variance * (count / max(count - 1, 1))
            self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
            self.running_var.lerp_(unbiased.to(self.running_var), self.momentum)
            self.num_batches_tracked += 1
        return (normal * self.weight[:, None, None] + self.bias[:, None, None]).to(x.dtype)


def convert_sync_batch_norm(model: nn.Module) -> None:
    """Turn every `BatchNorm2d` of a model into `SyncBatchNorm2d`, in place; state_dict stays."""
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SyncBatchNorm2d
