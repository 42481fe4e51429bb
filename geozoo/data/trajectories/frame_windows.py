"""Windows of trajectories: inputs at one frame, targets at a later one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geozoo.data.store import GraphStore
from geozoo.data.trajectories._trajectory import Trajectory
from geozoo.data.trajectories._trajectory_folder import bones_index
from geozoo.geometry import radius_graph


@dataclass(frozen=True, kw_only=True)
class WindowRules:
    """How the inputs and targets of a model are made from trajectories; plain data.

    Attributes:
        horizon: frames from the input to the target.
        history: number of frames whose velocities are inputs.
        dt: time between frames.
        has_vel: whether velocities are given; otherwise they are differences of frames.
        targets: ``"pos"``, and ``"vel"`` if velocities are predicted too.
        features: names of the constants of the points in the files; empty: ``x``.
        num_features: number of these constants.
        radius: distance within which points are neighbours.
        bones: pairs of neighbours by name.
        given_edges: whether the files have edges.
        num_points: number of points if their one-hot number is an input; None otherwise.
        up: the further input vector.
    """

    horizon: int
    history: int
    dt: float
    has_vel: bool
    targets: Sequence[str] = ("pos",)
    features: Sequence[str] = ()
    num_features: int = 0
    radius: float | None = None
    bones: Sequence[Sequence[str]] = ()
    given_edges: bool = False
    num_points: int | None = None
    up: Sequence[float] | None = None

    @property
    def reach(self) -> int:
        """Number of frames before the input frame that inputs depend on."""
        return self.history - (1 if self.has_vel else 0)

    @property
    def time(self) -> float:
        """Time from the input to the target."""
        return self.horizon * self.dt

    @property
    def num_vectors(self) -> int:
        """Number of input vectors: velocities, and ``up``."""
        return self.history + (self.up is not None)

    @property
    def has_edges(self) -> bool:
        """Whether graphs have edges of their own, rather than all pairs."""
        return self.given_edges or bool(self.bones) or self.radius is not None

    @property
    def width(self) -> int:
        """Number of scalar inputs of a point."""
        return self.num_features + (self.num_points or 0) or 1

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for records."""
        plain = asdict(self)
        plain["bones"] = [list(pair) for pair in self.bones]
        return {key: list(v) if isinstance(v, tuple) else v for key, v in plain.items()}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> WindowRules:
        """The inverse of `to_dict`."""
        plain: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in values.items()
        }
        return WindowRules(**plain)


def input_frames(trajectory: Trajectory, rules: WindowRules, stride: int) -> np.ndarray:
    """Input frames of all windows whose values are all known, ``[W]``.

    Args:
        trajectory: the trajectory.
        rules: the rules of windows.
        stride: frames from one window to the next.
    """
    last = trajectory.num_frames - rules.horizon
    frames = np.arange(rules.reach, max(last, rules.reach), stride)
    known = trajectory.complete_frames()
    used = [*range(-rules.reach, 1), rules.horizon]
    if "vel" in rules.targets and not rules.has_vel:
        used.append(rules.horizon - 1)
    return frames[np.all([known[frames + each] for each in used], 0)] if len(frames) else frames


def velocities(trajectory: Trajectory, dt: float) -> np.ndarray:
    """Velocities ``[T, P, dim]``: given, or by the difference to the frame before (first: NaN).

    Args:
        trajectory: the trajectory.
        dt: time between frames.
    """
    if trajectory.vel is not None:
        return trajectory.vel
    found = np.full_like(trajectory.pos, np.nan)
    found[1:] = np.diff(trajectory.pos, axis=0) / dt
    return found


@dataclass(frozen=True)
class Windows:
    """Windows of one trajectory.

    Attributes:
        node: fields of the points, ``[W, P, ...]`` float64: inputs ``pos``, ``vec`` and ``x``, and
            targets ``y`` and ``y_vel``. Positions are relative to ``centre``.
        centre: mean position at the input frame, ``[W, 1, dim]``.
        edge_index: neighbours within each window; None: all pairs.
        num_edges: number of edges of each window.
    """

    node: Mapping[str, np.ndarray]
    centre: np.ndarray
    edge_index: Tensor | None
    num_edges: Tensor | None


def make_windows(
    trajectory: Trajectory, frames: np.ndarray, rules: WindowRules, *, has_targets: bool = True
) -> Windows:
    """The windows of some input frames.

    Args:
        trajectory: the trajectory.
        frames: input frames ``[W]``.
        rules: the rules of windows.
        has_targets: whether to add targets, whose frames must exist.
    """
    pos, vel = trajectory.pos, velocities(trajectory, rules.dt)
    centre = pos[frames].mean(1, keepdims=True)
    shape = (len(frames), trajectory.num_points)
    vectors = [vel[frames - back] for back in range(rules.history)]
    if rules.up is not None:
        vectors.append(np.broadcast_to(np.array(rules.up), (*shape, len(rules.up))))
    node = {
        "pos": pos[frames] - centre,
        "vec": np.stack(vectors, 2),
        "x": np.broadcast_to(_scalars(trajectory, rules), (*shape, rules.width)),
    }
    if has_targets:
        node["y"] = pos[frames + rules.horizon] - centre
        if "vel" in rules.targets:
            node["y_vel"] = vel[frames + rules.horizon]
    return Windows(node, centre, *_edges(trajectory, node["pos"], rules))


def _scalars(trajectory: Trajectory, rules: WindowRules) -> np.ndarray:
    """Constants and one-hot number of the points ``[P, F]``; a column of ones without any."""
    parts = [] if trajectory.x is None else [trajectory.x]
    if rules.num_points is not None:
        parts.append(np.eye(rules.num_points))
    return np.concatenate(parts, 1) if parts else np.ones((trajectory.num_points, 1))


def _edges(
    trajectory: Trajectory, pos: np.ndarray, rules: WindowRules
) -> tuple[Tensor | None, Tensor | None]:
    count, points = pos.shape[:2]
    if rules.radius is not None:
        batch = torch.arange(count).repeat_interleave(points)
        flat = torch.from_numpy(pos.reshape(-1, pos.shape[2]))
        index = radius_graph(flat, rules.radius, batch, count, self_loops=False)
        window = index[0] // points
        order = torch.argsort(window, stable=True)
        return (index % points)[:, order], torch.bincount(window, minlength=count)
    given = bones_index(rules.bones, trajectory) if rules.bones else trajectory.edge_index
    if given is None or not rules.has_edges:
        return None, None
    index = torch.from_numpy(given)
    return index.repeat(1, count), torch.full((count,), index.shape[1])


def store_of(windows: Sequence[Windows]) -> GraphStore:
    """All windows as graphs, in float32."""
    node = {
        name: torch.cat([_rows(each.node[name]) for each in windows]) for name in windows[0].node
    }
    sizes = [torch.full((len(each.centre),), each.node["pos"].shape[1]) for each in windows]
    edges = [each.edge_index for each in windows if each.edge_index is not None]
    counts = [each.num_edges for each in windows if each.num_edges is not None]
    return GraphStore(
        torch.cat(sizes), node=node,
        edge_index=torch.cat(edges, 1) if edges else None,
        num_edges=torch.cat(counts) if counts else None,
    )  # fmt: skip


def _rows(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).flatten(0, 1)
