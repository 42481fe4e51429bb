"""Neighbour lists of isolated and periodic systems, at linear cost.

A neighbour list holds each relation between two atoms once, as pairs of a sender (row 0)
and a receiver; `geozoo.geometry.edge_vectors` defines their vector.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from geozoo.geometry._cells import Wrapped, completed_cells, per_atom, spans_of, wrapped
from geozoo.geometry._neighbor_backends import (
    Search,
    installed,
    nvalchemi_search,
    torch_search,
    vesin_search,
)
from geozoo.geometry._neighbor_memory import (
    check_search_fits,
    check_test_fits,
    largest_number_of_pairs,
)
from geozoo.geometry._neighbor_order import canonical
from geozoo.geometry._pairs import check_finite, complete_pairs, edge_vectors, graph_sizes

_SEARCHES = {"torch": torch_search, "vesin": vesin_search, "nvalchemi": nvalchemi_search}
_MODULES = {"vesin": "vesin", "nvalchemi": "nvalchemiops"}
_PACKAGES = {"vesin": "vesin", "nvalchemi": "nvalchemi-toolkit-ops warp-lang"}
BACKENDS = ("auto", "all_pairs", *_SEARCHES)
#: Largest graph for which testing all pairs is faster than a search.
_FEW_ATOMS = 200


class NeighborPairs(NamedTuple):
    """Neighbour relations, each once.

    The vector of a pair is ``pos[index[0]] + image @ cell - pos[index[1]]``, with ``cell`` that of
    its graph and positions as they were given, inside the cell or not. The opposite edge has the
    rows of ``index`` exchanged and ``-image``.

    Attributes:
        index: ``[2, P]`` sender and receiver; the sender has the smaller index, or is the same atom
            in another periodic image. Sorted by sender, receiver and image.
        image: ``[P, 3]`` lattice vectors added to the sender. Two atoms may be neighbours through
            several images. An atom and its own image appear once: with the image whose first
            nonzero entry is positive. None: no graph is periodic.
    """

    index: Int[Tensor, "2 P"]  # type: ignore[assignment]  # a tuple has a method of this name
    image: Int[Tensor, "P 3"] | None

    def shifts(
        self, cell: Float[Tensor, "G 3 3"] | None, batch: Int[Tensor, " N"]
    ) -> Float[Tensor, "P 3"] | None:
        """Return ``image @ cell`` of each pair in the dtype of ``cell``; None without images.

        Args:
            cell: lattice vectors of each graph, in rows; required with images.
            batch: graph of each atom.

        Raises:
            ValueError: If the pairs have images and there is no cell.
        """
        if self.image is None:
            return None
        if cell is None:
            raise ValueError("cell must be given with neighbours across periodic boundaries")
        return per_atom(self.image.to(cell.dtype), cell, batch.index_select(0, self.index[0]))


def neighbor_pairs(
    pos: Float[Tensor, "N dim"],
    radius: float,
    batch: Int[Tensor, " N"],
    num_graphs: int | None = None,
    *,
    cell: Float[Tensor, "G 3 3"] | None = None,
    pbc: Bool[Tensor, "G 3"] | None = None,
    backend: str = "auto",
) -> NeighborPairs:
    """Return all pairs of atoms in the same graph, and of their images, closer than ``radius``.

    The number of neighbours is not limited, and an atom exactly at the cutoff is no neighbour. All
    backends return the same pairs in the same order: near the cutoff, distances are compared in the
    data type of ``pos``, as `edge_vectors` computes them.

    Args:
        pos: positions; three coordinates if ``cell`` is given. They may lie outside the cell.
        radius: cutoff in the unit of ``pos``, positive; may exceed the size of a cell.
        batch: graph of each atom, sorted.
        num_graphs: number of graphs, if trailing graphs may be empty.
        cell: lattice vectors of each graph in rows, in the unit of ``pos``; vectors of directions
            that are not periodic are ignored and may be zero.
        pbc: which directions are periodic: all, two (a slab), one (a wire) or none (a molecule).
        backend: ``all_pairs`` (quadratic; no periodic graphs), ``vesin`` (on the CPU),
            ``nvalchemi``, ``torch``, or ``auto``: all pairs for small molecules, otherwise vesin on
            the CPU and nvalchemi on a GPU where they are installed, otherwise torch.

    Raises:
        ValueError: If ``radius`` is not positive, or infinite for periodic graphs; ``batch`` is not
            sorted; ``pos`` or ``cell`` is not finite; shapes do not match; only one of ``cell`` and
            ``pbc`` is given; the vectors of periodic directions are linearly dependent; the backend
            is unknown or cannot handle the input.
        ImportError: If the library of the backend is not installed.
        MemoryError: If the expected list does not fit into the available memory.
    """
    if not radius > 0:
        raise ValueError(f"radius must be positive, got {radius!r}")
    check_finite(pos)
    counts = graph_sizes(batch, num_graphs)
    if cell is not None or pbc is not None:
        counts = _checked_cells(pos, cell, pbc, counts)
    if cell is None or pbc is None or not bool(pbc.any()):
        cell = pbc = None
    elif math.isinf(radius):
        raise ValueError("radius must be finite for periodic graphs, got inf")
    name = _chosen(backend, pos, radius, counts, periodic=cell is not None)
    if name == "all_pairs":
        return NeighborPairs(_tested_pairs(pos.detach(), radius, batch, counts), None)
    lattice = None if cell is None else cell.detach()
    return _searched(name, pos.detach(), radius, batch, counts, lattice, pbc)


def _checked_cells(pos: Tensor, cell: Tensor | None, pbc: Tensor | None, counts: Tensor) -> Tensor:
    """Check cells, and return the counts with those of trailing empty graphs."""
    if cell is None or pbc is None:
        given, missing = ("pbc", "cell") if cell is None else ("cell", "pbc")
        raise ValueError(f"cell and pbc must be given together, got {given} without {missing}")
    if pos.shape[1] != 3:
        raise ValueError(f"pos must have 3 coordinates with a cell, got {pos.shape[1]}")
    num_graphs = len(cell) if cell.dim() else 0
    if cell.shape != (num_graphs, 3, 3) or num_graphs < len(counts):
        raise ValueError(
            f"cell must have shape (G={len(counts)}, 3, 3), got {tuple(cell.shape)}"
        )  # fmt: skip
    if pbc.shape != (num_graphs, 3):
        raise ValueError(f"pbc must have shape (G={num_graphs}, 3), got {tuple(pbc.shape)}")
    if pbc.dtype != torch.bool:
        raise ValueError(f"pbc must be of dtype torch.bool, got {pbc.dtype}")
    if not bool(torch.isfinite(cell.detach()).all()):
        raise ValueError("cell must be finite, got NaN or infinite values")
    return torch.nn.functional.pad(counts, (0, num_graphs - len(counts)))


def _chosen(backend: str, pos: Tensor, radius: float, counts: Tensor, *, periodic: bool) -> str:
    """The backend to use, checked against the input."""
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    if backend == "auto":
        return _best(pos, radius, counts, periodic=periodic)
    if backend == "all_pairs":
        if periodic:
            raise ValueError("backend 'all_pairs' does not take periodic graphs; use 'torch'")
        return backend
    if math.isinf(radius):
        raise ValueError(f"radius must be finite for backend {backend!r}, got inf")
    if backend in _MODULES:
        if pos.shape[1] > 3:
            raise ValueError(f"backend {backend!r} takes at most 3 coordinates, got {pos.shape[1]}")
        if not installed(_MODULES[backend]):
            raise ImportError(
                f"backend {backend!r} needs a library: pip install {_PACKAGES[backend]}"
            )
    if backend == "vesin" and pos.device.type != "cpu":
        raise ValueError(f"backend 'vesin' runs on the CPU, pos is on {pos.device}")
    return backend


def _best(pos: Tensor, radius: float, counts: Tensor, *, periodic: bool) -> str:
    few = not periodic and (len(counts) == 0 or int(counts.max()) <= _FEW_ATOMS)
    if few or math.isinf(radius) or pos.shape[1] == 0:
        return "all_pairs"
    fastest = {"cpu": "vesin", "cuda": "nvalchemi"}.get(pos.device.type)
    if fastest and pos.shape[1] <= 3 and installed(_MODULES[fastest]):
        return fastest
    return "torch"


def _tested_pairs(pos: Tensor, radius: float, batch: Tensor, counts: Tensor) -> Tensor:
    """Test all pairs of each graph."""
    total = largest_number_of_pairs(counts)
    check_test_fits(total, len(pos), pos.device)
    pairs = complete_pairs(batch, len(counts), num_pairs=total)
    squared = edge_vectors(pos, pairs[0], pairs[1]).square().sum(-1)
    return pairs[:, squared < radius * radius]


def _searched(
    name: str,
    pos: Tensor,
    radius: float,
    batch: Tensor,
    counts: Tensor,
    cell: Tensor | None,
    pbc: Tensor | None,
) -> NeighborPairs:
    """Search slightly beyond the cutoff, then decide pairs near it as the layers see them."""
    if len(pos) == 0:
        none = batch.new_zeros(2, 0)
        return NeighborPairs(none, None if cell is None else none.new_zeros(0, 3))
    exact = pos.double()
    slack = _slack(pos, radius, cell)
    if cell is None or pbc is None:
        cells, atoms = None, Wrapped(exact, exact, None)
    else:
        cells = completed_cells(cell, pbc, pos.device)
        atoms = wrapped(exact, batch, cells)
    spans = spans_of(atoms.fractional, batch, len(counts))
    search = Search(atoms, batch, counts, cells, radius + slack, spans)
    check_search_fits(search)
    found = canonical(_SEARCHES[name](search), len(pos), radius - slack)
    index, image = found.pairs, found.image
    if image is not None and atoms.turns is not None:
        image += atoms.turns[index[1]] - atoms.turns[index[0]]
    if len(found.doubtful):
        sender, receiver = index[:, found.doubtful]
        doubtful = NeighborPairs(
            index[:, found.doubtful], None if image is None else image[found.doubtful]
        )
        shift = doubtful.shifts(None if cells is None else cells.vectors, batch)
        shift = None if shift is None else shift.to(pos.dtype)
        squared = edge_vectors(pos, sender, receiver, shift).square().sum(-1)
        kept = torch.ones(index.shape[1], dtype=torch.bool, device=pos.device)
        kept[found.doubtful] = squared < radius * radius
        index, image = index[:, kept], None if image is None else image[kept]
    return NeighborPairs(index, image)


def _slack(pos: Tensor, radius: float, cell: Tensor | None) -> float:
    """Bound on the rounding errors of a distance near the cutoff."""
    precision = torch.finfo(pos.dtype if pos.is_floating_point() else torch.float64).eps
    extent = float(pos.abs().max()) + (0.0 if cell is None else float(cell.abs().max()))
    # Without a cell the difference of two positions is rounded once, however large they are.
    error = precision * (radius + (0 if cell is None else extent))
    error += torch.finfo(torch.float64).eps * extent
    return min(32 * error, radius)
