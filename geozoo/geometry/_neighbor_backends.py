"""Searches for close pairs: each returns the same pairs, in an order of its own."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.geometry._cell_list import Found, close_pairs, close_to
from geozoo.geometry._cells import Cells, Wrapped, nearby_images, per_atom
from geozoo.ops import offsets

#: Cells of a grid that vesin does not merge yet; its limit is 1e5.
_VESIN_GRID = 50_000
#: Neighbours per atom for which nvalchemi first reserves memory.
_FIRST_ROOM = 64


class Search(NamedTuple):
    """What to search.

    Attributes:
        atoms: positions in float64, wrapped into their cells where periodic.
        batch: ``[N]`` graph of each atom, sorted.
        counts: ``[G]`` atoms of each graph.
        cells: cells of the graphs; None: no graph is periodic.
        radius: cutoff, finite.
        spans: ``[G, dim]`` smallest and largest fractional coordinates of each graph.
    """

    atoms: Wrapped
    batch: Int[Tensor, " N"]
    counts: Int[Tensor, " G"]
    cells: Cells | None
    radius: float
    spans: tuple[Float[Tensor, "G dim"], Float[Tensor, "G dim"]]


class Candidates(NamedTuple):
    """Pairs closer than the cutoff of a search, each relation once.

    Attributes:
        first: ``[P]`` one atom, int64.
        second: ``[P]`` the other atom, int64.
        image: ``[P, 3]`` lattice vectors added to the wrapped position of ``second``, int64; None:
            no graph is periodic.
        squared: ``[P]`` squared distance in float64.
    """

    first: Int[Tensor, " P"]
    second: Int[Tensor, " P"]
    image: Int[Tensor, "P 3"] | None
    squared: Float[Tensor, " P"]


def installed(library: str) -> bool:
    """Whether a library can be imported."""
    return find_spec(library) is not None


def torch_search(search: Search) -> Candidates:
    """Search by a cell list in plain PyTorch, all graphs at once."""
    pos, batch = search.atoms.pos, search.batch
    first, second, squared = close_pairs(pos, batch, search.radius)
    if search.cells is None:
        return Candidates(first, second, None, squared)
    images = nearby_images(search.atoms, batch, search.cells, search.spans, search.radius)
    owner = batch[images.atom]
    if len(owner) < len(batch):  # each query costs, near images or not
        back = close_to(images.pos, owner, pos, batch, search.radius)
        across = Found(back.second, back.first, back.squared)
    else:
        across = close_to(pos, batch, images.pos, owner, search.radius)
    inside = torch.zeros(len(first), 3, dtype=torch.int64, device=pos.device)
    return Candidates(
        torch.cat([first, across.first]),
        torch.cat([second, images.atom[across.second]]),
        torch.cat([inside, images.image[across.second]]),
        torch.cat([squared, across.squared]),
    )


def vesin_search(search: Search) -> Candidates:
    """Search by the library vesin, graph by graph, on the CPU.

    vesin limits the cells of its grid; for graphs so wide that it would merge cells, it becomes
    quadratic or ends the process (0.6.2, division by zero). They are left to `torch_search`.
    """
    import vesin

    if _most_grid_cells(search) > _VESIN_GRID:
        return torch_search(search)
    finder = vesin.NeighborList(
        cutoff=search.radius, full_list=False, n_threads=torch.get_num_threads()
    )
    pos, periodic = _three_columns(search.atoms.pos).contiguous().numpy(), search.cells is not None
    cells = search.cells.vectors.numpy() if search.cells is not None else None
    flags = search.cells.periodic.numpy() if search.cells is not None else None
    bounds = offsets(search.counts).tolist()
    found = []
    for graph, (start, end) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
        if start == end:
            continue
        box = torch.eye(3, dtype=torch.float64).numpy() if cells is None else cells[graph]
        is_periodic = False if flags is None else flags[graph]
        # Memory of vesin, valid until the next search.
        pairs, shifts, distances = finder.compute(
            pos[start:end], box, is_periodic, quantities="PSd", copy=False
        )
        columns = torch.from_numpy(pairs.view("int64")).T.contiguous() + start
        image = torch.from_numpy(shifts).long() if periodic else None
        squared = torch.from_numpy(distances).square()
        found.append(Candidates(columns[0], columns[1], image, squared))
    return _joined(found, periodic)


def nvalchemi_search(search: Search) -> Candidates:
    """Search by NVIDIA's nvalchemi-toolkit-ops, all graphs at once, on a GPU or the CPU."""
    from nvalchemiops.torch.neighbors import NeighborOverflowError, neighbor_list

    pos, cells = _three_columns(search.atoms.pos), search.cells
    room = _FIRST_ROOM
    while True:
        try:
            found = neighbor_list(
                pos,
                search.radius,
                cell=None if cells is None else cells.vectors,
                pbc=None if cells is None else cells.periodic,
                batch_idx=search.batch.int(),
                batch_ptr=offsets(search.counts).int(),
                half_fill=True,
                return_neighbor_list=True,
                max_neighbors=room,
            )
            break
        except NeighborOverflowError:  # its table has the same number of columns for every atom
            room *= 2
    first, second = found[0].long()
    image = None if cells is None else found[2].long()
    vectors = pos[second] - pos[first]
    if cells is not None and image is not None:
        vectors += per_atom(image.double(), cells.vectors, search.batch[first])
    return Candidates(first, second, image, vectors.square().sum(1))


def _most_grid_cells(search: Search) -> float:
    """Cells of the size of the cutoff in the largest graph."""
    low, high = search.spans
    extent = high - low
    if search.cells is not None:
        extent = torch.where(search.cells.periodic, search.cells.heights, extent)
    return float((extent / search.radius).clamp(min=1).prod(1).max())


def _three_columns(pos: Tensor) -> Tensor:
    """Positions on a line or in a plane as points in space."""
    return torch.nn.functional.pad(pos, (0, 3 - pos.shape[1]))


def _joined(found: list[Candidates], periodic: bool) -> Candidates:
    if len(found) == 1:
        return found[0]
    if not found:
        none = torch.zeros(0, dtype=torch.int64)
        return Candidates(none, none, none.new_zeros(0, 3) if periodic else None, none.double())
    first, second, images, squared = zip(*found, strict=True)
    image = torch.cat(images) if periodic else None
    return Candidates(torch.cat(first), torch.cat(second), image, torch.cat(squared))
