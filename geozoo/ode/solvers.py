"""ODE solvers: a native explicit Euler method, and all other solvers through torchdiffeq."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

#: Fixed-step solvers, which take one step between successive times.
FIXED = (
    "euler", "midpoint", "heun2", "heun3", "rk4", "explicit_adams", "implicit_adams",
)  # fmt: skip
#: Adaptive solvers, which choose their steps by ``rtol`` and ``atol``.
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
    r"""Solve :math:`dy/dt = f(t, y)` with initial state ``y0``.

    Args:
        func: called with a time (a scalar tensor) and a state; returns the derivative.
        y0: state at ``times[0]``.
        times: S finite times, strictly increasing or decreasing, at least one. Differences of a
            tensor are computed in its own dtype, those of a sequence of numbers in double
            precision. Integers are converted. ``func`` receives times in at least float32,
            whatever the precision of ``y0``.
        solver: a name from `FIXED` or `ADAPTIVE`. ``"euler"`` is unrolled natively, with the times
            as grid, and equals torchdiffeq bit for bit; the others use torchdiffeq. Adaptive
            solvers control the error of the whole state, so the samples of a batch depend on each
            other within the tolerances.
        adjoint: compute gradients by solving the adjoint equation backwards, with memory that is
            independent of the number of steps. The gradients are those of the continuous equation
            and differ from those of the discrete steps by the discretisation error.
        rtol: relative tolerance of the adaptive solvers.
        atol: absolute tolerance of the adaptive solvers.
        adjoint_params: for ``adjoint``, the tensors other than ``y0`` that the derivative depends
            on and that require gradients; None: the parameters of ``func``, which must be a module.

    Returns:
        The states at all times, starting with ``y0``.

    Raises:
        TypeError: If the times are not real numbers.
        ValueError: If the solver is unknown; the times are empty, not one-dimensional, not strictly
            monotonic or not finite; or ``adjoint`` is used without ``adjoint_params`` and ``func``
            is not a module.
        ImportError: If torchdiffeq is required but not installed.

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
    """Like `odeint`, but return one tensor per time, without stacking them.

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
    """Solver settings of a layer; the fields are arguments of `odeint`.

    Raises:
        ValueError: If the solver is unknown, or a tolerance is not positive.

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
        """Whether each state follows from the previous one by a plain Euler step."""
        return self.solver == "euler" and not self.adjoint

    def states(
        self,
        func: Derivative,
        y0: Float[Tensor, "*shape"],
        times: Times,
        adjoint_params: Iterable[Tensor] | None = None,
    ) -> tuple[Float[Tensor, "*shape"], ...]:
        """Call `odeint_states` with these settings."""
        return odeint_states(
            func, y0, times, solver=self.solver, adjoint=self.adjoint, rtol=self.rtol,
            atol=self.atol, adjoint_params=adjoint_params,
        )  # fmt: skip


def check_solver(solver: str) -> None:
    """Check the name of a solver, without importing torchdiffeq.

    Raises:
        ValueError: If the solver is unknown.
    """
    if solver not in (*FIXED, *ADAPTIVE):
        raise ValueError(f"solver must be one of {', '.join((*FIXED, *ADAPTIVE))}, got {solver!r}")


def _checked_times(times: Times, y0: Tensor) -> Tensor | tuple[float, ...]:
    """Validated times: a tensor in at least float32, or a tuple of numbers."""
    if not isinstance(times, Tensor):
        try:
            numbers = tuple(float(time) for time in times)
        except (TypeError, ValueError) as error:
            raise TypeError(f"times must be a tensor or a sequence of numbers: {error}") from error
        _check_order(numbers)
        return numbers
    if times.dim() != 1:
        raise ValueError(f"times must have shape (S,), got {tuple(times.shape)}")
    if times.dtype == torch.bool or times.is_complex():
        raise TypeError(f"times must be real numbers, got {times.dtype}")
    if not torch.compiler.is_compiling():  # values are unknown during compilation
        _check_order(times.tolist())
    if times.is_floating_point():
        return times.to(torch.promote_types(times.dtype, torch.float32))
    return times.to(_time_dtype(y0))


def _check_order(times: Sequence[float]) -> None:
    """Check the times as Python numbers: tensor comparisons would fail under tracing."""
    if not times:
        raise ValueError("times must contain at least the time of y0, got none")
    if not all(map(math.isfinite, times)):
        raise ValueError(f"times must be finite, got {_shown(times)}")
    rises = [end > start for start, end in pairwise(times)]
    falls = [end < start for start, end in pairwise(times)]
    if not all(rises) and not all(falls):
        raise ValueError(f"times must be strictly increasing or decreasing, got {_shown(times)}")


def _shown(times: Sequence[float]) -> str:
    """The first times, for an error message."""
    return ", ".join(f"{time:g}" for time in times[:8]) + (", ..." if len(times) > 8 else "")


def _time_dtype(y0: Tensor) -> torch.dtype:
    """Real and at least float32: bfloat16 rounds times above 128 to integers."""
    real = y0.real.dtype if y0.is_complex() else y0.dtype
    return torch.promote_types(real, torch.float32)


def _euler(func: Derivative, y0: Tensor, times: Tensor | tuple[float, ...]) -> tuple[Tensor, ...]:
    states = [y0]
    dtype, device = _time_dtype(y0), y0.device
    for start, end in pairwise(times):
        step = end - start
        state = states[-1]
        time = start
        if not isinstance(time, Tensor):
            time = torch.full((), start, dtype=dtype, device=device)
        change = func(time, state)
        # Skipping the multiplication for unit steps, as in published models, saves a memory pass.
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
            f"solver={solver!r} with adjoint={adjoint} requires torchdiffeq: pip install "
            'torchdiffeq; solver="euler" with adjoint=False does not'
        ) from error
    if not isinstance(times, Tensor):
        times = torch.tensor(times, dtype=_time_dtype(y0), device=y0.device)
    original, dtype = func, y0.dtype
    if dtype in (torch.float16, torch.bfloat16):
        # torchdiffeq rounds all times to the precision of the state before calling the function.
        y0 = y0.float()

        def func(t: Tensor, y: Tensor) -> Tensor:
            return original(t, y.to(dtype)).float()

    if not adjoint:
        return torchdiffeq.odeint(func, y0, times, method=solver, **tolerances).to(dtype)
    if adjoint_params is None:
        if not isinstance(original, nn.Module):
            raise ValueError(
                "adjoint_params must be given if func is not a module: the tensors that the "
                f"derivative depends on; got func of type {type(original).__name__}"
            )
        adjoint_params = original.parameters()
    options: dict[str, Any] = {"adjoint_params": tuple(adjoint_params)}
    states = torchdiffeq.odeint_adjoint(func, y0, times, method=solver, **tolerances, **options)
    return states.to(dtype)
