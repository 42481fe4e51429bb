"""Synthetic potentials of springs and per-element energies, and runs trained on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

FREE = {"H": -13.6, "C": -1030.0, "O": -2040.0}  # eV
MIX = ("COHH", "CCHHHO", "OHH", "CHHHH")
WORDS = (
    "model=ponita", "dataset=extxyz", "recipe=none", "trainer=quick", "trainer.max_epochs=1",
    "trainer.accelerator=cpu", "model.hidden_channels=8", "model.kernel.basis_channels=8",
    "model.num_layers=1", "model.orientations.num_orientations=6",
)  # fmt: skip


def frame(symbols: str, rng: np.random.Generator, per_atom: float = 0.0) -> Atoms:
    """Springs between all pairs plus a fixed energy per element."""
    count = len(symbols)
    place = np.arange(count)
    pos = np.stack([1.2 * place, 0.7 * (place % 2), 0.3 * (place % 3)], 1)
    pos += rng.normal(0, 0.08, (count, 3))
    apart = pos[:, None] - pos[None]
    distance = np.linalg.norm(apart, axis=-1) + np.eye(count)
    off = (distance - 1.3) * (1 - np.eye(count))
    atoms = Atoms(list(symbols), pos)
    atoms.calc = SinglePointCalculator(
        atoms, energy=0.5 * (off**2).sum() + sum(FREE[s] + per_atom for s in symbols),
        forces=-2.0 * (off[..., None] * apart / distance[..., None]).sum(1),
    )  # fmt: skip
    return atoms


def written(path: Path, kinds: tuple[str, ...], count: int, seed: int = 0, **options) -> Path:
    rng = np.random.default_rng(seed)
    frames = [frame(kinds[i % len(kinds)], rng, **options) for i in range(count)]
    write(path, frames, format="extxyz")
    return path


class Trained:
    """Train in a separate folder, once for each name, and return the run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, file: Path, *words: str) -> Path:
        from geozoo.cli._launch import launch

        target = self.folder / name
        if not target.exists():
            launch([*WORDS, f"dataset.path={file}", f"run_dir={target}", *words])
        return target
