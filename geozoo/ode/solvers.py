"""Explicit Euler steps of our own, every other solver through torchdiffeq."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

#: Solvers that take one step between two neighbouring times.
FIXED = (
    "euler", "midpoint", "heun2", "heun3", "rk4", "explicit_adams", "implicit_adams",
)  # fmt: skip
#: Solvers that choose their steps by ``rtol`` and ``atol``.
ADAPTIVE = ("dopri5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun")

Times = Float[Tensor, " S"] | Sequence[float]
Derivative = Callable[[Tensor, Tensor], Tensor]


def odeint(
    func: Derivative,
    y0: Float[Tensor, "*shape"],
    times: Times,
    *,
    solver: str = "euler",
    adjoint: bool = False,
    rtol: float = 1e-6,
    atol: float = 1e-6,
    adjoint_params: Iterable[Tensor] | None = None,
) -> Float[Tensor, "S ..."]:
    r"""Solve :math:`dy/dt = f(t, y)` from ``y0`` at the first time.

    Args:
        func: called with a time (a scalar tensor) and a state; returns the derivative.
        y0: state at ``times[0]``.
        times: S finite times, strictly increasing or decreasing, at least one. A tensor's
            differences are taken in its own dtype, those of a sequence of numbers in double
            precision. Whole numbers are converted. ``func`` is given times in at least float32,
            whatever the precision of ``y0``.
        solver: a name of `FIXED` or `ADAPTIVE`. ``"euler"`` is unrolled here, with the times as
            grid, and equals torchdiffeq bit for bit; the others are torchdiffeq's. The step of an
            adaptive solver follows the error of the whole state: samples of a batch then depend on
            each other within the tolerances.
        adjoint: compute gradients by solving the adjoint equation backwards, in memory that does
            not grow with the number of steps. The gradients are those of the equation, not of the
            steps taken: they differ by the discretisation error.
        rtol: relative tolerance of the adaptive solvers.
        atol: absolute tolerance of the adaptive solvers.
        adjoint_params: for ``adjoint``, the tensors beside ``y0`` that the derivative depends on
            and that need a gradient; None: the parameters of ``func``, then a module.

    Returns:
        The states at all times, the first being ``y0``.

    Raises:
        TypeError: for times that are no real numbers.
        ValueError: for an unknown solver, times of a wrong shape or number, repeated, unordered or
            not finite; or ``adjoint`` with a function that is no module and without
            ``adjoint_params``.
        ImportError: if torchdiffeq is needed and missing.

    Reference:
        R. T. Q. Chen, Y. Rubanova, J. Bettencourt, D. Duvenaud, Neural Ordinary Differential
        Equations, NeurIPS 2018.

    >>> odeint(lambda t, y: -y, torch.ones(1), (0.0, 0.5, 1.0))
    tensor([[1.0000],
            [0.5000],
            [0.2500]])
    """
    states = odeint_states(
        func, y0, times, solver=solver, adjoint=adjoint, rtol=rtol, atol=atol,
        adjoint_params=adjoint_params,
    )  # fmt: skip
    return torch.stack(states)


def odeint_states(
    func: Derivative,
    y0: Float[Tensor, "*shape"],
    times: Times,
    *,
    solver: str = "euler",
    adjoint: bool = False,
    rtol: float = 1e-6,
    atol: float = 1e-6,
    adjoint_params: Iterable[Tensor] | None = None,
) -> tuple[Float[Tensor, "*shape"], ...]:
    """Return what `odeint` does, one tensor a time: no copy into one tensor is made.

    Arguments and errors are those of `odeint`.
    """
    check_solver(solver)
    times = _checked_times(times, y0)
    if solver == "euler" and not adjoint:
        return _euler(func, y0, times)
    states = _torchdiffeq(func, y0, times, solver, adjoint, adjoint_params, rtol=rtol, atol=atol)
    return states.unbind(0)


@dataclasses.dataclass(frozen=True)
class Integrator:
    """Choice of a solver, as the layers take it; the fields are arguments of `odeint`.

    Raises:
        ValueError: for an unknown solver or tolerances that are not positive.

    >>> Integrator("euler").states(lambda t, y: -y, torch.ones(1), (0.0, 0.25))[-1]
    tensor([0.7500])
    """

    solver: str = "euler"
    adjoint: bool = False
    rtol: float = 1e-6
    atol: float = 1e-6

    def __post_init__(self) -> None:
        check_solver(self.solver)
        for name in ("rtol", "atol"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)!r}")

    @property
    def unrolled(self) -> bool:
        """Whether every state is one plain Euler step from the one before."""
        return self.solver == "euler" and not self.adjoint

    def states(
        self,
        func: Derivative,
        y0: Float[Tensor, "*shape"],
        times: Times,
        adjoint_params: Iterable[Tensor] | None = None,
    ) -> tuple[Float[Tensor, "*shape"], ...]:
        """Return `odeint_states` with this choice."""
        return odeint_states(
            func, y0, times, solver=self.solver, adjoint=self.adjoint, rtol=self.rtol,
            atol=self.atol, adjoint_params=adjoint_params,
        )  # fmt: skip


def check_solver(solver: str) -> None:
    """Check the name of a solver, without loading anything.

    Raises:
        ValueError: if there is no such solver.
    """
    if solver not in (*FIXED, *ADAPTIVE):
        raise ValueError(f"solver must be one of {', '.join((*FIXED, *ADAPTIVE))}, got {solver!r}")


def _checked_times(times: Times, y0: Tensor) -> Tensor | tuple[float, ...]:
    """The times for any solver: a tensor in at least float32, or a tuple of numbers."""
    if not isinstance(times, Tensor):
        try:
            numbers = tuple(float(time) for time in times)
        except (TypeError, ValueError) as error:
            raise TypeError(f"times must be a tensor or numbers: {error}") from error
        _check_order(numbers)
        return numbers
    if times.dim() != 1:
        raise ValueError(f"times must have shape (S,), got {tuple(times.shape)}")
    if times.dtype == torch.bool or times.is_complex():
        raise TypeError(f"times must be real numbers, got {times.dtype}")
    if not torch.compiler.is_compiling():  # the values are not known there
        _check_order(times.tolist())
    if times.is_floating_point():
        return times.to(torch.promote_types(times.dtype, torch.float32))
    return times.to(_time_dtype(y0))


def _check_order(times: Sequence[float]) -> None:
    """In numbers of Python, not in a tensor that a program which is traced would have to know."""
    if not times:
        raise ValueError("times must hold at least the time of y0, got none")
    if not all(map(math.isfinite, times)):
        raise ValueError("times must be finite")
    rises = [end > start for start, end in pairwise(times)]
    falls = [end < start for start, end in pairwise(times)]
    if not all(rises) and not all(falls):
        shown = ", ".join(f"{time:g}" for time in times[:8])
        more = ", ..." if len(times) > 8 else ""
        raise ValueError(f"times must be strictly increasing or decreasing, got {shown}{more}")


def _time_dtype(y0: Tensor) -> torch.dtype:
    """Real and at least float32: bfloat16 would round the times, to whole numbers beyond 128."""
    real = y0.real.dtype if y0.is_complex() else y0.dtype
    return torch.promote_types(real, torch.float32)


def _euler(func: Derivative, y0: Tensor, times: Tensor | tuple[float, ...]) -> tuple[Tensor, ...]:
    states = [y0]
    dtype, device = _time_dtype(y0), y0.device
    for start, end in pairwise(times):
        step = end - start
        state = states[-1]
        moment = start
        if not isinstance(moment, Tensor):
            moment = torch.full((), start, dtype=dtype, device=device)
        change = func(moment, state)
        # A unit step, as the published models take, saves one pass over the state.
        unit = not isinstance(step, Tensor) and step == 1
        states.append(state + (change if unit else (step * change).to(change.dtype)))
    return tuple(states)


def _torchdiffeq(
    func: Derivative,
    y0: Tensor,
    times: Times,
    solver: str,
    adjoint: bool,
    adjoint_params: Iterable[Tensor] | None,
    **tolerances: float,
) -> Tensor:
    try:
        import torchdiffeq
    except ImportError as error:
        raise ImportError(
            f"solver={solver!r} with adjoint={adjoint} needs torchdiffeq: pip install torchdiffeq; "
            'solver="euler" with adjoint=False needs nothing'
        ) from error
    if not isinstance(times, Tensor):
        times = torch.tensor(times, dtype=_time_dtype(y0), device=y0.device)
    given, kept = func, y0.dtype
    if kept in (torch.float16, torch.bfloat16):
        # torchdiffeq rounds every time to the precision of the state before it calls a function.
        y0 = y0.float()

        def func(t: Tensor, y: Tensor) -> Tensor:
            return given(t, y.to(kept)).float()

    if not adjoint:
        return torchdiffeq.odeint(func, y0, times, method=solver, **tolerances).to(kept)
    if adjoint_params is None:
        if not isinstance(given, nn.Module):
            raise ValueError(
                "adjoint_params must be given where func is no module: the tensors that the "
                "derivative depends on"
            )
        adjoint_params = given.parameters()
    options: dict[str, Any] = {"adjoint_params": tuple(adjoint_params)}
    found = torchdiffeq.odeint_adjoint(func, y0, times, method=solver, **tolerances, **options)
    return found.to(kept)
