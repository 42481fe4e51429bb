"""Neighbours found once for all graphs give the batches and energies of those found per batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from geozoo.data import GeometricSpec, GraphDataModule, GraphStore, LoadedData, LoaderOptions
from geozoo.geometry import neighbor_pairs
from geozoo.models import PaiNN, Ponita
from geozoo.tasks import Potential

RADIUS = 3.0


def store(kind: str, count: int = 6) -> GraphStore:
    """Graphs of one to five nodes, or large isolated ones."""
    generator = torch.Generator().manual_seed(0)
    sizes = torch.arange(count) % 5 + 1 if kind != "large" else torch.full((count,), 120)
    total = int(sizes.sum())
    pos = torch.randn(total, 3, generator=generator) * (1.5 if kind != "large" else 4.0)
    graph: dict[str, torch.Tensor] = {"energy": torch.zeros(count).double()}
    if kind in ("periodic", "mixed"):
        cell = 2.6 * torch.eye(3).double() + 0.2 * torch.rand(count, 3, 3, generator=generator)
        pbc = torch.ones(count, 3, dtype=torch.bool)
        if kind == "mixed":
            pbc[1::3], pbc[2::3, 2] = False, False
            cell[1::3] = 0
        graph |= {"cell": cell, "pbc": pbc}
    node = {"pos": pos, "x": torch.ones(total, 1), "forces": torch.zeros(total, 3)}
    return GraphStore(sizes, node=node, graph=graph)


class Data(GraphDataModule):
    def __init__(self, kind: str, count: int = 6) -> None:
        super().__init__(LoaderOptions(batch_size=2))
        self.kind, self.count = kind, count

    def load(self) -> LoadedData:
        graphs = store(self.kind, self.count)
        spec = GeometricSpec(
            level="graph", dim=3, in_channels=1, out_channels=1, target="energy",
            units={"energy": "meV", "forces": "meV/angstrom"},
            statistics={"energy_shift": 0.0, "energy_scale": 1.0},
        )  # fmt: skip
        order = torch.arange(len(graphs))
        return LoadedData(graphs, {"train": order[:3], "val": order[3:5], "test": order[5:]}, spec)


def painn(radius: float | None = RADIUS) -> nn.Module:
    torch.manual_seed(0)
    return PaiNN(1, 1, hidden_channels=4, num_layers=1, num_basis=4, radius=radius)


def ponita(radius: float | None = RADIUS) -> nn.Module:
    torch.manual_seed(0)
    return Ponita(
        1, 1, level="graph", radius=radius, hidden_channels=4, num_layers=1,
        kernel={"basis_channels": 4}, orientations={"num_orientations": 4},
    )  # fmt: skip


@pytest.mark.parametrize("network", [painn, ponita])
@pytest.mark.parametrize("kind", ["periodic", "mixed", "large", "small"])
def test_batches_and_energies_are_those_without_a_table(kind: str, network: Any) -> None:
    plain = store(kind)
    tabled = plain.with_neighbors(RADIUS)
    task = Potential(network(), Data(kind).spec)
    for index in ([0, 1, 2, 3, 4, 5], [4], [5, 0, 5], []):
        bare, batch = (s.gather(torch.tensor(index, dtype=torch.int64)) for s in (plain, tabled))
        cell, pbc = batch.get("cell"), batch.get("pbc")
        found = neighbor_pairs(batch.pos, RADIUS, batch.batch, len(index), cell=cell, pbc=pbc)
        image = torch.zeros(len(found.index[0]), 3) if found.image is None else found.image
        rows = torch.cat([found.index.T, image.long()], 1)
        mine = batch.get("pair_image")
        mine = torch.zeros(batch.pairs.shape[1], 3) if mine is None else mine
        mine = torch.cat([batch.pairs.T, mine.long()], 1)
        assert sorted(rows.tolist()) == sorted(mine.tolist())
        if not index:
            continue
        for name, value in task.predict(bare).items():
            tabled_value = task.predict(batch)[name]
            torch.testing.assert_close(tabled_value, value, rtol=1e-4, atol=1e-5, equal_nan=True)


def test_a_table_moves_and_is_pickled_with_its_store() -> None:
    tabled = store("mixed").with_neighbors(RADIUS)
    moved = tabled.to("meta")
    assert moved.neighbors.index.device.type == moved.neighbors.image.device.type == "meta"
    assert moved.neighbors.radius == RADIUS
    batch = tabled.gather([0, 2])
    assert batch.to("cpu").neighbor_radius == batch.replace(pos=batch.pos).neighbor_radius == RADIUS
    assert tabled.nbytes > store("mixed").nbytes


def served(kind: str, model: nn.Module, count: int = 6) -> Data:
    data = Data(kind, count)
    data.setup()
    data.serve(model)
    return data


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize("kind", ["isolated", "periodic"])
def test_the_whole_store_is_the_batch_of_all_graphs(kind: str, count: int) -> None:
    for graphs in (store(kind, count), store(kind, count).with_neighbors(RADIUS)):
        whole, gathered = graphs.whole(), graphs.gather(torch.arange(count))
        assert set(whole) == set(gathered)
        for name in whole:
            torch.testing.assert_close(
                getattr(whole, name), getattr(gathered, name), rtol=0, atol=0
            )
        for name in ("num_graphs", "num_pairs", "neighbor_radius"):
            assert getattr(whole, name) == getattr(gathered, name)
    assert whole.pos.data_ptr() == graphs.node["pos"].data_ptr(), "nothing is copied"


@pytest.mark.parametrize("kind", ["periodic", "mixed", "large"])
def test_training_and_validation_use_it(kind: str) -> None:
    data = served(kind, painn())
    for loader in (data.train_dataloader(), data.val_dataloader()):
        assert all(batch.neighbor_radius == RADIUS for batch in loader)


def test_small_molecules_and_models_without_a_cutoff_do_without() -> None:
    for data in (served("small", painn()), served("large", ponita(None))):
        assert all(batch.neighbor_radius is None for batch in data.train_dataloader())


def test_a_table_of_another_cutoff_is_not_used() -> None:
    data = served("periodic", painn(2.0))
    assert {batch.neighbor_radius for batch in data.train_dataloader()} == {2.0}
    data.serve(painn())
    assert {batch.neighbor_radius for batch in data.train_dataloader()} == {RADIUS}
    task = Potential(painn(), data.spec)
    foreign = store("periodic").with_neighbors(2.0).gather([0, 1, 2])
    bare = store("periodic").gather([0, 1, 2])
    assert torch.equal(task.predict(foreign)["energy"], task.predict(bare)["energy"])
    # Of a model without cells, nothing is kept.
    data.serve(nn.Linear(1, 1))
    assert data._cutoff is None


def test_cells_survive_pytorch_geometric() -> None:
    pytest.importorskip("torch_geometric")
    for sizes in ([1, 1], [3, 3], [1, 3]):
        plain = store("periodic", 2)
        total = sum(sizes)
        graphs = GraphStore(
            torch.tensor(sizes),
            node={"pos": torch.randn(total, 3)},
            graph={name: plain.graph[name] for name in ("cell", "pbc")},
        )
        again = GraphStore.from_pyg(graphs.to_pyg_list())
        assert again.graph.keys() == graphs.graph.keys()
        assert all(torch.equal(again.graph[name], value) for name, value in graphs.graph.items())
        fields = next(graphs.with_neighbors(RADIUS).gather([1]).graphs())
        assert torch.equal(fields["cell"][0], graphs.graph["cell"][1])
