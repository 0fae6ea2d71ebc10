"""The gated recurrent convolution layer (GRCL), the building block of the RCNN extractor."""

from torch import Tensor, nn
from torch.nn import functional as F

ITERATIONS = 5


class GatedStep(nn.Module):
    """One iteration's own norms; the convolutions belong to the layer and are shared.

    Wang and Hu (NIPS 2017), eq. 6-8.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn_gate_input = nn.BatchNorm2d(channels)
        self.bn_gate_state = nn.BatchNorm2d(channels)
        self.bn_input = nn.BatchNorm2d(channels)
        self.bn_state = nn.BatchNorm2d(channels)
        self.bn_gated = nn.BatchNorm2d(channels)

    def forward(
        self, gate_input: Tensor, gate_state: Tensor, wide_input: Tensor, wide_state: Tensor
    ) -> Tensor:
        """Wg_f u, Wg_r x, W_f u, W_r x, each (B, C, H, W) -> the next state x (B, C, H, W)."""
        # In place: a norm keeps its input for the backward pass, not its result.
        # G = sigmoid(BN(Wg_f u) + BN(Wg_r x))
        gate = self.bn_gate_state(gate_state).add_(self.bn_gate_input(gate_input)).sigmoid_()
        # x = ReLU(BN(W_f u) + BN(BN(W_r x) * G))
        gated = self.bn_gated(self.bn_state(wide_state) * gate)
        return gated.add_(self.bn_input(wide_input)).relu_()


class GRCL(nn.Module):
    """Look again, five times, with a wider view where the gate opens.

    (B, before, H, W) -> (B, after, H, W).
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.gate_input = nn.Conv2d(before, after, 1, bias=False)
        self.gate_state = nn.Conv2d(after, after, 1, bias=False)
        self.wide_input = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.wide_state = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn_first = nn.BatchNorm2d(after)
        self.steps = nn.ModuleList(GatedStep(after) for _ in range(ITERATIONS))

    def forward(self, u: Tensor) -> Tensor:
        # u is the same in every iteration, so its two convolutions are made once.
        gate_input, wide_input = self.gate_input(u), self.wide_input(u)
        x = F.relu(self.bn_first(wide_input))
        for step in self.steps:
            x = step(gate_input, self.gate_state(x), wide_input, self.wide_state(x))
        return x
