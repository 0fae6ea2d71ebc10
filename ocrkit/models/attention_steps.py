"""The attention decoder's steps, and their backward pass, written by hand.

Autograd adds a gradient as large as the weight to each weight's in every step; here each weight's
gradient is one product over all steps.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Weights(NamedTuple):
    """What the steps multiply with, doubled as tanh z = 2 sigmoid(2 z) - 1.

    state: [W_hh; 2 W_h], (5 * hidden, hidden); context: the LSTM's W_ih for the context,
    (4 * hidden, inputs); bias: 2 b of the query, (hidden,); score: 2 w, (hidden,).
    """

    state: Tensor
    context: Tensor
    bias: Tensor
    score: Tensor


class Step(NamedTuple):
    """All that one step makes.

    energy: sigmoid(2 (W_i H + W_h h + b)), (B, T, hidden); alpha: (B, T); context: (B, inputs);
    gates: i, f, g, o after sigmoid and tanh; they, c, tanh_c and h: (B, hidden).
    """

    energy: Tensor
    alpha: Tensor
    context: Tensor
    gates: tuple[Tensor, Tensor, Tensor, Tensor]
    c: Tensor
    tanh_c: Tensor
    h: Tensor


def attention_step(
    frames: Tensor, keys: Tensor, characters: Tensor, h: Tensor, c: Tensor, weights: Weights
) -> Step:
    """One step of the decoder.

    frames H (B, T, inputs); keys 2 W_i H (B, T, hidden); characters: the previous character's part
    of the gates (B, 4 * hidden); h, c (B, hidden): the state before.
    """
    hidden = h.shape[1]
    from_state, query = (h @ weights.state.T).split([4 * hidden, hidden], dim=1)
    # e = w . tanh(W_i H + W_h h + b) = 2 w . sigmoid(...) - sum(w). The sum is the same for every
    # frame, and softmax over frames does not see it. On a processor torch's sigmoid takes a tenth
    # of the time of its tanh.
    energy = (keys + (query + weights.bias).unsqueeze(1)).sigmoid_()
    # alpha = softmax(e) over T; context = alpha H
    alpha = torch.softmax(energy @ weights.score, dim=1)
    context = torch.bmm(alpha.unsqueeze(1), frames).squeeze(1)
    gates = torch.addmm(characters + from_state, context, weights.context.T)
    i, f, _, o = gates.sigmoid().chunk(4, dim=1)
    g = gates.chunk(4, dim=1)[2].tanh()
    c = torch.addcmul(i * g, f, c)
    tanh_c = c.tanh()
    return Step(energy, alpha, context, (i, f, g, o), c, tanh_c, o * tanh_c)


def forced_states(
    frames: Tensor, keys: Tensor, characters: Tensor, weights: Weights
) -> tuple[Tensor, Tensor]:
    """Teacher forcing: characters (B, steps, 4 * hidden) -> states h (B, steps, hidden) and the
    attention alpha (B, steps, T). Both pass gradients back.
    """
    return _TeacherForcing.apply(frames, keys, characters, *weights)


class _TeacherForcing(torch.autograd.Function):
    """All steps, and their gradients. In the comments d is the loss's gradient of what follows."""

    @staticmethod
    def forward(
        ctx: Any, frames: Tensor, keys: Tensor, characters: Tensor, *weights: Any
    ) -> tuple[Tensor, Tensor]:
        h = c = frames.new_zeros(len(frames), keys.shape[2])
        steps: list[Step] = []
        for row in characters.unbind(1):
            steps.append(attention_step(frames, keys, row, h, c, Weights(*weights)))
            h, c = steps[-1].h, steps[-1].c
        h = torch.stack([step.h for step in steps], dim=1)
        small = [torch.stack([getattr(step, name) for step in steps]) for name in _SMALL]
        gates = torch.stack([torch.stack(step.gates) for step in steps])
        ctx.save_for_backward(frames, h, gates, *small, *weights, *(step.energy for step in steps))
        return h, small[0].transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_h: Tensor, of_alpha: Tensor) -> tuple[Tensor, ...]:
        frames, h, gates, alpha, context, c, tanh_c, *rest = ctx.saved_tensors
        weights, energies = Weights(*rest[:4]), rest[4:]
        steps, batch, hidden = c.shape
        # What the state's gradients are multiplied with on their way to the gates: all steps' at
        # once. c = f c' + i g; h = o tanh(c).
        i, f, g, o = gates.unbind(1)
        before = torch.cat([c.new_zeros(1, batch, hidden), c[:-1]])
        of_c = torch.stack([g * i * (1 - i), before * f * (1 - f), i * (1 - g * g)], dim=2)
        of_o, through_c = tanh_c * o * (1 - o), o * (1 - tanh_c * tanh_c)

        d_state = frames.new_empty(steps, batch, 5, hidden)  # of the gates and of the query
        d_context = torch.empty_like(context)
        d_e = torch.empty_like(alpha)
        d_keys, d_score = torch.zeros_like(energies[0]), torch.zeros_like(weights.score)
        from_h = from_c = torch.zeros_like(c[0])  # from the step behind
        with torch.autocast(frames.device.type, enabled=False):
            for t in reversed(range(steps)):
                d = d_h[:, t] + from_h
                d_c = torch.addcmul(from_c, d, through_c[t])
                from_c = d_c * f[t]
                torch.mul(d_c.unsqueeze(1), of_c[t], out=d_state[t, :, :3])
                torch.mul(d, of_o[t], out=d_state[t, :, 3])
                torch.mm(d_state[t, :, :4].flatten(1), weights.context, out=d_context[t])
                # The row on the left: the other way round takes a kernel 13 times as slow.
                d_alpha = torch.bmm(d_context[t].unsqueeze(1), frames.mT).squeeze(1)
                d_alpha += of_alpha[:, t]
                weighed = alpha[t] * d_alpha
                torch.sub(weighed, alpha[t] * weighed.sum(1, keepdim=True), out=d_e[t])
                d_score.addmv_(energies[t].flatten(0, 1).T, d_e[t].flatten())
                slope = torch.addcmul(energies[t], energies[t], energies[t], value=-1)
                d_keys.addcmul_(slope, d_e[t].unsqueeze(2))
                summed = torch.bmm(d_e[t].unsqueeze(1), slope).squeeze(1)
                torch.mul(summed, weights.score, out=d_state[t, :, 4])
                from_h = d_state[t].flatten(1) @ weights.state

            d_state = d_state.flatten(2)
            d_gates = d_state[..., : 4 * hidden]
            earlier = torch.cat([h.new_zeros(batch, 1, hidden), h[:, :-1]], dim=1).transpose(0, 1)
            return (
                torch.bmm(alpha.permute(1, 2, 0), d_context.transpose(0, 1)),  # frames
                d_keys * weights.score,
                d_gates.transpose(0, 1),  # characters
                d_state.flatten(0, 1).T @ earlier.flatten(0, 1),  # the four weights
                d_gates.flatten(0, 1).T @ context.flatten(0, 1),
                d_state[..., 4 * hidden :].sum((0, 1)),
                d_score,
            )


_SMALL = ("alpha", "context", "c", "tanh_c")  # of a Step: what is stacked for the backward pass
