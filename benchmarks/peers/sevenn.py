"""SevenNet's universal potentials as ASE calculators: the same weights, those of the package."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from benchmarks.peers._pair import Pair, Side, Step

_TITLE = "{} on NequIP against sevenn"
PAIRS = [
    Pair(f"{ours.replace('-', '_')}_{system.replace(' ', '')}".lower(), "sevenn", "sevenn",
         _TITLE.format(title), system, "calculator", {"ours": ours, "theirs": theirs},
         searches=True)
    for ours, theirs, title in (
        ("sevennet-0", "7net-0", "SevenNet-0"), ("sevennet-l3i5", "7net-l3i5", "SevenNet-l3i5"),
    )
    for system in ("64 Si", "ethanol")
]  # fmt: skip


def theirs(pair: Pair, folder: Path) -> Side:
    """The calculator of sevenn; the folder gets a link to the package, for its weights."""
    import sevenn
    from sevenn.calculator import SevenNetCalculator

    if not (folder / "sevenn").exists():
        (folder / "sevenn").symlink_to(Path(sevenn.__file__).parent)
    return _side(SevenNetCalculator(pair.network["theirs"], device="cpu"))


def ours(pair: Pair, folder: Path) -> Side:
    """Our calculator, which reads the weights of the package without importing it."""
    from geozoo.engines.ase import GeozooCalculator

    sys.path.append(str(folder))
    return _side(GeozooCalculator(pair.network["ours"]))


def _side(calculator: Any) -> Side:
    def prepare(frames: Sequence[Atoms]) -> Step:
        (start,) = frames
        count = 0

        def step() -> dict[str, np.ndarray]:
            nonlocal count
            atoms = start.copy()
            atoms.rattle(0.01, seed=count)  # so that nothing is known in advance
            count += 1
            atoms.calc = calculator
            found = {"energy": np.array(atoms.get_potential_energy()), "forces": atoms.get_forces()}
            return found | ({"stress": atoms.get_stress()} if atoms.pbc.all() else {})

        return step

    return prepare
