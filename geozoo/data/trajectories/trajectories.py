"""Your own trajectories of points: motion capture, robots, planets."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from geozoo.checks import check_choice, check_whole
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.loader import LoaderOptions
from geozoo.data.record import DataRecord
from geozoo.data.spec import GeometricSpec
from geozoo.data.splits import split_hash
from geozoo.data.trajectories._checked_trajectories import (
    horizon_in_frames,
    rules_of,
    velocity_warning,
)
from geozoo.data.trajectories._trajectory import Trajectory, checked
from geozoo.data.trajectories._trajectory_folder import read_trajectories
from geozoo.data.trajectories._trajectory_splits import (
    check_parts,
    parts_of_trajectories,
    windows_of_times,
    windows_of_trajectories,
)
from geozoo.data.trajectories._window_statistics import window_statistics
from geozoo.data.trajectories.frame_windows import (
    WindowRules,
    input_frames,
    make_windows,
    store_of,
)
from geozoo.data.trajectories.trajectory_options import PointInputs, TrajectorySplit
from geozoo.options import grouped

_LOG = logging.getLogger(__name__)
#: Largest number of test trajectories whose errors are listed one by one.
_MOST_PARTS = 20


class Trajectories(GraphDataModule):
    """Points that move: positions, and velocities if asked, some frames later (task `Dynamics`).

    A sample is a window: the points at an input frame with their velocities, and the target
    ``horizon`` frames later. Inputs depend on the input frame and those before it only: velocities
    that are not given are differences to the frame before.

    ============== =============== ======= ==================================================
    field          shape           dtype   meaning
    ============== =============== ======= ==================================================
    ``pos``        ``[N, dim]``    float32 position at the input frame, relative to the mean
    ``vec``        ``[N, V, dim]`` float32 velocity there, at ``history - 1`` frames before it,
                                           and ``up`` if it is given
    ``x``          ``[N, F]``      float32 constants and one-hot number; or a column of ones
    ``edge_index`` ``[2, E]``      int64   neighbours, if given; without: all pairs
    ``y``          ``[N, dim]``    float32 position at the target frame, relative to the mean at
                                           the input frame
    ``y_vel``      ``[N, dim]``    float32 velocity at the target frame, if predicted
    ============== =============== ======= ==================================================

    Args:
        path: a folder of ``.npz`` or ``.csv`` files, or one of them. Nothing is unpickled.
        horizon: number of frames from input to target; or a time such as ``"0.1 s"``.
        loader: batch sizes, shuffling and device placement.
        stride: frames from one window to the next.
        dt: time between frames, if the files do not state it; None and nothing stated: the time
            unit is the frame.
        targets: ``["pos"]``, or ``["pos", "vel"]`` to predict velocities too.
        unit: unit of the positions.
        time_unit: unit of the time; that of velocities is ``unit/time_unit``.
        missing: ``"refuse"``: missing positions raise an error; ``"skip"``: windows that use them
            are left out.
        inputs: what a model reads.
        split: how trajectories are split.

    Raises:
        ValueError: If a value is invalid.
    """

    standard_task: ClassVar[str | None] = "dynamics"

    @grouped("inputs", "split")
    def __init__(
        self,
        *,
        path: str | Path,
        horizon: int | str,
        loader: LoaderOptions,
        stride: int = 1,
        dt: float | None = None,
        targets: Sequence[str] = ("pos",),
        unit: str = "length",
        time_unit: str = "time",
        missing: Literal["refuse", "skip"] = "refuse",
        inputs: PointInputs = PointInputs(),  # noqa: B008
        split: TrajectorySplit = TrajectorySplit(),  # noqa: B008
    ) -> None:
        super().__init__(loader)
        check_whole("stride", stride, 1)
        check_choice("missing", missing, ("refuse", "skip"))
        if dt is not None and not (np.isfinite(dt) and dt > 0):
            raise ValueError(f"dt must be positive, got {dt!r}")
        if isinstance(targets, str) or list(targets) not in (["pos"], ["pos", "vel"]):
            raise ValueError(f"targets must be [pos] or [pos, vel], got {targets!r}")
        if isinstance(horizon, str):
            horizon_in_frames(horizon, dt=1.0, time_unit=time_unit, is_exact=False)
        else:
            check_whole("horizon", horizon, 1)
        self.path, self.horizon, self.stride = Path(path).expanduser(), horizon, stride
        self.dt, self.targets, self.missing = dt, tuple(targets), missing
        self.unit, self.time_unit = unit, time_unit
        self.inputs, self.split = inputs, split

    def load(self) -> LoadedData:
        """Read the trajectories and cut them into windows.

        Raises:
            FileNotFoundError: If a file does not exist.
            ValueError: If a file has another format, a value is missing, trajectories do not agree,
                or a split has no window.
        """
        read, digest = read_trajectories(self.path, self.inputs.features)
        found = checked(read, dt=self.dt)
        if self.missing == "refuse":
            for each in found:
                if (gap := each.gap()) is not None:
                    raise ValueError(
                        f"{gap}. Fill it, or set dataset.missing=skip to leave out the windows "
                        "that use it"
                    )
        rules = rules_of(
            found, self.inputs, horizon=self.horizon, targets=self.targets,
            time_unit=self.time_unit,
        )  # fmt: skip
        if warning := velocity_warning(found, rules.dt):
            _LOG.warning(warning)
        frames = [input_frames(each, rules, self.stride) for each in found]
        owner = torch.repeat_interleave(
            torch.arange(len(found)), torch.tensor([len(each) for each in frames])
        )
        if not len(owner):
            raise ValueError(
                f"horizon: no trajectory has a window of {rules.reach + rules.horizon + 1} known "
                f"frames; the longest has {max(each.num_frames for each in found)} frames"
            )
        parts = parts_of_trajectories(self.split, len(found))
        splits = self._splits(found, rules, parts, owner, np.concatenate(frames))
        check_parts(splits, by_time=parts is None, names=[each.name for each in found], rules=rules)
        store = store_of([
            make_windows(each, chosen, rules)
            for each, chosen in zip(found, frames, strict=True) if len(chosen)
        ])  # fmt: skip
        splits = self.limited(splits)
        spec = self._spec(found, rules, splits, digest, by_time=parts is None)
        statistics = window_statistics(
            store, splits["train"], rules, normalize=self.inputs.normalize
        )
        spec = replace(spec, statistics=statistics)
        self._report(found, rules, spec, len(store), by_time=parts is None)
        return LoadedData(store, splits, spec, _test_parts(found, parts, owner))

    def serve(self, model: nn.Module) -> None:
        """Search no neighbours beforehand: the network's cutoff is one of scaled positions.

        Args:
            model: the model.
        """
        self._cutoff = None
        self._placed.clear()

    def _splits(
        self, found: list[Trajectory], rules: WindowRules, parts: dict[str, Tensor] | None,
        owner: Tensor, frames: np.ndarray,
    ) -> dict[str, Tensor]:  # fmt: skip
        if parts is not None:
            return windows_of_trajectories(parts, owner)
        length = torch.tensor([each.num_frames for each in found])[owner]
        return windows_of_times(self.split, rules, torch.from_numpy(frames), length)

    def _spec(
        self, found: list[Trajectory], rules: WindowRules, splits: dict[str, Tensor], digest: str,
        *, by_time: bool,
    ) -> GeometricSpec:  # fmt: skip
        time_unit = self.time_unit if self.dt or found[0].dt else "frame"
        speed = f"{self.unit}/{time_unit}"
        has_vel = "vel" in rules.targets
        record = DataRecord(
            dataset="trajectories", source=self.path.name, source_hash=digest,
            split=self._split_name(by_time=by_time), split_hash=split_hash(splits),
            sizes={part: len(index) for part, index in splits.items()},
            other={"windows": rules.to_dict(), "stride": self.stride, "unit_of_time": time_unit},
        )  # fmt: skip
        return GeometricSpec(
            level="node", dim=found[0].pos.shape[2], in_channels=rules.width,
            in_vectors=rules.num_vectors, out_vectors=1 + has_vel,
            vector_fields=("pos", "vec", "y", *(["y_vel"] if has_vel else [])),
            units={
                "pos": self.unit, "x": "1", "vec": speed, "y": self.unit,
                **({"y_vel": speed} if has_vel else {}),
            },
            record=record,
        )  # fmt: skip

    def _split_name(self, *, by_time: bool) -> str:
        shares = "-".join(f"{share:g}" for share in self.split.fractions)
        if self.split.file is not None:
            return f"trajectories of {Path(self.split.file).name}"
        if by_time:
            return f"by time {shares}"
        return f"random trajectories {shares}, seed {self.split.seed}"

    def _report(
        self, found: list[Trajectory], rules: WindowRules, spec: GeometricSpec, count: int, *,
        by_time: bool,
    ) -> None:  # fmt: skip
        unit = spec.record.other["unit_of_time"]
        sizes = sorted({each.num_points for each in found})
        points = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        source = "given" if rules.has_vel else "differences to the frame before"
        _LOG.info(
            "%s: %d trajectories of %s points in %dD; %d windows, horizon %d frames = %g %s; "
            "velocities: %s; split by %s",
            self.path.name, len(found), points, spec.dim, count, rules.horizon, rules.time, unit,
            source, "time, without windows across a boundary" if by_time else "trajectory",
        )  # fmt: skip
        scales = spec.statistics
        if "pos_scale" in scales:
            start = "continued with constant velocity" if scales["drift"] else "unchanged"
            _LOG.info(
                "the network reads positions in multiples of %.4g %s (so does model.radius), and "
                "corrects positions that are %s", scales["pos_scale"], self.unit, start,
            )  # fmt: skip


def _test_parts(
    found: list[Trajectory], parts: dict[str, Tensor] | None, owner: Tensor
) -> dict[str, Tensor]:
    """The windows of each test trajectory, if they are few."""
    if parts is None or not 1 < len(parts["test"]) <= _MOST_PARTS:
        return {}
    return {
        found[number].name: (owner == number).nonzero()[:, 0]
        for number in sorted(parts["test"].tolist())
    }
