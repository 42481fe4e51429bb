"""Physics of the N-body simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geozoo.data import NBodyOptions, NBodyState, initial_state, simulate, total_energy


def simulate_slowly(state: NBodyState, steps: int, options: NBodyOptions) -> NBodyState:
    """Reference implementation: a loop over systems and pairs."""
    pos, vel = state.pos.copy(), state.vel.copy()
    for system in range(len(pos)):
        x, v, q = pos[system], vel[system], state.charge[system]
        for _ in range(steps):
            force = np.zeros_like(x)
            for i in range(len(x)):
                for j in range(len(x)):
                    if i != j:
                        gap = x[i] - x[j]
                        force[i] += q[i] * q[j] * gap / np.linalg.norm(gap) ** 3
            v += options.step * np.clip(force, -options.max_force, options.max_force)
            x += options.step * v
    return NBodyState(pos, vel, state.charge)


@pytest.mark.parametrize("num_particles", [2, 3, 5])
def test_equals_the_loop_over_pairs(num_particles: int) -> None:
    options = NBodyOptions(num_particles=num_particles, sample_steps=20, max_force=1.5)
    start = initial_state(4, seed=1, options=options)
    fast = simulate(start, [0, 2], options=options)
    for column, steps in enumerate((20, 60)):
        slow = simulate_slowly(start, steps, options)
        np.testing.assert_allclose(fast.pos[:, column], slow.pos, atol=1e-12)
        np.testing.assert_allclose(fast.vel[:, column], slow.vel, atol=1e-12)


def test_a_circular_orbit_closes() -> None:
    # Two opposite charges at distance 2 with speed 1/2 each circle once in 4 pi.
    pos = np.array([[[1.0, 0, 0], [-1.0, 0, 0]]])
    vel = np.array([[[0, 0.5, 0], [0, -0.5, 0]]])
    state = NBodyState(pos, vel, np.array([[1.0, -1.0]]))
    options = NBodyOptions(num_particles=2, step=4 * np.pi / 10000, sample_steps=5000)
    half, whole = simulate(state, [0, 1], options=options).pos[0]
    # a scheme of first order with velocities half a step aside: exact to about a step
    np.testing.assert_allclose(half, -pos[0], atol=2 * options.step)
    np.testing.assert_allclose(whole, pos[0], atol=4 * options.step)


def test_frames_do_not_depend_on_which_others_are_kept() -> None:
    start = initial_state(3, seed=0)
    both, last = simulate(start, [0, 2]), simulate(start, [2])
    np.testing.assert_array_equal(both.pos[:, 1], last.pos[:, 0])
    first = NBodyState(both.pos[:, 0], both.vel[:, 0], start.charge)
    np.testing.assert_array_equal(simulate(first, [1]).vel[:, 0], last.vel[:, 0])


def test_systems_do_not_depend_on_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    start = initial_state(7, seed=0)
    together = simulate(start, [1])
    monkeypatch.setattr("geozoo.data.particles.nbody_simulator._BLOCK", 3)
    np.testing.assert_array_equal(simulate(start, [1]).pos, together.pos)


def test_input_stays_as_it_is() -> None:
    start, untouched = initial_state(2, seed=0), initial_state(2, seed=0)
    simulate(start, [0])
    np.testing.assert_array_equal(start.pos, untouched.pos)
    np.testing.assert_array_equal(start.vel, untouched.vel)


def test_a_larger_draw_begins_with_the_smaller_one() -> None:
    small, large = initial_state(5, seed=9), initial_state(8, seed=9)
    for name in ("pos", "vel", "charge"):
        np.testing.assert_array_equal(getattr(large, name)[:5], getattr(small, name))
    assert (initial_state(5, seed=10).pos != small.pos).all()


def test_start_follows_its_distributions() -> None:
    start = initial_state(4000, seed=0)
    assert start.pos.mean() == pytest.approx(0.0, abs=0.02)
    assert start.pos.std() == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(np.linalg.norm(start.vel, axis=-1), 0.5, atol=1e-12)
    assert np.abs(start.vel.mean((0, 1))).max() < 0.01
    assert set(np.unique(start.charge)) == {-1.0, 1.0}
    assert start.charge.mean() == pytest.approx(0.0, abs=0.03)


def test_energy_and_momentum_without_close_encounters() -> None:
    # Like charges repel each other: no encounter, no clipping.
    start = initial_state(200, seed=0)
    start = NBodyState(start.pos, start.vel, np.ones_like(start.charge))
    result = simulate(start, [48])
    drift = np.abs(total_energy(result)[:, 0] - total_energy(start)) / total_energy(start)
    assert np.quantile(drift, 0.99) < 2e-3
    momentum = result.vel[:, 0].sum(1) - start.vel.sum(1)
    assert np.abs(momentum).max() < 1e-2


def test_energy_by_hand() -> None:
    pos = np.array([[[0.0, 0, 0], [2.0, 0, 0]]])
    vel = np.array([[[1.0, 0, 0], [0, 0, 0]]])
    assert total_energy(NBodyState(pos, vel, np.array([[1.0, -1.0]]))) == pytest.approx(0.0)


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_continues_published_trajectories(shared_folder: Path, part: str) -> None:
    file = np.load(shared_folder / "data" / "nbody" / f"charged5_small_{part}.npz")
    frames = file["frames"].tolist()
    loc, vel, charge = (file[name].astype(np.float64) for name in ("loc", "vel", "charges"))
    begin = frames.index(20)
    result = simulate(NBodyState(loc[:, begin], vel[:, begin], charge), [9, 19])
    # Chaos after close encounters lets a few per cent go their own way.
    for column, (frame, share) in enumerate([(30, 0.95), (40, 0.90)]):
        error = np.abs(result.pos[:, column] - loc[:, frames.index(frame)]).max((1, 2))
        assert np.median(error) < 1e-6
        assert (error < 1e-4).mean() > share


def test_progress_adds_up_to_all_frames() -> None:
    steps: list[int] = []
    simulate(initial_state(3, seed=0), [1, 4], progress=steps.append)
    assert sum(steps) == 3 * 5


@pytest.mark.parametrize("frames", [[], [-1], [2, 2], [3, 1]])
def test_wrong_frames_are_rejected(frames: list[int]) -> None:
    with pytest.raises(ValueError, match="frames must be non-negative and strictly increasing"):
        simulate(initial_state(1, seed=0), frames)


def test_wrong_states_are_rejected() -> None:
    start = initial_state(2, seed=0)
    with pytest.raises(ValueError, match=r"state.vel must have shape \(2, 5, 3\)"):
        simulate(NBodyState(start.pos, start.vel[:, :4], start.charge), [0])
    with pytest.raises(ValueError, match="state.pos contains NaN"):
        simulate(NBodyState(start.pos * np.nan, start.vel, start.charge), [0])
    with pytest.raises(ValueError, match="num_systems must not be negative"):
        initial_state(-1, seed=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_particles": 1}, "num_particles must be at least 2, got 1"),
        ({"sample_steps": 0}, "sample_steps must be at least 1"),
        ({"step": 0.0}, "step must be positive"),
        ({"max_force": -1.0}, "max_force must be positive"),
    ],
)
def test_wrong_options_are_rejected(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NBodyOptions(**options)
