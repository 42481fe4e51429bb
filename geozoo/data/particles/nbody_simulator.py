r"""Charged particles in free space, many systems at once.

Particles with charges :math:`q_i = \pm 1` and unit mass attract and repel each other,

.. math:: F_i = \operatorname{clip}\Bigl(\sum_{j \ne i} q_i q_j
    \frac{x_i - x_j}{\lVert x_i - x_j \rVert^3}, -F_{max}, F_{max}\Bigr),

and move by the semi-implicit Euler scheme :math:`v \leftarrow v + h F(x)`,
:math:`x \leftarrow x + h v`, which is the leap-frog scheme with velocities half a step aside. The
force is clipped in each component, so a close encounter neither conserves energy nor momentum.

The system is that of Kipf et al. 2018 (arXiv 1802.04687) in the three-dimensional form of Satorras
et al. 2021 (arXiv 2102.09844). All systems advance together in float64. A step uses additions,
multiplications, divisions and square roots only, which IEEE 754 rounds in one way everywhere; the
same start therefore gives the same trajectory on another machine, chaos notwithstanding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

#: Part of the name of every generated file; raised when the numbers of a seed change.
SIMULATOR_VERSION = 1
#: Systems that advance together: enough to hide the cost of a call, few enough for the caches.
_BLOCK = 4000

Array = np.ndarray


@dataclass(frozen=True)
class NBodyOptions:
    """Physics and step of the simulation, by default those of the "small" benchmark.

    Attributes:
        num_particles: particles per system.
        step: time step :math:`h`, in time units of the simulation.
        sample_steps: steps between two frames.
        max_force: bound :math:`F_{max}` of a force component.
        speed: initial speed of every particle.
    """

    num_particles: int = 5
    step: float = 1.0e-3
    sample_steps: int = 100
    max_force: float = 100.0
    speed: float = 0.5

    def __post_init__(self) -> None:
        """Refuse options that describe no system."""
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
    r"""Draw the start of some systems.

    Charges are -1 or 1 with equal probability, positions normal with standard deviation
    :math:`(n/5)^{1/3}`, velocities of one speed in a uniformly random direction. Positions,
    velocities and charges have random streams of their own, so the systems of a smaller draw are
    the first ones of a larger draw with the same seed.

    Args:
        num_systems: number of systems ``S``.
        seed: seed or seeds of :class:`numpy.random.SeedSequence`.
        options: the physics.

    Raises:
        ValueError: for a negative number of systems.
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
    """Advance systems and return some frames of their trajectories.

    Frame ``k`` is the state after ``(k + 1) * sample_steps`` steps, as in the published files.
    To continue a trajectory from a stored frame ``a`` to frame ``b`` pass that frame as ``state``
    and ask for frame ``b - a - 1``.

    Args:
        state: where to begin; it stays as it is.
        frames: numbers of the frames to keep, rising.
        options: the physics.
        progress: called with a number of systems whenever these have advanced by one frame.

    Returns:
        Positions and velocities ``[S, frames, n, 3]``.

    Raises:
        ValueError: for frames that are negative or do not rise, and for states of other shapes.
    """
    options = options or NBodyOptions()
    frames = list(frames)
    if not frames or frames[0] < 0 or any(a >= b for a, b in zip(frames, frames[1:], strict=False)):
        raise ValueError(f"frames must be rising numbers from 0 on, got {frames}")
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

    The clipped force of :func:`simulate` has this potential only where it is not clipped.
    """
    first, second = np.triu_indices(state.pos.shape[-2], 1)
    distance = np.linalg.norm(state.pos[..., first, :] - state.pos[..., second, :], axis=-1)
    product = state.charge[:, first] * state.charge[:, second]
    product = product.reshape(len(product), *[1] * (distance.ndim - 2), -1)
    return 0.5 * (state.vel**2).sum((-1, -2)) + (product / distance).sum(-1)


class _Block:
    """Systems that advance together; arrays ``[3, n, S]``, work space allocated once."""

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
            raise ValueError(f"state.{name} must have the shape {wanted}, got {value.shape}")
        if not np.isfinite(value).all():
            raise ValueError(f"state.{name} holds NaN or infinite values")
