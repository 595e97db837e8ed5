"""Cells against PyTorch's own, parameter counts by formula, gradients, and the training loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from families import enter

torch = pytest.importorskip("torch")
FAMILY = "networks"
enter(Path(__file__).parents[2] / "submissions" / FAMILY)

from cells import GruSequence, LstmSequence, dropout  # noqa: E402 - a family's modules, from its folder
from features import Windows  # noqa: E402
from losses import LOSSES  # noqa: E402
from mixer import Mixer  # noqa: E402
from recurrent import Recurrent  # noqa: E402
from training import Curve, Examples, Settings, evaluate, fast_products, train  # noqa: E402

STEPS, NETWORKS, INPUTS, UNITS, N = 20, 3, 16, 64, 32


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def recurrent(cell="lstm", n_networks=NETWORKS, n_inputs=INPUTS, units=UNITS, layers=2, rate=0.0, attention=False):
    draws = [np.random.default_rng(seed) for seed in range(n_networks)]
    return Recurrent(cell, STEPS, n_inputs, units, layers, rate, attention, draws, generator())


def plain(networks, k):
    """PyTorch's own network with the weights of the k-th one."""
    kind = torch.nn.LSTM if networks.cell == "lstm" else torch.nn.GRU
    own = kind(INPUTS, UNITS, networks.n_layers)
    states = {name: value[k] for name, value in networks.states().items()}
    for layer in range(networks.n_layers):
        n_in = UNITS if layer else INPUTS
        zeros = torch.zeros(2 * UNITS)
        if networks.cell == "lstm":  # ours has rows i f o g, PyTorch's i f g o
            i, f, o, g = states[f"weight_{layer}"].split(UNITS)
            weight = torch.cat([i, f, g, o])
            i, f, o, g = states[f"bias_{layer}"].split(UNITS)
            parts = weight[:, :n_in], weight[:, n_in:], torch.cat([i, f, g, o]), torch.zeros(4 * UNITS)
        else:  # ours has the recurrent rows n r z, PyTorch's r z n
            n, rz = states[f"recurrent_{layer}"].split([UNITS, 2 * UNITS])
            parts = (
                states[f"weight_{layer}"], torch.cat([rz, n]), states[f"bias_{layer}"],
                torch.cat([zeros, states[f"bias_n_{layer}"]]),
            )  # fmt: skip
        for name, value in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), parts, strict=True):
            getattr(own, f"{name}_l{layer}").data = value.clone()
    return own


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_networks_side_by_side_equal_pytorch(cell):
    networks, windows = recurrent(cell), torch.randn(STEPS, NETWORKS, INPUTS, N, generator=generator())
    with fast_products():
        hidden = networks.hidden(windows)
        networks(windows).square().sum().backward()
    for k in range(NETWORKS):
        own, x = plain(networks, k), windows[:, k].mT.contiguous().requires_grad_()
        theirs = own(x)[0]
        torch.testing.assert_close(hidden[:, k].mT, theirs, atol=1e-5, rtol=0)
        (theirs[-1] @ networks.head[k].T + networks.head_bias[k]).square().sum().backward()
        first = networks.weight_0.grad[k]
        gradient = own.weight_ih_l0.grad
        if cell == "lstm":
            i, f, g, o = gradient.split(UNITS)
            gradient, first = torch.cat([i, f, o, g]), first[:, :INPUTS]
        torch.testing.assert_close(first, gradient, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_bfloat16_rounds_and_changes_nothing_else(cell):
    windows = torch.randn(STEPS, NETWORKS, INPUTS, N, generator=generator())
    said, gradients = {}, {}
    for precision in (torch.float32, torch.bfloat16):
        draws = [np.random.default_rng(seed) for seed in range(NETWORKS)]
        networks = Recurrent(cell, STEPS, INPUTS, UNITS, 2, 0.0, False, draws, generator(), precision)
        out = networks(windows)
        out.square().sum().backward()
        said[precision], gradients[precision] = out.detach(), networks.weight_0.grad
        assert out.dtype == networks.weight_0.dtype == networks.weight_0.grad.dtype == torch.float32
    gap = (said[torch.bfloat16] - said[torch.float32]).abs().max()
    assert 0 < gap < 0.02
    close = torch.nn.functional.cosine_similarity(*(each.flatten() for each in gradients.values()), dim=0)
    assert 0.999 < close < 1.0


@pytest.mark.parametrize(("cell", "shapes"), [
    (LstmSequence, [(2, 12, 5), (2, 12)]),
    (GruSequence, [(2, 9, 2), (2, 9, 3), (2, 9), (2, 3)]),
])  # fmt: skip
def test_gradients_by_differences(cell, shapes):
    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=draws).requires_grad_()

    draws = generator()
    assert torch.autograd.gradcheck(cell.apply, (draw(4, 2, 2, 3), *(draw(*shape) for shape in shapes)))


