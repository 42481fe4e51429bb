"""Solvers against exact solutions, against torchdiffeq and against each other."""

import math
import sys

import pytest
import torch
import torchdiffeq
from torch import nn

from geozoo.ode import ADAPTIVE, FIXED, check_solver, odeint, odeint_states

#: Convergence order of the fixed-step solvers.
ORDERS = {"euler": 1, "midpoint": 2, "heun2": 2, "heun3": 3, "rk4": 4}


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Pendulum(nn.Module):
    """A driven, damped pendulum: neither linear nor autonomous."""

    def __init__(self):
        super().__init__()
        self.damping = nn.Parameter(torch.tensor(0.3, dtype=torch.float64))

    def forward(self, t, y):
        angle, speed = y[..., 0], y[..., 1]
        pull = torch.sin(2 * t) - torch.sin(angle) - self.damping * speed
        return torch.stack([speed, pull], -1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("times", [[0.0, 0.1, 0.35, 1.0], [1.0, 0.3, -0.2], [2.0]])
def test_euler_equals_torchdiffeq_bit_for_bit(times, dtype):
    func, y0 = Pendulum().to(dtype), random(3, 2).to(dtype)
    moments = torch.tensor(times, dtype=dtype)
    expected = torchdiffeq.odeint(func, y0, moments, method="euler")
    assert torch.equal(odeint(func, y0, moments), expected)
    assert torch.equal(torch.stack(odeint_states(func, y0, moments)), expected)
    if dtype == torch.float64:
        assert torch.equal(odeint(func, y0, times), expected)


def test_unit_steps_equal_torchdiffeq():
    func, y0 = Pendulum(), random(3, 2)
    times = torch.arange(4, dtype=torch.float64)
    expected = torchdiffeq.odeint(func, y0, times, method="euler")
    assert torch.equal(odeint(func, y0, (0, 1, 2, 3)), expected)


@pytest.mark.parametrize("end", [1.0, -1.0])
@pytest.mark.parametrize("solver", [*FIXED, *ADAPTIVE])
def test_exact_solution_in_both_directions(solver, end):
    # y' = -2 t y has the solution exp(-t^2).
    start = 0.25 * end
    times = torch.linspace(start, end, 401 if solver in FIXED else 3, dtype=torch.float64)
    y0 = torch.tensor([math.exp(-start * start)], dtype=torch.float64)
    found = odeint(lambda t, y: -2 * t * y, y0, times, solver=solver, rtol=1e-7, atol=1e-7)
    assert found.shape == (len(times), 1)
    allowed = 2e-3 if solver == "euler" else 1e-4
    torch.testing.assert_close(found[:, 0], torch.exp(-times * times), atol=allowed, rtol=0)


@pytest.mark.parametrize("adjoint", [False, True])
def test_tolerances_have_small_defaults_and_can_be_set(adjoint):
    func, y0 = Pendulum(), random(3, 2)
    times = torch.tensor([0.0, 3.0], dtype=torch.float64)

    def end(**options):
        return odeint(func, y0, times, solver="dopri5", adjoint=adjoint, **options)[-1].detach()

    exact = end(rtol=1e-12, atol=1e-12)
    assert 0 < (end() - exact).abs().max() < 1e-4
    loose = end(rtol=1e-2, atol=1e-2)
    for options in ({"rtol": 1e-12}, {"atol": 1e-12}):
        assert not torch.equal(end(**options), end())
    assert (loose - exact).abs().max() > 1e-5


@pytest.mark.parametrize(("solver", "order"), ORDERS.items())
def test_convergence_order(solver, order):
    def error(steps):
        times = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        y0 = torch.ones(1, dtype=torch.float64)
        last = odeint(lambda t, y: -y * y * torch.cos(t), y0, times, solver=solver)[-1]
        return float((last - 1 / (1 + math.sin(1))).abs())

    assert math.log2(error(32) / error(64)) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("solver", ["euler", "rk4"])
def test_gradients(solver):
    func = Pendulum()

    def solve(y0, damping):
        state = lambda t, y: torch.func.functional_call(func, {"damping": damping}, (t, y))  # noqa: E731
        return odeint(state, y0, (0.0, 0.3, 0.7), solver=solver)

    values = (random(2, 2).requires_grad_(), func.damping)
    assert torch.autograd.gradcheck(solve, values)
    assert torch.autograd.gradgradcheck(solve, values)


def gradients(y0, func, **options):
    times = torch.linspace(0, 1, 101, dtype=torch.float64)
    loss = odeint(func, y0, times, **options)[1:].square().mean()
    return torch.autograd.grad(loss, [y0, *func.parameters()])


@pytest.mark.parametrize(("solver", "allowed"), [("euler", 2e-2), ("rk4", 1e-7), ("dopri5", 1e-6)])
def test_adjoint_gradients_are_close(solver, allowed):
    y0 = random(3, 2).requires_grad_()
    options = {"solver": solver, "rtol": 1e-10, "atol": 1e-10}
    direct = gradients(y0, Pendulum(), **options)
    for found, expected in zip(
        gradients(y0, Pendulum(), adjoint=True, **options), direct, strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=allowed, atol=allowed)


def test_adjoint_gradients_of_adjoint_params():
    weight = random(2, 2).requires_grad_()
    y0 = random(3, 2)
    derived = weight.tanh()  # not a leaf, like values that layers compute once for all steps

    def last(adjoint):
        options = {"adjoint": adjoint, "adjoint_params": (derived,), "solver": "rk4"}
        states = odeint(lambda t, y: y @ derived, y0, (0.0, 0.5, 1.0), **options)
        return torch.autograd.grad(states[-1].sum(), weight, retain_graph=True)[0]

    torch.testing.assert_close(last(True), last(False), rtol=1e-2, atol=1e-2)


def test_invalid_input_raises():
    y0 = torch.ones(1)
    with pytest.raises(ValueError, match="solver must be one of euler.*got 'leapfrog'"):
        odeint(lambda t, y: y, y0, (0.0, 1.0), solver="leapfrog")
    with pytest.raises(ValueError, match="solver must be one of"):
        check_solver("Euler")
    with pytest.raises(ValueError, match=r"times must have shape \(S,\), got \(1, 2\)"):
        odeint(lambda t, y: y, y0, torch.zeros(1, 2))
    with pytest.raises(ValueError, match="times must contain at least"):
        odeint(lambda t, y: y, y0, ())
    with pytest.raises(ValueError, match="adjoint_params must be given"):
        odeint(lambda t, y: y, y0, (0.0, 1.0), adjoint=True)


@pytest.mark.parametrize("adjoint", [False, True])
@pytest.mark.parametrize("solver", ["euler", "rk4", "dopri5"])
@pytest.mark.parametrize(
    "times", [(0, 1, 2), range(3), torch.arange(3), torch.arange(3, dtype=torch.int32), [2, 1, 0]]
)
def test_integer_times(solver, adjoint, times):
    func, y0 = Pendulum(), random(3, 2)
    floats = [float(time) for time in times]
    options = {"solver": solver, "adjoint": adjoint}
    found = odeint(func, y0, times, **options)
    assert torch.equal(found, odeint(func, y0, torch.tensor(floats).double(), **options))


@pytest.mark.parametrize("solver", ["euler", "rk4", "dopri5", "adaptive_heun"])
@pytest.mark.parametrize("make", [tuple, torch.tensor])
@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0.0, 1.0, 1.0], "strictly increasing or decreasing, got 0, 1, 1"),
        ([0, 1, 1], "strictly increasing or decreasing"),
        ([0.0, 2.0, 1.0], "strictly increasing or decreasing"),
        ([1.0, 1.0], "strictly increasing or decreasing"),
        ([0.0, math.nan], "times must be finite"),
        ([0.0, math.inf], "times must be finite"),
    ],
)
def test_invalid_times_raise_for_all_solvers(solver, make, times, message):
    with pytest.raises(ValueError, match=message):
        odeint(lambda t, y: y, torch.ones(1), make(times), solver=solver)


