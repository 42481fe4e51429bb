"""Periodic structures: supercells, strain, wrapping, slabs; the same for every network."""

import pytest
import torch
from torch import nn

from geozoo import models
from geozoo.geometry import neighbor_pairs
from geozoo.tasks._derivatives import energy_derivatives, volumes

RADIUS = 3.5
WIDE = {"hidden_channels": 8, "num_layers": 2, "radius": RADIUS}
NETWORKS = {
    "cgenn": lambda: models.CGENN(2, 1, **WIDE),
    "egnn": lambda: models.EGNN(2, 1, **WIDE),
    "schnet": lambda: models.SchNet(2, 1, **WIDE, num_basis=8),
    "painn": lambda: models.PaiNN(2, 1, **WIDE, num_basis=8),
    "tensornet": lambda: models.TensorNet(2, 1, **WIDE, num_basis=8),
    "tensornet loops": lambda: models.TensorNet(
        2, 1, **WIDE, num_basis=8, self_loops=True, window_on_basis=True
    ),
    "nequip": lambda: models.NequIP(2, 1, degree=1, radial_channels=8, **WIDE),
    "mace": lambda: models.MACE(2, 1, degree=1, blocks={"radial_channels": [8]}, **WIDE),
    "allegro": lambda: models.Allegro(2, 1, degree=1, tensor_channels=4, **WIDE),
    "segnn": lambda: models.SEGNN(2, 1, **WIDE),
    **{
        f"ponita {name} {backend}": lambda name=name, backend=backend: models.Ponita(
            2, 1, representation=name, level="graph", **WIDE,
            kernel={"basis_channels": 8, "backend": backend},
            orientations={"num_orientations": 12 if name == "frames" else 6},
        )
        for name, backend in (
            ("position", "auto"), ("bundle", "auto"), ("bundle", "fused"), ("bundle_full", "fused"),
            ("frames", "auto"), ("edges", "auto"),
        )
    },
}  # fmt: skip
# Triclinic, left-handed, and smaller than the cutoff.
CELL = torch.tensor([[2.4, 0.3, 0.0], [0.2, 0.1, 2.9], [-0.4, 3.1, 0.2]]).double()
POS = torch.tensor([[0.1, 0.2, -0.3], [1.3, 1.6, 1.1], [5.0, -1.4, 0.4]]).double()
X = torch.eye(2).double()[[0, 1, 0]]
ALL = torch.ones(3, dtype=torch.bool)


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    model = NETWORKS[name]().double()
    with torch.no_grad():  # away from zero gates and biases
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def derivatives(model, pos=POS, x=X, cell=CELL, pbc=ALL, batch=None):
    batch = torch.zeros(len(pos), dtype=torch.int64) if batch is None else batch
    cell, pbc = cell.reshape(-1, 3, 3), pbc.reshape(-1, 3)
    edges = model.neighbors(pos, batch, num_graphs=len(cell), cell=cell, pbc=pbc)
    inputs = {"pos": pos, "x": x, "batch": batch, "edge_index": edges, "num_graphs": len(cell)}
    return energy_derivatives(model, inputs, create_graph=False, with_virial=True)


def close(one, other, tol=1e-10):
    torch.testing.assert_close(one, other, rtol=tol, atol=tol)


def supercell(repeats: tuple[int, int, int], shear: torch.Tensor):
    """Positions and cell of a supercell whose vectors are integer combinations of the cell's."""
    steps = torch.cartesian_prod(*(torch.arange(n) for n in repeats)).double() @ CELL
    cell = shear.double() @ (torch.tensor(repeats).double().diag() @ CELL)
    return (POS + steps[:, None]).reshape(-1, 3), X.repeat(len(steps), 1), cell


@pytest.mark.parametrize("name", NETWORKS)
def test_supercells_give_the_same_energy_forces_and_stress(name):
    model = made(name)
    one = derivatives(model)
    assert one.virial is not None and float(one.virial.abs().max()) > 1e-6
    sheared = torch.tensor([[1, 0, 0], [1, 1, 0], [0, -1, 1]])
    for shear in (torch.eye(3), sheared):
        pos, x, cell = supercell((2, 2, 2), shear)
        many = derivatives(model, pos, x, cell)
        close(many.energy, 8 * one.energy)
        close(many.force, one.force.repeat(8, 1))
        close(many.virial, 8 * one.virial)


