"""Programs of potentials with a cutoff: in cells, for any number of atoms, without geozoo."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import numpy as np
import pytest
import torch
from exported_samples import (
    CUTOFF,
    NETWORKS,
    ROOT,
    SCRIPT,
    SMALL,
    expected,
    inputs_of_docs,
    local_potential,
    spec,
    structures,
)
from torch import nn
from trained_samples import trained

from geozoo import models
from geozoo.cli._arguments import Export
from geozoo.cli._commands import export
from geozoo.engines import PotentialEvaluator
from geozoo.hub import TrainedModel
from geozoo.hub.exporting import export_program, save_program
from geozoo.hub.publishing import write_model
from geozoo.report.screen import Screen
from geozoo.tasks import Potential


def check(program: Any, model: TrainedModel, tolerance: float = 1e-10) -> None:
    """Compare energy, forces and virial of a program with those of the model."""
    for name, atoms in structures().items():
        found = program(*inputs_of_docs(atoms, model.dtype))
        for part, wanted in zip(found, expected(model, atoms), strict=True):
            scale = max(1.0, float(np.abs(wanted).max()))
            np.testing.assert_allclose(
                part.double() / scale, wanted / scale, rtol=0, atol=tolerance, err_msg=name
            )


@pytest.mark.thorough
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_with_a_cutoff_is_exported(name):
    model = local_potential(name)
    check(export_program(model).module(), model)


@pytest.mark.thorough
def test_single_precision_and_unknown_elements():
    network = models.SchNet(4, 1, hidden_channels=4, num_layers=1, num_basis=4, radius=CUTOFF)
    model = trained(Potential(network, spec()))
    program = export_program(model).module()
    check(program, model, 1e-4)
    numbers, *others = inputs_of_docs(structures()["crystal"], torch.float32)
    numbers[2] = 99
    assert all(part.isnan().all() for part in program(numbers, *others))


@pytest.mark.thorough
def test_from_the_command_to_a_script_without_geozoo(tmp_path):
    node = {"_target_": "geozoo.models.SchNet", "in_channels": 4, "out_channels": 1, "num_basis": 8}
    model = local_potential("schnet")
    write_model(
        tmp_path / "model", name="tiny", model=node | SMALL, precision="float64",
        task={"_target_": "geozoo.tasks.Potential"}, data=model.spec.to_dict(),
        state=model.task.state_dict(),
    )  # fmt: skip
    export(
        Export(checkpoint=str(tmp_path / "model"), out=tmp_path / "model.pt2"),
        Screen(is_quiet=True),
    )
    script = f'import sys; sys.modules["geozoo"] = None\n{SCRIPT}\n'
    script += "np.savez('out.npz', energy, forces, *virial)\n"
    for name in ("molecule", "crystal"):
        atoms = structures()[name]
        ase.io.write(tmp_path / "structure.extxyz", atoms)
        atoms = ase.io.read(tmp_path / "structure.extxyz")  # with the digits of the file
        subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
        with np.load(tmp_path / "out.npz") as found:
            for part, wanted in zip(found.values(), expected(model, atoms), strict=True):
                scale = max(1.0, float(np.abs(wanted).max()))
                np.testing.assert_allclose(part / scale, wanted / scale, rtol=0, atol=1e-10)


@pytest.mark.thorough
def test_the_script_of_the_docs_takes_a_molecule_without_a_cutoff(tmp_path):
    export(
        Export(checkpoint="ponita-rmd17_ethanol", out=tmp_path / "model.pt2"), Screen(is_quiet=True)
    )
    atoms = ase.build.molecule("CH3CH2OH")
    ase.io.write(tmp_path / "structure.extxyz", atoms)
    script = f'import sys; sys.modules["geozoo"] = None\n{SCRIPT}\n'
    script += "assert not virial\nnp.savez('out.npz', energy, forces)\n"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    wanted = PotentialEvaluator("ponita-rmd17_ethanol").evaluate(atoms.positions, atoms.numbers)
    with np.load(tmp_path / "out.npz") as found:
        energy, forces = (part / 1000 for part in found.values())  # meV
    assert energy == pytest.approx(wanted.energy, rel=1e-7)
    np.testing.assert_allclose(forces, wanted.forces, atol=1e-5)


@pytest.mark.thorough
def test_repulsion_is_part_of_the_program():
    model = local_potential("schnet", {"terms": {"zbl": True}})
    plain = local_potential("schnet")
    crystal = structures()["crystal"]
    assert abs(expected(model, crystal)[0] - expected(plain, crystal)[0]) > 1
    check(export_program(model).module(), model)


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_program_in_python_and_in_cpp(tmp_path):
    network = models.SchNet(4, 1, hidden_channels=4, num_layers=1, num_basis=4, radius=CUTOFF)
    model = trained(Potential(network, spec())).cast(torch.float64)
    save_program(model, tmp_path / "fast.pt2", compiled=True)
    program = torch._inductor.aoti_load_package(str(tmp_path / "fast.pt2"))
    about = program.get_metadata()
    assert (about["cutoff"], about["elements"]) == (str(CUTOFF), "6,1,8")
    check(program, model)
    folder = Path(torch.__file__).parent
    command = [
        "g++", "-std=c++20", ROOT / "examples/potential.cpp", "-o", tmp_path / "potential",
        f"-I{folder}/include", f"-L{folder}/lib", f"-Wl,-rpath,{folder}/lib", "-ltorch",
        "-ltorch_cpu", "-lc10",
    ]  # fmt: skip
    subprocess.run(list(map(str, command)), check=True)
    crystal, molecule = structures()["crystal"], structures()["molecule"]
    isolated = molecule.copy()
    isolated.cell[:] = 0
    for shown, atoms in ((crystal, crystal), (isolated, molecule)):
        rows = np.column_stack([shown.numbers, shown.positions])
        text = [str(len(shown)), *(" ".join(map(repr, row)) for row in shown.cell.tolist())]
        text += [f"{int(z)} {x!r} {y!r} {w!r}" for z, x, y, w in rows.tolist()]
        (tmp_path / "structure.txt").write_text("\n".join(text))
        run = [tmp_path / "potential", tmp_path / "fast.pt2", tmp_path / "structure.txt"]
        out = subprocess.run(list(map(str, run)), check=True, capture_output=True, text=True)
        found = np.array(out.stdout.split(), dtype=float)
        energy, forces, _ = expected(model, atoms)
        np.testing.assert_allclose(found[0], energy[0], rtol=1e-12)
        np.testing.assert_allclose(found[1:].reshape(-1, 3), forces, rtol=1e-10, atol=1e-9)


class Fixed(models.SchNet):
    """A network that a tracer would fix to one number of atoms."""

    def evaluate(self, pos: Any, x: Any, vec: Any, edges: Any) -> Any:
        scalar, vector = super().evaluate(pos, x, vec, edges)
        assert scalar is not None
        return scalar / len(pos), vector


class Listless(nn.Module):
    """A network without a neighbour list."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


