"""Forces and stress of every physical term against finite differences, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("ase")
from ase.build import bulk, molecule

from geozoo.data import GeometricSpec, GraphBatch, GraphStore
from geozoo.tasks import Terms

ELEMENTS = (11, 17)
CHARGES = {"Na": 0.9, "Cl": -0.9, "K": 1.0}
SPEC = GeometricSpec(
    level="graph", dim=3, in_channels=2, out_channels=1, elements=ELEMENTS, target="energy",
    units={"energy": "meV"}, statistics={"energy_shift": 0.0, "energy_scale": 1.0},
)  # fmt: skip
CHOICES: dict[str, dict[str, Any]] = {
    "zbl": {"zbl": True},
    "d3": {"d3": "pbe", "d3_cutoff": 7.0},
    "charges": {"charges": CHARGES},
    "sum": {"zbl": True, "d3": "pbe", "d3_cutoff": 7.0, "charges": CHARGES},
}
LIBRARIES = {"zbl": (), "d3": ("torch_dftd",), "charges": ("torchpme",)}


def structures() -> GraphBatch:
    """A compressed, strained crystal, a molecule, and two crystals of other sizes."""
    rng = np.random.default_rng(0)
    crystals = [bulk("NaCl", "rocksalt", a=a).repeat(r) for a, r in ((3.6, 1), (4.2, (2, 1, 1)))]
    every = [crystals[0], molecule("NaCl"), crystals[1]]
    for atoms in every:
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.05 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.positions += 0.1 * rng.normal(size=(len(atoms), 3))
    numbers = np.concatenate([atoms.numbers for atoms in every])
    x = torch.tensor(numbers)[:, None] == torch.tensor(ELEMENTS)
    node = {
        "pos": torch.tensor(np.concatenate([atoms.positions for atoms in every])), "x": x.double(),
    }  # fmt: skip
    graph = {
        "cell": torch.tensor(np.stack([atoms.cell.array for atoms in every])),
        "pbc": torch.tensor(np.stack([atoms.pbc for atoms in every])),
    }
    sizes = torch.tensor([len(atoms) for atoms in every])
    return GraphStore(sizes, node=node, graph=graph).gather(torch.arange(len(every)))


@pytest.mark.parametrize("choice", CHOICES)
def test_forces_and_virials_are_derivatives(choice: str) -> None:
    for name in LIBRARIES.get(choice, ("torch_dftd", "torchpme")):
        pytest.importorskip(name)
    terms, batch, step = Terms(**CHOICES[choice]).build(SPEC), structures(), 1e-4
    assert terms is not None
    found = terms(batch)
    assert found.energy.abs().min() > 1 and found.virial is not None
    for node, axis in ((0, 0), (3, 2), (5, 1)):
        change = torch.zeros_like(batch.pos)
        change[node, axis] = step
        up, down = (terms(batch.replace(pos=batch.pos + s * change)) for s in (1, -1))
        slope = (up.energy - down.energy).sum() / (2 * step)
        torch.testing.assert_close(found.force[node, axis], -slope, atol=1e-3, rtol=1e-6)
    for row, column in ((0, 0), (1, 2), (0, 2)):
        strain = torch.zeros(3, 3).double()
        strain[row, column] += step / 2
        strain[column, row] += step / 2
        ends = []
        for sign in (1, -1):
            bent = batch.replace(
                pos=batch.pos + sign * batch.pos @ strain,
                cell=batch.cell + sign * batch.cell @ strain,
            )
            ends.append(terms(bent).energy)
        slope = (ends[0] - ends[1]) / (2 * step)
        torch.testing.assert_close(found.virial[:, row, column], -slope, atol=2e-2, rtol=1e-6)
    torch.testing.assert_close(found.virial, found.virial.mT)
    net = torch.zeros(3, 3).double().index_add(0, batch.batch, found.force)
    torch.testing.assert_close(net, torch.zeros_like(net), atol=1e-6, rtol=0)


def test_the_sum_of_terms_is_their_sum() -> None:
    pytest.importorskip("torch_dftd")
    pytest.importorskip("torchpme")
    batch = structures()
    parts = [Terms(**CHOICES[name]).build(SPEC)(batch) for name in ("zbl", "d3", "charges")]
    total = Terms(**CHOICES["sum"]).build(SPEC)(batch)
    for name in ("energy", "force", "virial"):
        expected = sum(getattr(part, name) for part in parts)
        torch.testing.assert_close(getattr(total, name), expected)


@pytest.mark.parametrize(
    ("charges", "message"),
    [
        ({"Na": 1.0}, "for every element of the data; missing: Cl"),
        ({"Na": 1.0, "Cl": -1.0, "Xy": 0.0}, "chemical symbols as keys, got 'Xy'"),
    ],
)
def test_charges_must_cover_the_elements(charges: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Terms(charges=charges).build(SPEC)