@pytest.mark.thorough
@pytest.mark.parametrize("name", NETWORKS)
def test_stress_is_the_derivative_of_the_energy(name):
    model = made(name)
    virial, step = derivatives(model).virial[0], 1e-5
    close(virial, virial.T)
    for row, column in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        energies = []
        for sign in (1, -1):
            strain = torch.zeros(3, 3).double()
            strain[row, column] += sign * step / 2
            strain[column, row] += sign * step / 2
            bent = torch.eye(3) + strain
            energies.append(derivatives(model, POS @ bent, X, CELL @ bent).energy)
        found = -(energies[0] - energies[1]) / (2 * step)
        close(found[0], virial[row, column], 1e-7)


@pytest.mark.parametrize("name", NETWORKS)
def test_wrapping_atoms_and_moving_all_changes_nothing(name):
    model = made(name)
    one = derivatives(model)
    steps = torch.tensor([[0, 0, 0], [2, -1, 0], [-3, 1, 1]]).double()
    moved = derivatives(model, POS + steps @ CELL + torch.tensor([0.7, -2.0, 11.0]).double())
    for before, after in zip(one, moved, strict=True):
        close(after, before)


@pytest.mark.parametrize("name", ["painn", "nequip", "ponita bundle auto", "ponita edges auto"])
def test_slabs_do_not_depend_on_the_vector_across(name):
    model = made(name)
    slab = torch.tensor([True, True, False])
    found = []
    for third in ([0.0, 0.0, 0.0], [-0.4, 3.1, 0.2], [0.0, 300.0, 0.0]):
        cell = torch.cat([CELL[:2], torch.tensor([third]).double()])
        found.append(derivatives(model, cell=cell, pbc=slab))
    thick = torch.cat([CELL[:2], torch.tensor([[0.0, 300.0, 0.0]]).double()])
    found.append(derivatives(model, cell=thick, pbc=ALL))
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            close(one, two)


@pytest.mark.parametrize("name", ["egnn", "tensornet", "ponita bundle auto", "ponita edges auto"])
def test_a_batch_may_mix_crystals_slabs_and_molecules(name):
    model = made(name)
    parts = [(CELL, ALL), (CELL, torch.tensor([True, False, False])), (0 * CELL, ~ALL)]
    alone = [derivatives(model, cell=cell, pbc=pbc) for cell, pbc in parts]
    together = derivatives(
        model, POS.repeat(3, 1), X.repeat(3, 1), torch.stack([cell for cell, _ in parts]),
        torch.stack([pbc for _, pbc in parts]), torch.arange(3).repeat_interleave(3),
    )  # fmt: skip
    for name in ("energy", "force", "virial"):
        close(getattr(together, name), torch.cat([getattr(each, name) for each in alone]))
    # Of a molecule, the virial is the sum of positions times forces.
    force = together.force[6:]
    product = POS.T @ force
    close(together.virial[2], (product + product.T) / 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: models.EGNN(2, 1, hidden_channels=8, num_layers=1),
        lambda: models.Ponita(2, 1, hidden_channels=8, num_layers=1),
        lambda: models.Ponita(2, 1, hidden_channels=8, num_layers=1, kernel={"backend": "fused"}),
        lambda: models.Rapidash(2, 1, hidden_channels=8, scales={"layers": [1]}),
    ],
)
def test_a_model_without_cutoff_is_refused(make):
    model = make().double()
    with pytest.raises(ValueError, match="radius must be set for periodic structures"):
        derivatives(model)


def test_volumes_are_those_of_crystals_only():
    cells = torch.stack([CELL, 0 * CELL])
    volume, has_volume = volumes(cells, torch.tensor([[True] * 3, [True, True, False]]))
    assert has_volume.tolist() == [True, False]
    assert float(volume[0]) == pytest.approx(abs(float(CELL.det())))


def test_pairs_are_listed_once():
    pairs = neighbor_pairs(
        POS, RADIUS, torch.zeros(3, dtype=torch.int64), 1, cell=CELL[None], pbc=ALL[None]
    )
    assert bool((pairs.index[0] <= pairs.index[1]).all())
    assert bool((pairs.index[0] == pairs.index[1]).any())  # an atom is its own neighbour
