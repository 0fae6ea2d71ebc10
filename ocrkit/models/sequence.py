"""Sequence modelling: let every frame know its neighbours, left and right."""

from collections.abc import Callable

from torch import Tensor, nn

from ocrkit.models.mixing import svtr, transformer


class BiLSTM(nn.Module):
    """An LSTM each way, then a projection: (B, T, inputs) -> (B, T, hidden).

    Graves et al., "Speech Recognition with Deep Recurrent Neural Networks" (ICASSP 2013).
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(inputs, hidden, bidirectional=True, batch_first=True)
        self.linear = nn.Linear(2 * hidden, hidden)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, inputs) -> (B, T, hidden)."""
        both_ways, _ = self.rnn(frames)
        return self.linear(both_ways)


def bilstm(inputs: int, hidden: int) -> nn.Sequential:
    """The two blocks of the framework: (B, T, inputs) -> (B, T, hidden)."""
    return nn.Sequential(BiLSTM(inputs, hidden), BiLSTM(hidden, hidden))


# By name: (inputs, hidden) -> a module from (B, T, inputs) to (B, T, hidden).
SEQUENCES: dict[str, Callable[[int, int], nn.Module]] = {
    "BiLSTM": bilstm,
    "Transformer": transformer,
    "SVTR": svtr,
}
