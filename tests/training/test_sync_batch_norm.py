"""Batch norm over several processes; over one it is torch's own."""

import pytest
import torch

from ocrkit.training.sync_batch_norm import SyncBatchNorm2d, convert_sync_batch_norm


@pytest.fixture
def group(tmp_path):
    """A process group of one."""
    store = f"file://{tmp_path}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def norms() -> tuple[torch.nn.Module, torch.nn.Module]:
    """torch's and ours, of the same weights."""
    made = []
    for _ in range(2):
        norm = torch.nn.BatchNorm2d(3)
        torch.nn.init.uniform_(norm.weight, generator=torch.Generator().manual_seed(1))
        torch.nn.init.uniform_(norm.bias, generator=torch.Generator().manual_seed(2))
        made.append(torch.nn.Sequential(norm))
    convert_sync_batch_norm(made[1])
    return made[0], made[1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_of_one_process_it_is_torch_s(group, dtype):
    theirs, ours = (norm.to(dtype) for norm in norms())
    assert type(ours[0]) is SyncBatchNorm2d
    x = 3 + 2 * torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(0), dtype=dtype)
    direction = torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(3), dtype=dtype)
    found = []
    for norm in (theirs, ours):
        given = x.clone().requires_grad_()
        for _ in range(2):
            y = norm(given)
        (y * direction).sum().backward()
        found.append([y, given.grad, *(p.grad for p in norm.parameters()), *norm.buffers()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_the_gradient_is_that_of_its_own_forward_pass(group):
    _, ours = norms()
    x = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ours.double(), (x,))


def test_the_output_has_the_input_s_type(group):
    _, ours = norms()
    assert ours(torch.randn(2, 3, 4, 4).bfloat16()).dtype == torch.bfloat16


def test_reading_and_training_on_need_no_company():
    theirs, ours = norms()
    x = torch.randn(2, 3, 4, 4)
    for training in (True, False):  # no process group here
        assert torch.equal(ours.train(training)(x), theirs.train(training)(x))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
