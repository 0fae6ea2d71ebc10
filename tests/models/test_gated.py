"""The gated recurrent convolution against a slow version of the same equations."""

import copy

import plain
import pytest
import torch

from ocrkit.models.gated import GRCL


@pytest.mark.parametrize("training", [True, False])
def test_fast_equals_slow_forward_and_backward(training):
    torch.manual_seed(0)
    fast = GRCL(3, 4).train(training)
    for module in fast.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.weight, 1, 0.3)
            torch.nn.init.normal_(module.bias, 0, 0.3)
    slow = copy.deepcopy(fast)
    u = torch.randn(2, 3, 6, 5)
    ours, theirs = fast(u), plain.gated(slow, u)
    torch.testing.assert_close(ours, theirs)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    for (key, a), b in zip(fast.named_parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-4, msg=key)
    for (key, a), b in zip(fast.named_buffers(), slow.buffers(), strict=True):
        torch.testing.assert_close(a, b, msg=key)
