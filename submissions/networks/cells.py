"""LSTM and GRU layers for many networks at once: one network per symbol in one batched matrix product.

Layout: the time step first, then the network, the unit, and the example last, `(steps, networks, units, examples)`.
So the rows of one gate lie side by side, and a step of all networks is one batched product. Sequences are walked
by hand, forward and backward: `torch.nn.GRU` has no fused kernel on a CPU, `torch.nn.LSTM` knows one network at a
time, and autograd would keep every intermediate of every step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
"""`(d, y, grad_input=out)`: d y (1 - y), the gradient through y = sigmoid(a)."""
tanh_backward = torch.ops.aten.tanh_backward.grad_input
"""`(d, y, grad_input=out)`: d (1 - y^2), the gradient through y = tanh(a)."""


def tanh_of_sigmoid_(y: Tensor) -> Tensor:
    """Return tanh(a), in place of `y = sigmoid(2 a)`: it is 2 y - 1.

    On a CPU the kernel of the sigmoid is ten times as fast as that of the hyperbolic tangent.
    """
    return torch.add(y.new_tensor(-1.0), y, alpha=2.0, out=y)


def doubled(weight: Tensor, rows: slice) -> Tensor:
    """Return a copy with these rows doubled, so that their sigmoid leads to a tanh."""
    copy = weight.clone()
    copy[:, rows] *= 2.0
    return copy


class LstmSequence(Function):
    """One LSTM layer over a whole sequence, from a state of zero.

    Hochreiter and Schmidhuber (1997), Neural Computation 9, with the forget gate of Gers, Schmidhuber and Cummins
    (2000), Neural Computation 12. With z_t = (x_t, h_{t-1}) and the rows of W in the order i, f, o, g::

        i, f, o = sigmoid(W z_t + b),  g = tanh(W z_t + b)
        c_t = f c_{t-1} + i g,         h_t = o tanh(c_t)
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Return `h (T, S, H, B)` for `x (T, S, I, B)`, `weight (S, 4H, I + H)`, `bias (S, 4H)`."""
        n_steps, n_networks, n_inputs, n_examples = x.shape
        n_units = weight.shape[1] // 4
        joined = x.new_empty(n_steps + 1, n_networks, n_inputs + n_units, n_examples)
        joined[:-1, :, :n_inputs] = x
        joined[0, :, n_inputs:] = 0.0
        gates = x.new_empty(n_steps, n_networks, 4 * n_units, n_examples)
        cells = x.new_empty(n_steps + 1, n_networks, n_units, n_examples)
        cells[0] = 0.0
        squashed = torch.empty_like(cells[1:])
        last = slice(3 * n_units, None)
        scaled, shift = doubled(weight, last), doubled(bias, last).unsqueeze(-1)
        hidden = joined[1:, :, n_inputs:]
        for z, a, c, c_new, s, h in zip(joined, gates, cells, cells[1:], squashed, hidden, strict=False):
            torch.baddbmm(shift, scaled, z, out=a).sigmoid_()
            i, f, o, g = a.split(n_units, dim=1)
            tanh_of_sigmoid_(g)
            torch.mul(f, c, out=c_new).addcmul_(i, g)
            tanh_of_sigmoid_(torch.mul(c_new, 2.0, out=s).sigmoid_())
            torch.mul(o, s, out=h)
        ctx.save_for_backward(weight, joined, gates, cells, squashed)
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        """Return the gradients of x, weight and bias: the equations above, the last step first."""
        weight, joined, gates, cells, squashed = ctx.saved_tensors
        n_units = cells.shape[2]
        n_inputs = joined.shape[2] - n_units
        from_x = ctx.needs_input_grad[0]
        transposed = (weight if from_x else weight[:, :, n_inputs:]).mT.contiguous()
        d_weight, d_a, d_c = torch.zeros_like(weight), torch.empty_like(gates[0]), torch.zeros_like(cells[0])
        d_z = joined.new_empty(len(gates) + 1, len(weight), transposed.shape[1], joined.shape[-1])
        d_z[-1] = 0.0
        d_a_sum, d_h, scratch = torch.zeros_like(d_a), torch.empty_like(d_c), torch.empty_like(d_c)
        d_i, d_f, d_o, d_g = d_a.split(n_units, dim=1)
        d_open = d_a[:, : 3 * n_units]
        for t in reversed(range(len(gates))):
            a, c, s = gates[t], cells[t], squashed[t]
            i, f, o, g = a.split(n_units, dim=1)
            torch.add(grad[t], d_z[t + 1, :, -n_units:], out=d_h)
            torch.mul(d_h, s, out=d_o)
            d_c.add_(tanh_backward(d_h.mul_(o), s, grad_input=scratch))
            torch.mul(d_c, g, out=d_i)
            torch.mul(d_c, c, out=d_f)
            sigmoid_backward(d_open, a[:, : 3 * n_units], grad_input=d_open)
            tanh_backward(torch.mul(d_c, i, out=d_g), g, grad_input=d_g)
            d_c.mul_(f)
            d_weight.baddbmm_(d_a, joined[t].mT)
            d_a_sum.add_(d_a)
            torch.bmm(transposed, d_a, out=d_z[t])
        return d_z[:-1, :, :n_inputs] if from_x else None, d_weight, d_a_sum.sum(dim=-1)


class GruSequence(Function):
    """One GRU layer over a whole sequence, from a state of zero.

    Cho et al. (2014), arXiv:1406.1078, as PyTorch and cuDNN have it: the reset gate multiplies the product, so
    that a step needs one product for all gates::

        r, z = sigmoid(W x_t + b + U h_{t-1}),  n = tanh(W x_t + b + r (U h_{t-1} + b_n))
        h_t = (1 - z) n + z h_{t-1}

    Rows of W and b come in the order r, z, n, those of U in the order n, r, z: so what goes back through W and
    through U are two overlapping parts of one array.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, recurrent: Tensor, bias: Tensor, bias_n: Tensor) -> Tensor:
        """Return `h (T, S, H, B)` for `x (T, S, I, B)`, W `(S, 3H, I)`, U `(S, 3H, H)`, b `(S, 3H)`, b_n `(S, H)`."""
        n_steps, n_networks, _, n_examples = x.shape
        n_units = recurrent.shape[2]
        gates = x.new_empty(n_steps, n_networks, 3 * n_units, n_examples)
        hidden = x.new_empty(n_steps + 1, n_networks, n_units, n_examples)
        hidden[0] = 0.0
        inner = torch.empty_like(hidden[1:])
        last, first = slice(2 * n_units, None), slice(n_units)
        scaled, shift = doubled(weight, last), doubled(bias, last).unsqueeze(-1)
        scaled_u, shift_n = doubled(recurrent, first), 2.0 * bias_n.unsqueeze(-1)
        u = torch.empty_like(gates[0])
        u_n, u_open = u[:, :n_units], u[:, n_units:]
        for x_t, a, v, h, h_new in zip(x, gates, inner, hidden, hidden[1:], strict=False):
            torch.baddbmm(shift, scaled, x_t, out=a)
            torch.bmm(scaled_u, h, out=u)
            torch.add(u_n, shift_n, out=v)
            a[:, : 2 * n_units].add_(u_open).sigmoid_()
            r, z, n = a.split(n_units, dim=1)
            tanh_of_sigmoid_(n.addcmul_(r, v).sigmoid_())
            torch.lerp(n, h, z, out=h_new)
        ctx.save_for_backward(x, weight, recurrent, gates, hidden, inner)
        return hidden[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, Tensor, Tensor]:
        """Return the gradients of x, W, U, b and b_n: the equations above, the last step first."""
        x, weight, recurrent, gates, hidden, inner = ctx.saved_tensors
        n_units = recurrent.shape[2]
        d_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        transposed, transposed_u = weight.mT.contiguous(), recurrent.mT.contiguous()
        d_weight, d_recurrent, d_h = torch.zeros_like(weight), torch.zeros_like(recurrent), torch.zeros_like(hidden[0])
        d_all = x.new_empty(len(weight), 4 * n_units, x.shape[-1])
        d_sum, scratch = torch.zeros_like(d_all), torch.empty_like(d_h)
        d_v, d_r, d_z, d_n = d_all.split(n_units, dim=1)
        d_u, d_a, d_open = d_all[:, : 3 * n_units], d_all[:, n_units:], d_all[:, n_units : 3 * n_units]
        for t in reversed(range(len(gates))):
            a, h, v = gates[t], hidden[t], inner[t]
            r, z, n = a.split(n_units, dim=1)
            d_h.add_(grad[t])
            torch.mul(d_h, torch.sub(h, n, out=scratch), out=d_z)
            torch.mul(d_h, z, out=scratch)
            tanh_backward(torch.sub(d_h, scratch, out=d_n), n, grad_input=d_n)
            torch.mul(d_n, r, out=d_v)
            torch.mul(d_n, v, out=d_r).mul_(0.5)  # v is the doubled one
            sigmoid_backward(d_open, a[:, : 2 * n_units], grad_input=d_open)
            d_weight.baddbmm_(d_a, x[t].mT)
            d_recurrent.baddbmm_(d_u, h.mT)
            d_sum.add_(d_all)
            torch.baddbmm(scratch, transposed_u, d_u, out=d_h)
            if d_x is not None:
                torch.bmm(transposed, d_a, out=d_x[t])
        d_bias = d_sum.sum(dim=-1)
        return d_x, d_weight, d_recurrent, d_bias[:, n_units:], d_bias[:, :n_units]


def dropout(x: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Return x with a share `rate` of its values set to zero, the others scaled up: Srivastava et al. (2014), JMLR 15.

    A draw is 16 bits, four of them from one integer: PyTorch's own Bernoulli draws one by one, ten times as slow.
    """
    levels = 2**16
    kept = levels - round(rate * levels)
    bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device)
    bits.random_(torch.iinfo(torch.int64).min, None, generator=generator)
    mask = bits.view(torch.int16)[: x.numel()].view(x.shape) < kept - levels // 2
    return x * mask.to(x.dtype).mul_(levels / kept)
