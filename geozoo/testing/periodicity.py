"""Check that a model with a cutoff is right for periodic structures."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from geozoo.contracts import supports_cells
from geozoo.geometry import neighbor_pairs
from geozoo.testing._run import Outputs, compare, full_precision
from geozoo.testing.tolerances import Tolerance

#: Step and tolerance of finite differences under strain.
_STEP, _DIFFERENCES = 1e-5, Tolerance(1e-6, 1e-8)
#: Lengths in units of the cutoff: of lattice vectors, so that atoms see their own images, and of a
#: vector across a slab, so that it does not see its own.
_SHORT, _LONG = 0.9, 100.0


class _Crystal(NamedTuple):
    """One structure: nodes, lattice vectors in rows, and periodic directions."""

    pos: Tensor
    x: Tensor | None
    vec: Tensor | None
    cell: Tensor
    pbc: Tensor

    def strained(self, strain: Tensor) -> _Crystal:
        bent = torch.eye(len(strain)).to(strain) + strain
        return self._replace(pos=self.pos @ bent, cell=self.cell @ bent)

    def doubled(self) -> _Crystal:
        """The supercell of twice the size in every direction, copy by copy."""
        dim = len(self.cell)
        steps = torch.cartesian_prod(*[torch.arange(2.0)] * dim).reshape(-1, dim).to(self.cell)
        count = len(steps)
        return self._replace(
            pos=(self.pos + (steps @ self.cell)[:, None]).flatten(0, 1), cell=2 * self.cell,
            x=None if self.x is None else self.x.repeat(count, 1),
            vec=None if self.vec is None else self.vec.repeat(count, 1, 1),
        )  # fmt: skip


def assert_periodic(
    model: nn.Module,
    *,
    in_channels: int | None = None,
    in_vectors: int | None = None,
    seed: int = 0,
    tolerance: Tolerance | None = None,
) -> None:
    """Check that a model with a cutoff is right for crystals, slabs and molecules.

    Energies (all outputs, summed with random weights), forces and virials are compared: those of a
    supercell, of a cell given by other lattice vectors, of atoms moved by lattice vectors, of a
    slab with and without a vector across it, of a batch of a crystal, a slab and a molecule, and of
    given neighbour pairs; the virial is compared with finite differences of the energy. The cell is
    smaller than the cutoff, so atoms are neighbours of their own images. A float64 copy in
    evaluation mode is checked, with noise added to its parameters: new networks may not depend on
    positions at all.

    Args:
        model: a geometric model whose ``neighbors`` takes ``cell``, ``pbc`` and ``pairs``, with an
            attribute ``radius``.
        in_channels: number of scalar inputs; None: the attribute of this name.
        in_vectors: number of vector inputs; None: the attribute of this name, or 0.
        seed: seed of structure and noise.
        tolerance: allowed deviation; None: that of float64.

    Raises:
        AssertionError: If a result is wrong; the message names the model, the quantity, its
            deviation, and where it was found.
    """
    name = type(model).__name__
    radius = getattr(model, "radius", None)
    if not supports_cells(model) or radius is None:
        raise AssertionError(
            f"{name} needs a method neighbors with the arguments cell, pbc and pairs, and a cutoff "
            f"as attribute radius, got radius {radius!r}"
        )
    channels = getattr(model, "in_channels", None) if in_channels is None else in_channels
    vectors = getattr(model, "in_vectors", 0) if in_vectors is None else in_vectors
    if channels is None:
        raise AssertionError(f"{name} has no attribute in_channels: pass in_channels=")
    generator = torch.Generator().manual_seed(seed)
    run = _Runs(model, generator)
    dim = int(getattr(model, "dim", 3))
    crystal = _crystal(float(radius), channels, vectors, dim, generator)
    with full_precision():
        for check in (_check_strain, _check_cells, _check_slabs, _check_batches):
            check(name, run, crystal, generator, tolerance)


def takes_cells(model: nn.Module) -> bool:
    """Whether a model supports periodic structures, and does not refuse them with its options."""
    if not supports_cells(model):
        return False
    dim = int(getattr(model, "dim", 3))
    cell = torch.eye(dim, dtype=torch.float64)[None]
    find: Callable[..., Any] = model.neighbors  # type: ignore[assignment]
    try:
        find(
            pos=cell[0, :1], batch=torch.zeros(1, dtype=torch.int64), edge_index=None,
            num_graphs=1, num_pairs=0, cell=cell, pbc=torch.ones(1, dim, dtype=torch.bool),
        )  # fmt: skip
    except ValueError:
        return False
    return True


class _Runs:
    """Energies, forces and virials of structures by a perturbed copy of a model."""

    def __init__(self, model: nn.Module, generator: torch.Generator) -> None:
        self.model = copy.deepcopy(model).double().cpu().eval()
        self.generator = torch.Generator().manual_seed(generator.initial_seed() + 1)
        with torch.no_grad():
            for parameter in self.model.parameters():
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.add_(0.1 * noise)
        self.weights: dict[int, Tensor] = {}

    def __call__(self, *graphs: _Crystal, with_pairs: bool = False, bare: bool = False) -> Outputs:
        """``energy [G]``, ``forces [N, dim]`` and ``virial [G, dim, dim]``.

        Args:
            graphs: the structures, as one batch.
            with_pairs: whether neighbour pairs are given.
            bare: whether cells are left out.
        """
        count = len(graphs)
        sizes = torch.tensor([len(each.pos) for each in graphs])
        batch = torch.repeat_interleave(torch.arange(count), sizes)
        pos = torch.cat([each.pos for each in graphs]).requires_grad_()
        cells: dict[str, Any] = {
            "cell": torch.stack([each.cell for each in graphs]),
            "pbc": torch.stack([each.pbc for each in graphs]),
        }
        if with_pairs:
            radius = float(self.model.radius)  # type: ignore[arg-type]
            cells["pairs"] = neighbor_pairs(pos.detach(), radius, batch, count, **cells)
        find: Callable[..., Any] = self.model.neighbors  # type: ignore[assignment]
        edges = find(
            pos=pos.detach(), batch=batch, edge_index=None, num_graphs=count,
            num_pairs=int((sizes * (sizes - 1) // 2).sum()), **({} if bare else cells),
        )  # fmt: skip
        strain = pos.new_zeros(count, pos.shape[1], pos.shape[1]).requires_grad_()
        symmetric = (strain + strain.mT) / 2
        inputs = {
            "pos": pos + torch.einsum("na,nab->nb", pos, symmetric[batch]),
            "x": _joined([each.x for each in graphs]),
            "batch": batch,
            "edge_index": self._strained(edges, symmetric, batch),
            "vec": _joined([each.vec for each in graphs]),
            "num_graphs": count,
        }
        if channels := getattr(self.model, "condition_channels", 0):
            inputs["condition"] = pos.new_ones(count, channels)
        energy = self._total(self.model(**inputs), batch, count)
        gradients = torch.autograd.grad(
            energy.sum(), [pos, strain], allow_unused=True, materialize_grads=True
        )
        forces, virial = (-gradient for gradient in gradients)
        return {"energy": energy.detach(), "forces": forces, "virial": virial}

    def _strained(self, edges: Any, strain: Tensor, batch: Tensor) -> Any:
        """The edges with strained shifts, as tasks compute the virial."""
        missing = [part for part in ("shift", "receiver", "with_shift") if not hasattr(edges, part)]
        if missing:
            raise AssertionError(
                f"{type(self.model).__name__}.neighbors must return edges with the shifts of "
                f"periodic images, as those of geozoo.nn.edges, got {type(edges).__name__} without "
                f"{', '.join(missing)}"
            )
        if edges.shift is None:
            return edges
        rows = strain[batch[edges.receiver]]
        return edges.with_shift(edges.shift + torch.einsum("na,nab->nb", edges.shift, rows))

    def _total(self, output: Any, batch: Tensor, count: int) -> Tensor:
        """All outputs of each graph, summed with random weights ``[G]``."""
        total = torch.zeros(count, dtype=torch.float64)
        for place, part in enumerate(output):
            if part is None:
                continue
            flat = part.flatten(1)
            if place not in self.weights:
                self.weights[place] = torch.randn(
                    flat.shape[1], generator=self.generator, dtype=torch.float64
                )
            rows = flat @ self.weights[place]
            is_by_graph = len(rows) == count
            total = total + (rows if is_by_graph else total.index_add(0, batch, rows) - total)
        return total


def _check_cells(
    name: str, run: _Runs, crystal: _Crystal, generator: torch.Generator,
    tolerance: Tolerance | None,
) -> None:  # fmt: skip
    dim = len(crystal.cell)
    one, copies = run(crystal), 2**dim
    repeated = one["forces"].repeat(copies, 1)
    many = {"energy": copies * one["energy"], "forces": repeated, "virial": copies * one["virial"]}
    what = f"in a supercell is not that of its {copies} cells"
    _compare(name, run(crystal.doubled()), many, what, tolerance)
    shear = torch.eye(dim).to(crystal.cell) + torch.ones(dim, dim).triu(1).to(crystal.cell)
    sheared = crystal._replace(cell=shear @ crystal.cell)
    _compare(name, run(sheared), one, "changes with other vectors of the same lattice", tolerance)
    steps = torch.arange(len(crystal.pos)).to(crystal.cell)[:, None] * (1.0 - torch.arange(dim))
    moved = crystal._replace(pos=crystal.pos + steps.to(crystal.cell) @ crystal.cell)
    _compare(name, run(moved), one, "changes when atoms move by lattice vectors", tolerance)
    what = "changes if neighbour pairs are given"
    _compare(name, run(crystal, with_pairs=True), one, what, tolerance)


def _check_strain(
    name: str, run: _Runs, crystal: _Crystal, generator: torch.Generator,
    tolerance: Tolerance | None,
) -> None:  # fmt: skip
    dim, virial = len(crystal.cell), run(crystal)["virial"]
    for _ in range(2):  # projections of the virial
        strain = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
        strain = (strain + strain.T) / 2
        up, down = (run(crystal.strained(s * _STEP * strain))["energy"] for s in (1, -1))
        slope = {"virial": (down - up) / (2 * _STEP)}
        what = "is not the derivative of the energy under strain, by finite differences"
        _compare(name, {"virial": (virial * strain).sum((1, 2))}, slope, what, _DIFFERENCES)


def _check_slabs(
    name: str, run: _Runs, crystal: _Crystal, generator: torch.Generator,
    tolerance: Tolerance | None,
) -> None:  # fmt: skip
    slab = _slab(crystal)
    across = slab.cell[-1:]
    expected = run(slab)
    length = _LONG * crystal.cell.norm(dim=1).max()
    for vector, pbc, what in (
        (0 * across, slab.pbc, "of zeros"), (length * across / across.norm(), slab.pbc, "far"),
        (length * across / across.norm(), crystal.pbc, "far, and periodic along it"),
    ):  # fmt: skip
        other = slab._replace(cell=torch.cat([slab.cell[:-1], vector]), pbc=pbc)
        what = f"of a slab changes with a lattice vector across it {what}"
        _compare(name, run(other), expected, what, tolerance)


def _check_batches(
    name: str, run: _Runs, crystal: _Crystal, generator: torch.Generator,
    tolerance: Tolerance | None,
) -> None:  # fmt: skip
    molecule = crystal._replace(cell=0 * crystal.cell, pbc=~crystal.pbc)
    graphs = (crystal, _slab(crystal), molecule)
    alone = [run(graph) for graph in graphs]
    _compare(name, alone[2], run(molecule, bare=True), "of a molecule needs a cell", tolerance)
    together = {key: torch.cat([each[key] for each in alone]) for key in alone[0]}
    what = "in a batch of a crystal, a slab and a molecule is not that of each alone"
    _compare(name, run(*graphs), together, what, tolerance)


def _compare(
    name: str, actual: Outputs, expected: Outputs, what: str, tolerance: Tolerance | None
) -> None:
    got, wanted = ({f"{name}: {k}": v for k, v in each.items()} for each in (actual, expected))
    compare(got, wanted, what, tolerance)


def _crystal(
    radius: float, channels: int, vectors: int, dim: int, generator: torch.Generator
) -> _Crystal:
    """Two atoms, one of them outside a skewed cell that is smaller than the cutoff."""
    options: dict[str, Any] = {"generator": generator, "dtype": torch.float64}
    cell = torch.eye(dim, dtype=torch.float64) + 0.1 * torch.randn(dim, dim, **options)
    cell = _SHORT * radius * cell.flip(0)  # left-handed
    fraction = torch.arange(2.0)[:, None] / 2 + 0.1 * torch.rand(2, dim, **options)
    fraction[1, 0] += 2
    return _Crystal(
        fraction @ cell,
        torch.randn(2, channels, **options) if channels else None,
        torch.randn(2, vectors, dim, **options) if vectors else None,
        cell, torch.ones(dim, dtype=torch.bool),
    )  # fmt: skip


def _slab(crystal: _Crystal) -> _Crystal:
    return crystal._replace(pbc=torch.arange(len(crystal.pbc)) < len(crystal.pbc) - 1)


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    known = [part for part in parts if part is not None]
    return torch.cat(known) if known else None
