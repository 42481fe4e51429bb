"""A tiny set of crystals, slabs and molecules with some targets missing."""

from __future__ import annotations

import torch

from geozoo.data import GeometricSpec, GraphDataModule, GraphStore, LoadedData, LoaderOptions


class MixedData(GraphDataModule):
    """Twelve crystals, six slabs and six molecules of one to four atoms, in float64."""

    def __init__(
        self, *, batch_size: int = 4, with_masks: bool = True, with_cells: bool = True
    ) -> None:
        super().__init__(LoaderOptions(batch_size=batch_size))
        self.with_masks, self.with_cells = with_masks, with_cells

    def load(self) -> LoadedData:
        """Make the structures."""
        generator = torch.Generator().manual_seed(3)

        def random(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        count = 24
        sizes = torch.arange(count) % 4 + 1
        total, kind = int(sizes.sum()), torch.arange(count) % 4
        cell = 2.5 * torch.eye(3).double() + 0.3 * random(count, 3, 3)
        pbc = torch.ones(count, 3, dtype=torch.bool)
        pbc[kind == 2, 2] = False
        pbc[kind == 3] = False
        cell[kind == 3] = 0
        stress = random(count, 3, 3)
        stress = stress + stress.mT
        has_stress = (kind < 2) & (torch.arange(count) % 3 > 0)
        has_forces = torch.arange(count) % 5 > 0
        owner = torch.repeat_interleave(torch.arange(count), sizes)
        forces = 5 * random(total, 3)
        node = {
            "pos": 1.5 * random(total, 3), "forces": forces,
            "x": torch.eye(2).double()[torch.arange(total) % 2],
        }  # fmt: skip
        graph = {"energy": 10 * random(count) - 30 * sizes}
        units = {"energy": "meV", "forces": "meV/angstrom"}
        if self.with_cells:
            graph |= {"cell": cell, "pbc": pbc, "stress": stress}
            graph["has_stress"] = has_stress
            graph["stress"] = torch.where(has_stress[:, None, None], stress, 0.0)
            units |= {"stress": "meV/angstrom^3", "energy_per_atom": "meV"}
        if self.with_masks:
            graph["has_forces"] = has_forces
            graph["weight"] = torch.rand(count, generator=generator) + 0.5
            node["forces"] = torch.where(has_forces[owner, None], forces, 0.0)
        spec = GeometricSpec(
            level="graph", dim=3, in_channels=2, out_channels=1, target="energy", units=units,
            vector_fields=("pos", "forces", *(["cell"] if self.with_cells else [])),
            tensor_fields=("stress",) if self.with_cells else (),
            statistics={"energy_shift": -70.0, "energy_scale": 7.0},
        )  # fmt: skip
        order = torch.arange(count)
        splits = {"train": order[:12], "val": order[12:19], "test": order[19:]}
        return LoadedData(GraphStore(sizes, node=node, graph=graph), splits, spec)