def test_parameter_counts_by_formula():
    def count(networks):
        return sum(parameter.numel() for parameter in networks.parameters())

    h, i = UNITS, INPUTS
    lstm = 4 * (h * (i + h) + h) + 4 * (h * 2 * h + h)
    gru = 3 * (h * (i + h) + h) + h + 3 * (h * 2 * h + h) + h
    assert count(recurrent("lstm")) == NETWORKS * (lstm + h + 1)
    assert count(recurrent("gru")) == NETWORKS * (gru + h + 1)
    assert count(recurrent(attention=True)) - count(recurrent()) == NETWORKS * (h * h + 2 * h + STEPS)
    length, c, width, blocks = 20, 6, 32, 2
    block = 2 * 2 * length * c + length * (length + 1) + width * (c + 1) + c * (width + 1)
    mixer = Mixer(length, c, width, blocks, 0.1, generator(), generator())
    assert count(mixer) == blocks * block + (length + 1) + (c + 1)


@pytest.mark.parametrize("make", [
    lambda: recurrent("lstm", rate=0.2), lambda: recurrent("gru", rate=0.2), lambda: recurrent(attention=True),
    lambda: Mixer(STEPS, INPUTS, 8, 2, 0.1, generator(), generator()),
])  # fmt: skip
def test_every_parameter_gets_a_gradient(make):
    networks = make()
    n_networks = 1 if isinstance(networks, Mixer) else NETWORKS
    said = networks(torch.randn(STEPS, n_networks, INPUTS, N, generator=generator()))
    assert said.shape == (n_networks, N)
    said.square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in networks.parameters())


def test_the_mixer_normalises_every_cell_and_adds_to_its_input():
    mixer = Mixer(4, 3, 5, 1, 0.0, generator(), generator())
    block, x = mixer.blocks[0].train(), torch.randn(50, 3, 4, generator=generator())
    for linear in (block.mix_time, block.narrow):
        torch.nn.init.zeros_(linear.weight)
    torch.testing.assert_close(block(x), x)
    mean = block.norm_time.running_mean.view(3, 4) / block.norm_time.momentum
    torch.testing.assert_close(mean, x.mean(dim=0), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5])
def test_dropout_keeps_its_share_and_the_mean(rate):
    x = torch.ones(301, 333)
    dropped = dropout(x, rate, generator())
    assert (dropped == 0).float().mean().item() == pytest.approx(rate, abs=0.005)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.01)
    assert torch.equal(dropped, dropout(x, rate, generator()))


def problem(n_networks=2, n_sessions=120):
    """Windows whose last row says what the target is, and examples of the first and of the last rows."""
    rng = np.random.default_rng(5)
    values = rng.standard_normal((n_sessions, n_networks, 2))
    windows = Windows.of(values, 5, torch.device("cpu"))

    def examples(first, last):
        rows = torch.arange(first, last).expand(n_networks, -1)
        symbols = torch.arange(n_networks)[:, None].expand_as(rows)
        targets = torch.from_numpy(np.exp(values[first:last, :, 0].T)).float()[..., None]
        return Examples(symbols, rows, torch.zeros(rows.shape), targets)

    return windows, examples(4, 84), examples(84, n_sessions)