def refused(network: nn.Module, message: str, **options: Any) -> None:
    with pytest.raises(ValueError, match=message):
        export_program(trained(Potential(network, spec(), **options)))


@pytest.mark.thorough
def test_a_network_for_one_number_of_atoms_is_refused():
    fixed = Fixed(4, 1, hidden_channels=4, num_layers=1, num_basis=4, radius=CUTOFF)
    refused(fixed, "tiny cannot be exported: Fixed cannot be traced for any number of atoms")


def test_what_cannot_be_exported_is_refused_with_the_reason():
    refused(Listless(), "Listless does not accept a precomputed neighbour list")
    network = models.SchNet(4, 1, radius=CUTOFF)
    charges = {"terms": {"charges": {"C": 0.3, "H": 0.1, "O": -0.5}}}
    refused(network, "FixedCharges needs all pairs .* end at the cutoff .* 3.5", **charges)
    short = models.SchNet(4, 1, radius=1.0)
    refused(short, r"ZBLRepulsion needs 1\.52 angstrom, but .* 1 angstrom", terms={"zbl": True})
    complete = models.Ponita(
        4, 1, representation="edges", radius=2.0, orientations={"interaction": "complete"}
    )
    refused(complete, 'interaction="complete" does not support periodic structures')
    lattice = models.Ponita(4, 1, lattice=[2, 2, 2], kernel={"backend": "lattice"})
    refused(lattice, "Ponita finds its neighbours by itself")
