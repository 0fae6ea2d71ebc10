"""Muon for matrices, AdamW for the rest, in one optimiser.

torch has a Muon of its own, and it cannot be used here: it takes matrices alone (no convolution
kernels, no gates of an LSTM), and it orthogonalises in bfloat16, which broke our training.
"""

from typing import Any

import torch
from torch import Tensor, nn

# Newton-Schulz' quintic, whose coefficients drive all singular values to about 1 in few steps.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_STEPS = 4


def orthogonalize(matrices: Tensor) -> Tensor:
    """Matrices (n, rows, columns) with all singular values drawn to about 1: U V^T of U S V^T.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024). The iteration
    X <- a X + b (X X^T) X + c (X X^T)^2 X runs on the Gram matrix of the smaller side, in float32:
    Gram matrices square the condition number.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices / (torch.linalg.matrix_norm(matrices)[:, None, None] + 1e-7)
    gram = x.mT @ x if tall else x @ x.mT
    product = None
    for i in range(_STEPS):
        polynomial = torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C)
        polynomial.diagonal(dim1=1, dim2=2).add_(_A)
        product = polynomial if product is None else polynomial @ product
        if i < _STEPS - 1:
            gram = polynomial @ gram @ polynomial
    return x @ product if tall else product @ x


class MuonAdamW(torch.optim.AdamW):
    """Groups with `muon=True` take Muon's steps, the others AdamW's (Loshchilov & Hutter, 2019).

    Muon: momentum as Nesterov's, orthogonalised, times lr * sqrt(max(1, rows / columns)). A
    convolution's kernel is a matrix of (out, in * height * width); the weight of an LSTM is four
    matrices, one a gate. No weight decay. Matrices of one shape are orthogonalised together.

    groups: parameter groups with "muon" (bool); those of Muon with "lr" and "pieces", the
        number of matrices that lie above one another in each parameter.
    options: AdamW's, such as lr, betas and eps.
    """

    def __init__(
        self, groups: list[dict[str, Any]], momentum: float = 0.95, **options: Any
    ) -> None:
        super().__init__(
            [{"pieces": 1, "momentum": momentum} | group for group in groups], **options
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One step of all groups; none where a GradScaler has found an overflow."""
        found = getattr(self, "found_inf", None)  # a GradScaler sets it
        if found is not None and found.item():
            return
        groups = self.param_groups
        try:
            self.param_groups = [group for group in groups if not group["muon"]]
            super().step()
        finally:
            self.param_groups = groups
        self._muon_step([group for group in groups if group["muon"]])

    def _muon_step(self, groups: list[dict[str, Any]]) -> None:
        by_shape: dict[tuple[int, ...], list[tuple[Tensor, dict[str, Any]]]] = {}
        for group in groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shape = _as_matrices(parameter, group["pieces"]).shape[1:]
                    by_shape.setdefault(tuple(shape), []).append((parameter, group))
        for (rows, columns), members in by_shape.items():
            updates = orthogonalize(torch.cat([self._update(*member) for member in members]))
            counts = [group["pieces"] for _, group in members]
            for (parameter, group), update in zip(members, updates.split(counts), strict=True):
                scale = group["lr"] * max(1, rows / columns) ** 0.5
                target = _channels_last(parameter)
                target.add_(update.view(target.shape), alpha=-scale)

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> Tensor:
        """Nesterov's look ahead along the momentum, as matrices (pieces, rows, columns)."""
        state = self.state[parameter]
        if "momentum" not in state:
            # AdamW, when it is loaded, expects every state to count its steps.
            state |= {"step": torch.zeros(()), "momentum": torch.zeros_like(parameter)}
        gradient = parameter.grad
        assert gradient is not None, "_muon_step leaves such parameters out"
        momentum = state["momentum"].lerp_(gradient, 1 - group["momentum"])
        ahead = torch.lerp(gradient, momentum, group["momentum"])
        return _as_matrices(ahead, group["pieces"]).float()


def _channels_last(weight: Tensor) -> Tensor:
    """A convolution's kernel with its input channels last, as training keeps it in memory."""
    return weight.permute(0, 2, 3, 1) if weight.ndim == 4 else weight


def _as_matrices(weight: Tensor, pieces: int) -> Tensor:
    """A weight as matrices (pieces, rows, columns)."""
    return _channels_last(weight).reshape(pieces, weight.shape[0] // pieces, -1)


def muon_groups(
    model: nn.Module, learning_rate: float, muon_rate: float, weight_decay: float
) -> list[dict[str, Any]]:
    """A reader's trainable parameters in groups for `MuonAdamW`.

    Muon takes hidden matrices. AdamW takes norms and biases, the layers that touch pixels or
    characters (the first convolution, the heads), and at a tenth of its rate the network that
    places TPS's fiducial points: a large step there throws the image away.
    """
    groups: dict[tuple, dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if _is_hidden_matrix(name, parameter):
            pieces = 4 if ".rnn.weight" in name else 1
            settings = {"muon": True, "pieces": pieces, "lr": muon_rate, "weight_decay": 0.0}
        else:
            rate = learning_rate * (0.1 if "localization" in name else 1)
            decay = weight_decay if parameter.ndim > 1 else 0.0
            settings = {"muon": False, "lr": rate, "weight_decay": decay}
        groups.setdefault(tuple(settings.items()), {"params": [], **settings})
        groups[tuple(settings.items())]["params"].append(parameter)
    return list(groups.values())


def _is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    outside = ("localization.", "head.weight", "generator.", "score.", "auxiliary.")
    outside += ("head.characters.", "head.places")
    return (
        parameter.ndim > 1 and parameter.shape[1] > 1 and not any(part in name for part in outside)
    )
