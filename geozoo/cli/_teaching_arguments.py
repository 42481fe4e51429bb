"""The arguments of the commands that label structures and teach small potentials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geozoo.cli._grammar import Arguments, key

_TEACHER = (
    "trained potential of the zoo, run folder or checkpoint; several, separated by commas, or the "
    "folder of an ensemble for their mean"
)
#: Keys of ``geozoo train`` that are passed on, beside those with a dot.
TRAINING_KEYS = (
    "optimizer", "schedule", "trainer", "logger", "recipe", "ema_decay", "ema_start",
    "early_stopping_patience", "init_from", "init_energies", "freeze", "adapter_rank",
    "adapter_layers", "adapter_trained",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Label(Arguments):
    """Label structures with energies, forces and stresses of a trained potential."""

    input: Path = key("structures in angstrom: any file that ASE reads")
    teacher: str = key(_TEACHER)
    out: Path = key(
        "file to write, .xyz or .extxyz in eV and angstrom, as dataset=extxyz reads it; an "
        "interrupted labelling continues", also=("output",),
    )  # fmt: skip
    skip_bad: bool = key(
        "leave out structures that cannot be labelled, with a warning; otherwise they are an error",
        default=False,
    )
    any_composition: bool = key(
        "label compositions whose energies the training set of the teacher does not determine",
        default=False,
    )
    examples = (
        "geozoo label input=frames.xyz teacher=sevennet-0 out=labelled.xyz",
        "geozoo label input=frames.xyz teacher=run_0,run_1 out=labelled.xyz   # mean and spread",
    )


@dataclass(frozen=True, kw_only=True)
class Distil(Arguments):
    """Teach a small potential with a large one, around a few structures of your own."""

    teacher: str = key(_TEACHER)
    data: Path = key("your structures in angstrom: any file that ASE reads")
    student: str = key("model to train; see `geozoo list models`", also=("model",))
    out: Path = key(
        "folder for structures, labels, run and report; an interrupted distillation continues",
        default=Path("distilled"),
    )
    temperatures: tuple[float, ...] = key(
        "temperatures of Langevin dynamics with the teacher, in K; []: none", default=(300.0, 600.0)
    )
    trajectories: int = key("trajectories per temperature", default=5, least=1)
    frames: int = key("structures per trajectory", default=20, least=1)
    steps: int = key("steps of dynamics between them", default=10, least=1)
    timestep: float | None = key(
        "time step in fs; default: 2, or 1 with hydrogen", default=None, least=0
    )
    rattled: int = key("structures with random displacements", default=60, least=0)
    rattle: float = key("their largest standard deviation in angstrom", default=0.1, least=0)
    strained: int = key("structures with a random strain, if periodic", default=60, least=0)
    strain: float = key("standard deviation of the strain", default=0.03, least=0)
    duplicate: float = key(
        "difference of neighbour distances in angstrom below which structures are near duplicates",
        default=0.005, least=0,
    )  # fmt: skip
    closest: float = key(
        "fraction of the sum of covalent radii below which atoms are too close",
        default=0.6, least=0,
    )  # fmt: skip
    reference: str = key(
        "energies of free atoms: those of the teacher, or fitted; auto: fitted where the data "
        "determine all of them", default="auto", choices=("auto", "isolated", "fitted"),
    )  # fmt: skip
    seed: int = key("seed of sampling, split and training", default=0, least=0, most=2**32 - 1)
    any_composition: bool = key(
        "also use a teacher whose training set does not determine these energies", default=False
    )
    changes: tuple[str, ...] = key(
        "plus any key of `geozoo train`: model.radius=..., trainer.max_epochs=..., recipe=...",
        default=(), place="others", also=TRAINING_KEYS,
    )  # fmt: skip
    examples = (
        "geozoo distil teacher=sevennet-0 data=mine.xyz student=painn",
        "geozoo distil teacher=sevennet-0 data=mine.xyz student=painn model.hidden_channels=64 "
        "trainer.max_epochs=50 temperatures=[300,900]",
    )
