"""Splits of windows: whole trajectories, or parts of the time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from geozoo.data.splits import PARTS, random_split, read_split
from geozoo.data.trajectories.frame_windows import WindowRules
from geozoo.data.trajectories.trajectory_options import TrajectorySplit


def parts_of_trajectories(split: TrajectorySplit, count: int) -> dict[str, Tensor] | None:
    """The trajectories of each part; None for a split by time.

    Args:
        split: the options.
        count: number of trajectories.

    Raises:
        ValueError: If there are fewer than three trajectories for a split by trajectory, or the
            file lists a trajectory that does not exist.
    """
    if split.file is not None:
        found = read_split(split.file)
        listed = torch.cat(list(found.values()))
        if len(listed) and not 0 <= int(listed.min()) <= int(listed.max()) < count:
            raise ValueError(
                f"split.file: {split.file} lists trajectories {int(listed.min())} to "
                f"{int(listed.max())}; there are {count}, numbered from 0"
            )
        if len(torch.unique(listed)) < len(listed):
            raise ValueError(f"split.file: {split.file} lists a trajectory twice")
        return found
    if split.by == "time" or (split.by is None and count < len(PARTS)):
        return None
    if count < len(PARTS):
        raise ValueError(
            f"split.by=trajectory needs at least three trajectories, got {count}; set split.by=time"
        )
    _, val, test = (max(1, round(share * count)) for share in split.fractions)
    train = count - val - test
    if sum(split.fractions) < 1 - 1e-9:
        train = min(train, max(1, round(split.fractions[0] * count)))
    if train < 1:
        raise ValueError(
            f"split.fractions={list(split.fractions)} of {count} trajectories leave none for "
            "training"
        )
    return random_split(count, dict(zip(PARTS, (train, val, test), strict=True)), seed=split.seed)


def windows_of_trajectories(parts: dict[str, Tensor], owner: Tensor) -> dict[str, Tensor]:
    """The windows of each part.

    Args:
        parts: trajectories of each part.
        owner: trajectory of each window.
    """
    return {part: torch.isin(owner, index).nonzero()[:, 0] for part, index in parts.items()}


def windows_of_times(
    split: TrajectorySplit, rules: WindowRules, frame: Tensor, length: Tensor
) -> dict[str, Tensor]:
    """The windows of the first, middle and last part of the time.

    A window belongs to a part if all its frames do, from the first that its inputs depend on to its
    target; the windows across a boundary belong to none.

    Args:
        split: the options.
        rules: the rules of windows.
        frame: input frame of each window.
        length: number of frames of the trajectory of each window.
    """
    ends = np.cumsum((0.0, *split.fractions))
    found = {}
    for part, start, end in zip(PARTS, ends[:-1], ends[1:], strict=True):
        first, last = (torch.round(share * length.double()).long() for share in (start, end))
        inside = (frame - rules.reach >= first) & (frame + rules.horizon < last)
        found[part] = inside.nonzero()[:, 0]
    return found


def check_parts(
    splits: dict[str, Tensor], *, by_time: bool, names: Sequence[str], rules: WindowRules
) -> None:
    """Check that each part has windows.

    Raises:
        ValueError: If a part has none; the message says what a window needs.
    """
    for part, index in splits.items():
        if not len(index):
            needed = rules.reach + rules.horizon + 1
            where = "its share of the frames" if by_time else "its trajectories"
            raise ValueError(
                f"split: {part} has no window; a window spans {needed} frames, more than {where} "
                f"have ({len(names)} trajectories: {', '.join(names[:3])}, ...). Reduce "
                "dataset.horizon or change dataset.split"
            )
