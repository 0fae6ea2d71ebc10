"""Muon: against an SVD, by hand, in any memory layout, and through a checkpoint."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.training.optimizers import MuonAdamW, orthogonalize


@given(st.integers(1, 3), st.integers(2, 12), st.integers(2, 12), st.integers(0, 99))
def test_orthogonalized_matrices_keep_their_directions(n, rows, columns, seed):
    matrices = torch.randn(n, rows, columns, generator=torch.Generator().manual_seed(seed))
    u, s, vt = torch.linalg.svd(matrices, full_matrices=False)
    found = u.mT @ orthogonalize(matrices) @ vt.mT
    diagonal = torch.diagonal(found, dim1=1, dim2=2)
    off = found - torch.diag_embed(diagonal)
    assert off.abs().max() < 1e-2
    # Singular values far below the largest need more than four steps to reach 1.
    large = s > 0.1 * torch.linalg.matrix_norm(matrices)[:, None]
    assert ((diagonal[large] > 0.6) & (diagonal[large] < 1.3)).all()


def muon(parameter, **settings):
    group = {"params": [parameter], "muon": True, "lr": 0.1, **settings}
    return MuonAdamW([group], momentum=0.9, lr=1.0, betas=(0.9, 0.99))


def test_a_step_by_hand():
    weight = torch.nn.Parameter(torch.zeros(4, 2))
    gradient = torch.randn(4, 2)
    optimizer = muon(weight)
    weight.grad = gradient
    optimizer.step()
    momentum = 0.1 * gradient
    ahead = 0.1 * gradient + 0.9 * momentum
    expected = -0.1 * 2**0.5 * orthogonalize(ahead[None])[0]
    torch.testing.assert_close(weight.detach(), expected)


def test_gates_are_orthogonalized_each_alone():
    weight = torch.nn.Parameter(torch.zeros(8, 3))
    weight.grad = torch.randn(8, 3)
    muon(weight, pieces=4).step()
    ahead = weight.grad * (0.1 + 0.9 * 0.1)
    for gate, update in zip(ahead.chunk(4), weight.detach().chunk(4), strict=True):
        torch.testing.assert_close(update, -0.1 * orthogonalize(gate[None])[0])


def test_the_step_does_not_depend_on_the_memory_layout():
    kernel, gradient = torch.randn(6, 4, 3, 3), torch.randn(6, 4, 3, 3)
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        for of_gradient in (torch.contiguous_format, torch.channels_last):
            weight = torch.nn.Parameter(kernel.clone().to(memory_format=layout))
            weight.grad = gradient.clone().to(memory_format=of_gradient)
            optimizer = muon(weight)
            optimizer.step()
            optimizer.step()
            found.append(weight.detach().contiguous())
    for other in found[1:]:
        torch.testing.assert_close(other, found[0])


def test_the_other_groups_take_adamws_steps():
    start, gradient = torch.randn(5), torch.randn(5)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    matrix = torch.nn.Parameter(torch.zeros(2, 2))
    options = {"lr": 0.01, "betas": (0.9, 0.99), "weight_decay": 0.1}
    groups = [
        {"params": [matrix], "muon": True, "lr": 0.1},
        {"params": [ours], "muon": False, "lr": 0.01},
    ]
    optimizer, reference = MuonAdamW(groups, **options), torch.optim.AdamW([theirs], **options)
    for _ in range(3):
        matrix.grad, ours.grad, theirs.grad = torch.ones(2, 2), gradient, gradient
        optimizer.step()
        reference.step()
    torch.testing.assert_close(ours, theirs)
    assert matrix.abs().sum() > 0


def test_its_state_goes_through_a_checkpoint():
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 4)
    gradients = [torch.randn(4, 3) for _ in range(4)]

    def make(parameter):
        return muon(parameter)

    def steps(weight, optimizer, part):
        for gradient in part:
            weight.grad = gradient.clone()
            optimizer.step()

    whole = torch.nn.Parameter(model.weight.detach().clone())
    steps(whole, make(whole), gradients)
    halved = torch.nn.Parameter(model.weight.detach().clone())
    first = make(halved)
    steps(halved, first, gradients[:2])
    second = make(halved)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    steps(halved, second, gradients[2:])
    torch.testing.assert_close(halved, whole, rtol=0, atol=0)


@pytest.mark.parametrize("found", [0.0, 1.0])
def test_nothing_moves_where_a_scaler_found_an_overflow(found):
    weight = torch.nn.Parameter(torch.zeros(2, 2))
    weight.grad = torch.ones(2, 2)
    optimizer = muon(weight)
    optimizer.found_inf = torch.tensor(found)
    optimizer.step()
    assert bool(weight.abs().sum() > 0) is not bool(found)
