"""A split in which no trajectory is in two parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from geozoo.data.molecules.crystal_frames import split_of_paths
from geozoo.teaching.sampling import KIND, PATH

if TYPE_CHECKING:
    from ase import Atoms

#: Fewer paths of a kind are all trained on.
_FEWEST = 3


def split_by_path(frames: Sequence[Atoms], seed: int) -> list[str]:
    """The part of each structure, ``train``, ``val`` or ``test``.

    All structures of a trajectory have the same part: a tenth of the trajectories of each
    temperature, and of the displaced and strained structures, at least one, for validation and as
    much for testing. A kind of which fewer than three paths are left is trained on.

    Args:
        frames: structures of `geozoo.teaching.sample_structures`.
        seed: seed of the choice.

    Raises:
        ValueError: If a part is empty.
    """
    kind_of = {atoms.info[PATH]: str(atoms.info[KIND]) for atoms in frames}
    counts = {kind: list(kind_of.values()).count(kind) for kind in kind_of.values()}
    divided = [path for path, kind in kind_of.items() if counts[kind] >= _FEWEST]
    parts = dict.fromkeys(kind_of, "train")
    kinds = [kind_of[path] for path in divided]
    parts |= dict(zip(divided, split_of_paths(kinds, np.random.default_rng(seed)), strict=True))
    if missing := {"train", "val", "test"} - set(parts.values()):
        raise ValueError(
            f"no structures are left for {', '.join(sorted(missing))}: after near duplicates and "
            f"atoms that are too close, the sampling has {len(kind_of)} independent paths. Sample "
            "more (rattled, trajectories), or lower duplicate or closest"
        )
    return [parts[atoms.info[PATH]] for atoms in frames]
