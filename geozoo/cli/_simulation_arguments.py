"""The arguments of the commands that run a potential: relaxation, dynamics, vibrations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geozoo.cli._arguments import MODEL
from geozoo.cli._grammar import Arguments, key

_DTYPES = ("float32", "float64")


def _model() -> Any:
    return key(
        f"potential: {MODEL}; several, separated by commas, for their mean",
        place="alone", also=("model",),
    )  # fmt: skip


def _out(name: str) -> Any:
    return key(f"folder to create; default: <name of input>_{name}", default=None)


def _dtype(default: str | None) -> Any:
    text = "precision of the network"
    text += "" if default else "; default: that of its training"
    return key(text, default=default, choices=_DTYPES)


_FRAME = "number of the structure in the file, from 0; required if there are several"
_ANY = "also accept compositions whose energies the training set does not determine"


@dataclass(frozen=True, kw_only=True)
class Simulation(Arguments):
    """What these commands have in common."""

    checkpoint: str = _model()
    input: Path = key("structures, any file that ASE reads; fixed atoms stay fixed")
    any_composition: bool = key(_ANY, default=False)
    dtype: str | None = _dtype("float64")


@dataclass(frozen=True, kw_only=True)
class Relax(Simulation):
    """Relax structures, one after another, with ASE's optimizers."""

    out: Path | None = _out("relaxed")
    cell: bool = key("relax the cell as well", default=False)
    pressure: float = key("external pressure in GPa, with cell=true", default=0.0)
    fmax: float = key("largest force at the end, in eV/angstrom", default=0.01, least=1e-9)
    steps: int = key("largest number of steps per structure", default=500, least=0)
    optimizer: str = key(
        "optimizer of ASE", default="lbfgs", choices=("lbfgs", "bfgs", "fire")
    )  # fmt: skip
    examples = (
        "geozoo relax sevennet-0 input=molecules.xyz",
        "geozoo relax sevennet-0 input=silicon.cif cell=true fmax=1e-3 out=silicon",
    )


@dataclass(frozen=True, kw_only=True)
class Dynamics(Simulation):
    """Run molecular dynamics with ASE's integrators."""

    out: Path | None = _out("md")
    frame: int | None = key(_FRAME, default=None, least=0)
    dtype: str | None = _dtype(None)
    ensemble: str = key(
        "constant energy, temperature (Langevin), or pressure (Martyna-Tobias-Klein)",
        default="nvt", choices=("nve", "nvt", "npt"),
    )  # fmt: skip
    temperature: float = key("in kelvin, also of the first velocities", default=300.0, least=0)
    pressure: float = key("in GPa, of ensemble=npt", default=0.0)
    timestep: float = key("in fs", default=1.0, least=1e-6)
    steps: int = key("number of steps in total", default=1000, least=1)
    friction: float = key("of ensemble=nvt, in 1/fs", default=0.01, least=1e-9)
    every: int = key("steps between two frames, and two rows of the log", default=10, least=1)
    seed: int = key("random seed of velocities and noise", default=0, least=0, most=2**63 - 1)
    max_temperature: float | None = key(
        "stop above this temperature in kelvin; default: none for nve, at least five times the "
        "temperature for the others",
        default=None, least=0,
    )  # fmt: skip
    max_drift: float = key(
        "stop if the total energy changes by more, of ensemble=nve, in eV per atom",
        default=0.01, least=1e-12,
    )  # fmt: skip
    resume: bool = key("continue from the last frame in the folder out", default=False)
    examples = (
        "geozoo md sevennet-0 input=water.xyz ensemble=nve timestep=0.5 steps=2000",
        "geozoo md sevennet-0 input=silicon.cif temperature=600 steps=10000 out=hot",
        "geozoo md sevennet-0 input=silicon.cif temperature=600 steps=20000 out=hot resume=true",
    )


@dataclass(frozen=True, kw_only=True)
class Vibrations(Simulation):
    """Normal modes from the exact Hessian of a potential."""

    out: Path | None = _out("vibrations")
    frame: int | None = key(_FRAME, default=None, least=0)
    relax: bool = key("relax the positions first", default=False)
    fmax: float = key(
        "largest force in eV/angstrom: of relax=true, and without a warning", default=1e-3,
        least=1e-9,
    )  # fmt: skip
    steps: int = key("largest number of steps of relax=true", default=500, least=0)
    chunk: int = key("atoms differentiated at once; memory grows with it", default=256, least=1)
    examples = (
        "geozoo vibrations sevennet-0 input=water.xyz relax=true",
        "geozoo vibrations sevennet-0 input=silicon.cif",
    )
