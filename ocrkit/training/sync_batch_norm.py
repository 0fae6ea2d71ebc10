"""Batch norm over the images of all processes, on CPUs.

Plain batch norm in several processes normalises each part of a batch by that part's own mean and
variance, so two processes do not compute what one would. torch.nn.SyncBatchNorm exchanges these
numbers between GPUs, and refuses tensors in main memory.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps), both over all processes: one message each way.

    Ioffe and Szegedy, "Batch Normalization" (ICML 2015), algorithm 1 and section 3.
    """

    @staticmethod
    def forward(ctx, x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, H, W) -> the same, normalised; the mean (C,); the biased variance (C,)."""
        size, rank = dist.get_world_size(), dist.get_rank()
        # Sums as wide as torch's own batch norm makes them on a processor.
        variance, mean = torch.var_mean(x.double(), (0, 2, 3), correction=0)
        statistics = mean.new_zeros(size, 2, len(mean))
        statistics[rank, 0], statistics[rank, 1] = mean, variance
        dist.all_reduce(statistics)
        means, variances = statistics.unbind(1)
        mean = means.mean(0)
        # The variance of all is the mean of the variances and the variance of the means.
        variance = variances.mean(0) + (means - mean).square().mean(0)
        mean, variance = mean.to(x.dtype), variance.to(x.dtype)
        scale = torch.rsqrt(variance + eps)
        normal = (x - mean[:, None, None]) * scale[:, None, None]
        ctx.save_for_backward(normal, scale)
        ctx.mark_non_differentiable(mean, variance)
        return normal, mean, variance

    @staticmethod
    def backward(ctx, gradient: Tensor, *_: Tensor) -> tuple[Tensor, None]:
        """g -> (g - mean(g) - x^ mean(g x^)) / sqrt(variance + eps), means over all processes."""
        normal, scale = ctx.saved_tensors
        means = torch.stack([gradient.mean((0, 2, 3)), (gradient * normal).mean((0, 2, 3))])
        dist.all_reduce(means)
        shift, slope = (means / dist.get_world_size())[:, :, None, None].unbind(0)
        return (gradient - shift - normal * slope) * scale[:, None, None], None


class SyncBatchNorm2d(nn.BatchNorm2d):
    """`BatchNorm2d` whose training statistics are those of all processes' images together.

    Every process must hold as many images as the others.
    """

    running_mean: Tensor  # never None here: statistics are tracked, with a momentum
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W), of the input's type."""
        if not (self.training and dist.is_initialized()):
            return super().forward(x)
        normal, mean, variance = _Normalise.apply(x.to(self.weight.dtype), self.eps)
        count = dist.get_world_size() * x.numel() // x.shape[1]
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)
            self.num_batches_tracked += 1
        return (normal * self.weight[:, None, None] + self.bias[:, None, None]).to(x.dtype)


def convert_sync_batch_norm(model: nn.Module) -> None:
    """Turn every `BatchNorm2d` of a model into `SyncBatchNorm2d`, in place; state_dict stays."""
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SyncBatchNorm2d