@pytest.mark.parametrize("times", [torch.tensor([True, False]), torch.zeros(2) * 1j, ["a", "b"]])
def test_times_that_are_not_real_numbers_raise(times):
    with pytest.raises(TypeError, match="times must be"):
        odeint(lambda t, y: y, torch.ones(1), times)


@pytest.mark.parametrize("make", [tuple, torch.tensor])
@pytest.mark.parametrize("solver", ["euler", "rk4", "midpoint"])
def test_times_are_not_rounded_to_the_precision_of_the_state(solver, make):
    """300.25 and 301.25 are 300 and 302 in bfloat16."""
    seen = []

    def func(t, y):
        seen.append(t.detach())
        return torch.ones_like(y)

    y0 = torch.zeros(3, dtype=torch.bfloat16)
    found = odeint(func, y0, make([300.25, 301.25, 301.75]), solver=solver)
    assert found.dtype == torch.bfloat16
    assert found[:, 0].tolist() == [0.0, 1.0, 1.5]
    assert all(t.dtype == torch.float32 for t in seen)
    assert float(seen[0]) == 300.25


def test_missing_torchdiffeq_raises_except_for_euler(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    assert odeint(lambda t, y: y, torch.ones(1), (0.0, 1.0))[-1] == 2
    with pytest.raises(ImportError, match="solver='rk4' with adjoint=False requires torchdiffeq"):
        odeint(lambda t, y: y, torch.ones(1), (0.0, 1.0), solver="rk4")


def test_default_tolerances_and_no_adjoint():
    y0 = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    states = odeint_states(lambda t, y: -y, y0, (0.0, 1.0), solver="dopri5")
    assert abs(float(states[-1].detach()) - 0.36787944117144233) < 1e-5
    assert len(odeint_states(lambda t, y: -y, y0, (0.0, 1.0))) == 2  # an adjoint needs its tensors