def trained(networks, problem, orders=(0, 1), tell=lambda *facts: None, **settings):
    draws = [np.random.default_rng(seed) for seed in orders]
    return train(networks, *problem, LOSSES["qlike"], Settings(**settings), draws, tell)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_tiny_sample_is_learnt_by_heart(cell):
    windows, fit, _ = problem()
    networks = recurrent(cell, n_networks=2, n_inputs=2, units=16)
    before = evaluate(networks, windows, fit, LOSSES["qlike"])
    curves = trained(networks, (windows, fit, fit), batch=20, rate=0.01, max_epochs=60, patience=60)
    after = evaluate(networks, windows, fit, LOSSES["qlike"])
    assert (before > 0.3).all()
    assert (after < 0.02).all()
    assert all(curve.select[curve.best_epoch - 1] == min(curve.select) for curve in curves)


def test_early_stopping_restores_the_best_weights_of_each_network():
    windows, fit, select = problem()
    networks = recurrent(n_networks=2, n_inputs=2, units=8)
    told = []
    curves = trained(
        networks, (windows, fit, select), batch=20, rate=0.03, patience=3, max_epochs=200,
        tell=lambda epoch, running, curves: told.append((epoch, list(running))),
    )  # fmt: skip
    kept = evaluate(networks, windows, select, LOSSES["qlike"])
    for curve, loss in zip(curves, kept.tolist(), strict=True):
        assert loss == pytest.approx(min(curve.select), rel=1e-5)
        assert len(curve.select) == curve.best_epoch + 3 < 200
    assert told[-1][1] == []
    assert len({len(curve.select) for curve in curves}) == 2, "they should stop at different epochs here"


def test_networks_learn_alone_what_they_learn_side_by_side():
    windows, fit, select = problem()
    both = recurrent(n_networks=2, n_inputs=2, units=8)
    curves = trained(both, (windows, fit, select), batch=20, rate=0.03, patience=3)
    apart = recurrent(n_networks=2, n_inputs=2, units=8)
    alone = trained(apart, (windows, fit, select), batch=20, rate=0.03, patience=3, together=1)
    for a, b in zip(curves, alone, strict=True):
        np.testing.assert_allclose(a.select, b.select, rtol=1e-3)
    for name, state in both.states().items():
        torch.testing.assert_close(state, apart.states()[name], rtol=1e-2, atol=1e-3)


def test_a_mixer_is_trained_by_the_same_loop():
    windows, fit, select = problem(n_networks=1)
    mixer = Mixer(5, 2, 8, 1, 0.0, generator(), generator())
    curves = trained(mixer, (windows, fit, select), orders=(0,), batch=16, rate=0.01, decay=0.9, weight_decay=0.01)
    assert min(curves[0].select) < 0.5 * curves[0].select[0]
    kept = evaluate(mixer, windows, select, LOSSES["qlike"])
    assert kept.item() == pytest.approx(min(curves[0].select), rel=1e-5)


def test_what_a_curve_says():
    assert Curve([1.0, 1.0], [0.5, 0.4]).best_epoch == 2
    assert Curve([1.0, 1.0], [0.5, 0.4]).problem is None
    assert "epoch 1" in Curve([1.0, 1.0], [0.4, 0.5]).problem
    lost = Curve([float("nan")] * 2, [float("nan")] * 2)
    assert (lost.best_epoch, lost.waited) == (0, 2)
    assert "not finite" in lost.problem


def test_fast_products_are_a_setting_for_a_while():
    before = torch.get_float32_matmul_precision()
    with fast_products():
        assert torch.get_float32_matmul_precision() == "medium"
    assert torch.get_float32_matmul_precision() == before
