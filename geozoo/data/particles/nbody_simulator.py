r"""Vectorised simulation of charged particles in free space.

Particles with charges :math:`q_i = \pm 1` and unit mass interact by the Coulomb force,

.. math:: F_i = \operatorname{clip}\Bigl(\sum_{j \ne i} q_i q_j
    \frac{x_i - x_j}{\lVert x_i - x_j \rVert^3}, -F_{max}, F_{max}\Bigr),

integrated by the semi-implicit Euler scheme :math:`v \leftarrow v + h F(x)`,
:math:`x \leftarrow x + h v`, which is the leapfrog scheme with velocities shifted by half a step.
Each force component is clipped, so close encounters conserve neither energy nor momentum.

The system is that of Kipf et al. 2018 (arXiv 1802.04687) in the three-dimensional form of Satorras
et al. 2021 (arXiv 2102.09844). All systems are integrated together in float64. A step uses only
additions, multiplications, divisions and square roots, which IEEE 754 rounds identically
everywhere, so a given initial state yields the same trajectory on every machine despite chaos.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

#: Part of the name of every generated file; increased whenever the output for a seed changes.
SIMULATOR_VERSION = 1
#: Systems per block: enough to amortise the call overhead, few enough to fit in the CPU caches.
_BLOCK = 4000

Array = np.ndarray


@dataclass(frozen=True)
class NBodyOptions:
    """Physical parameters and time step, by default those of the "small" benchmark.

    Attributes:
        num_particles: particles per system.
        step: time step :math:`h`, in simulation time units.
        sample_steps: steps between two frames.
        max_force: bound :math:`F_{max}` on each force component.
        speed: initial speed of every particle.
    """

    num_particles: int = 5
    step: float = 1.0e-3
    sample_steps: int = 100
    max_force: float = 100.0
    speed: float = 0.5

    def __post_init__(self) -> None:
        """Validate the options."""
        if self.num_particles < 2:
            raise ValueError(f"num_particles must be at least 2, got {self.num_particles!r}")
        if self.sample_steps < 1:
            raise ValueError(f"sample_steps must be at least 1, got {self.sample_steps!r}")
        for name in ("step", "max_force", "speed"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)!r}")


@dataclass(frozen=True)
class NBodyState:
    """Positions, velocities and charges of ``S`` systems of ``n`` particles.

    Attributes:
        pos: ``[S, n, 3]``, or ``[S, frames, n, 3]`` for sampled trajectories.
        vel: as ``pos``.
        charge: ``[S, n]``, -1 or 1.
    """

    pos: Float64[Array, "S ... n 3"]
    vel: Float64[Array, "S ... n 3"]
    charge: Float64[Array, "S n"]


def initial_state(
    num_systems: int, *, seed: int | Sequence[int], options: NBodyOptions | None = None
) -> NBodyState:
    r"""Draw random initial states.

    Charges are -1 or 1 with equal probability, positions normally distributed with standard
    deviation :math:`(n/5)^{1/3}`, velocities of fixed speed in uniformly random directions.
    Positions, velocities and charges use separate random streams, so that a smaller sample is a
    prefix of a larger one with the same seed.

    Args:
        num_systems: number of systems ``S``.
        seed: seed or seeds of :class:`numpy.random.SeedSequence`.
        options: physical parameters.

    Raises:
        ValueError: If the number of systems is negative.
    """
    if num_systems < 0:
        raise ValueError(f"num_systems must not be negative, got {num_systems}")
    options = options or NBodyOptions()
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)]
    shape = (num_systems, options.num_particles)
    pos = streams[0].standard_normal((*shape, 3)) * (options.num_particles / 5) ** (1 / 3)
    vel = streams[1].standard_normal((*shape, 3))
    vel *= options.speed / np.sqrt((vel * vel).sum(-1, keepdims=True))
    charge = 2.0 * streams[2].integers(0, 2, shape) - 1.0
    return NBodyState(pos, vel, charge)


def simulate(
    state: NBodyState,
    frames: Sequence[int],
    *,
    options: NBodyOptions | None = None,
    progress: Callable[[int], None] | None = None,
) -> NBodyState:
    """Integrate systems and return some frames of their trajectories.

    Frame ``k`` is the state after ``(k + 1) * sample_steps`` steps, as in the published files.
    To continue a trajectory from a stored frame ``a`` to frame ``b``, pass that frame as ``state``
    and request frame ``b - a - 1``.

    Args:
        state: initial state; not modified.
        frames: indices of the frames to return, strictly increasing.
        options: physical parameters.
        progress: called with the number of systems that have advanced by one frame.

    Returns:
        Positions and velocities ``[S, frames, n, 3]``.

    Raises:
        ValueError: If frames are negative or not strictly increasing, or the state has the wrong
            shape.
    """
    options = options or NBodyOptions()
    frames = list(frames)
    if not frames or frames[0] < 0 or any(a >= b for a, b in zip(frames, frames[1:], strict=False)):
        raise ValueError(f"frames must be non-negative and strictly increasing, got {frames}")
    _check_state(state, options)
    shape = (len(state.pos), len(frames), options.num_particles, 3)
    pos, vel = np.empty(shape), np.empty(shape)
    for start in range(0, len(pos), _BLOCK):
        rows = slice(start, start + _BLOCK)
        block = _Block(state.pos[rows], state.vel[rows], state.charge[rows], options)
        for frame in range(frames[-1] + 1):
            block.advance(options.sample_steps)
            if frame in frames:
                column = frames.index(frame)
                pos[rows, column], vel[rows, column] = block.pos.T, block.vel.T
            if progress is not None:
                progress(len(pos[rows]))
    return NBodyState(pos, vel, state.charge)


def total_energy(state: NBodyState) -> Float64[Array, "S ..."]:
    r"""Kinetic plus Coulomb energy, :math:`\sum_i v_i^2/2 + \sum_{i<j} q_i q_j/r_{ij}`.

    The force of :func:`simulate` derives from this potential only where it is not clipped.
    """
    first, second = np.triu_indices(state.pos.shape[-2], 1)
    distance = np.linalg.norm(state.pos[..., first, :] - state.pos[..., second, :], axis=-1)
    product = state.charge[:, first] * state.charge[:, second]
    product = product.reshape(len(product), *[1] * (distance.ndim - 2), -1)
    return 0.5 * (state.vel**2).sum((-1, -2)) + (product / distance).sum(-1)


class _Block:
    """Systems that are integrated together; arrays ``[3, n, S]``, buffers allocated once."""

    def __init__(self, pos: Array, vel: Array, charge: Array, options: NBodyOptions) -> None:
        self.pos, self.vel = pos.T.copy(), vel.T.copy()
        self.options = options
        num_particles, num_systems = self.pos.shape[1:]
        first, second = np.triu_indices(num_particles, 1)
        self.product = charge.T[first] * charge.T[second]
        self.pairs = [
            (i, slice(*np.searchsorted(first, [i, i + 1]))) for i in range(num_particles - 1)
        ]
        self.force = np.empty_like(self.pos)
        self.delta = np.empty((3, len(first), num_systems))
        self.square = np.empty_like(self.delta)
        self.weight = np.empty_like(self.product)
        self.root = np.empty_like(self.product)

    def advance(self, steps: int) -> None:
        """Kick, then drift, ``steps`` times."""
        step = self.options.step
        for _ in range(steps):
            self._update_force()
            self.force *= step
            self.vel += self.force
            np.multiply(self.vel, step, out=self.force)
            self.pos += self.force

    def _update_force(self) -> None:
        delta, square, weight, force = self.delta, self.square, self.weight, self.force
        for i, pairs in self.pairs:
            np.subtract(self.pos[:, i, None], self.pos[:, i + 1 :], out=delta[:, pairs])
        np.multiply(delta, delta, out=square)
        np.add(square[0], square[1], out=weight)
        weight += square[2]
        np.sqrt(weight, out=self.root)
        weight *= self.root
        np.divide(self.product, weight, out=weight)
        delta *= weight
        force[:, 0] = 0.0
        for i, pairs in self.pairs:
            pull = delta[:, pairs]
            if i == 0:
                np.negative(pull, out=force[:, 1:])
            else:
                force[:, i + 1 :] -= pull
            for k in range(pull.shape[1]):
                force[:, i] += pull[:, k]
        bound = self.options.max_force
        np.clip(force, -bound, bound, out=force)


def _check_state(state: NBodyState, options: NBodyOptions) -> None:
    shape = (len(state.pos), options.num_particles, 3)
    for name, value, wanted in (
        ("pos", state.pos, shape),
        ("vel", state.vel, shape),
        ("charge", state.charge, shape[:2]),
    ):
        if value.shape != wanted:
            raise ValueError(f"state.{name} must have shape {wanted}, got {value.shape}")
        if not np.isfinite(value).all():
            raise ValueError(f"state.{name} contains NaN or infinite values")
