"""A small run for every kind of task and every family of models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from qm9_samples import write_qm9

EPOCHS = 8
_COMMON = (
    "recipe=none", "trainer.accelerator=cpu", f"trainer.max_epochs={EPOCHS}", "optimizer.lr=1e-3",
    "trainer.check_val_every_n_epoch=1", "schedule.warmup_epochs=1", "ema_decay=0.9",
)  # fmt: skip
_PONITA = (
    "model=ponita", "model.hidden_channels=8", "model.kernel.basis_channels=8",
    "model.num_layers=2", "model.orientations.num_orientations=4",
)  # fmt: skip
_MOLECULES = ("dataset=extxyz", "dataset.path=frames.xyz")
_TRAFFIC = (
    "dataset=traffic_synthetic", "dataset.num_sensors=6", "dataset.num_days=7",
    "trainer.limit_train_batches=4", "trainer.limit_val_batches=2", "trainer.limit_test_batches=2",
)  # fmt: skip
#: Words of each pair.
PAIRS: dict[str, tuple[str, ...]] = {
    "ponita-potential": (*_PONITA, *_MOLECULES),
    "ponita-dynamics": (
        *_PONITA, "dataset=nbody", "dataset.source=generate", "dataset.num_train=40",
        "dataset.loader.batch_size=20", "trainer.limit_val_batches=1",
        "trainer.limit_test_batches=1", "task.test_rotations=1",
    ),
    "ponita-regression": (*_PONITA, "dataset=qm9", "dataset.split=random"),
    "ponita-generation": (
        *_PONITA, "dataset=qm9_generation", "dataset.split=random",
        "model.kernel.condition_channels=1", "task.test_samples=4", "task.val_samples=2",
        "task.sample_every=2", "task.process.num_steps=3",
    ),
    "ponita-images": (*_PONITA, "dataset=labelled_images", "dataset.path=images.npz"),
    "egnn-potential": ("model=egnn", "model.hidden_channels=8", *_MOLECULES),
    "schnet-potential": ("model=schnet", "model.hidden_channels=8", *_MOLECULES),
    "painn-potential": ("model=painn", "model.hidden_channels=8", *_MOLECULES),
    "tensornet-potential": ("model=tensornet", "model.hidden_channels=8", *_MOLECULES),
    "nequip-potential": (
        "model=nequip", "model.hidden_channels=4", "model.degree=1", "model.num_layers=2",
        *_MOLECULES,
    ),
    "mace-potential": (
        "model=mace", "model.hidden_channels=4", "model.degree=1", "model.correlation=2",
        *_MOLECULES,
    ),
    "segnn-potential": (
        "model=segnn", "model.hidden_channels=4", "model.num_layers=2", *_MOLECULES,
    ),
    "platonic-potential": (
        "model=platonic", "model.hidden_channels=8", "model.num_layers=2", *_MOLECULES,
    ),
    "gram_ode-forecasting": ("model=gram_ode", *_TRAFFIC),
    "stgode-forecasting": ("model=stgode", *_TRAFFIC),
    "stid-quantiles": ("model=stid", "task=quantile_forecasting", *_TRAFFIC),
    **{
        f"{name}-forecasting": (f"model={name}", *_TRAFFIC)
        for name in ("stid", "stgcn", "dcrnn", "graph_wavenet", "agcrn", "staeformer",
                     "per_sensor_linear")
    },
}  # fmt: skip


def command(pair: str) -> list[str]:
    """The words of a pair's run."""
    return [*PAIRS[pair], *_COMMON]


def write_files(folder: Path) -> None:
    """The files that the pairs read."""
    draw = np.random.default_rng(0)
    frames = []
    for _ in range(20):
        atoms = Atoms("COHH", draw.normal(size=(4, 3)) * 1.5)
        energy = float((atoms.get_all_distances() ** 2).sum())
        atoms.calc = SinglePointCalculator(
            atoms, energy=energy, forces=draw.normal(size=(4, 3)) * 0.1
        )
        frames.append(atoms)
    write(folder / "frames.xyz", frames, format="extxyz")
    images = {
        f"{part}_{what}": draw.integers(0, 255 if what == "images" else 2, size, dtype=np.uint8)
        for part, count in (("train", 8), ("val", 4), ("test", 4))
        for what, size in (("images", (count, 4, 4)), ("labels", (count, 1)))
    }
    np.savez(folder / "images.npz", **images)
    write_qm9(folder / "data")
