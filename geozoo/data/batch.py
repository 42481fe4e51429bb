"""A batch of graphs as flat tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from torch_geometric.data import Batch

#: Fields that assign rows to graphs; they cannot be replaced.
STRUCTURE = ("batch", "ptr", "index", "edge_index", "edge_ptr", "pairs", "pair_image")


class GraphBatch:
    """A batch of graphs: named tensors, available as attributes.

    ``batch.pos``, ``batch.energy``, ... are the fields that the dataset defines; those with the
    same meaning in all datasets are listed in `geozoo.data.FIELDS`. Always present:

    ============== ======================= ==================================================
    ``batch``      ``[N]`` int64, sorted   the graph of each node
    ``ptr``        ``[G + 1]`` int64       first node of each graph; the last entry is ``N``
    ``index``      ``[G]`` int64           position of each graph in the store it came from
    ``num_graphs`` int                     ``G``, known without a device synchronisation
    ``num_pairs``  int or None             number of unordered node pairs within graphs, if known
                                           without a device synchronisation
    ============== ======================= ==================================================

    Graphs with edges also have ``edge_index [2, E]`` (row 0 sender, row 1 receiver, node indices
    within the batch) and ``edge_ptr [G + 1]``. A store with a neighbour table
    (:meth:`geozoo.data.GraphStore.with_neighbors`) adds ``pairs [2, P]`` and, for periodic graphs,
    ``pair_image [P, dim]``, as `geozoo.geometry.neighbor_pairs` finds them. Created by
    :meth:`geozoo.data.GraphStore.gather`.

    Args:
        tensors: all tensors by name, including the structure fields.
        levels: ``"node"``, ``"edge"`` or ``"graph"`` for every field that is not structure.
        num_graphs: number of graphs ``G``.
        num_pairs: number of node pairs, if known.
        neighbor_radius: cutoff of ``pairs``; None without a neighbour table.
    """

    __slots__ = ("_levels", "_tensors", "neighbor_radius", "num_graphs", "num_pairs")

    # Structure fields and the fields of `geozoo.data.FIELDS`, for editors and type checkers.
    batch: Int[Tensor, " N"]
    ptr: Int[Tensor, " G_plus_1"]
    index: Int[Tensor, " G"]
    edge_index: Int[Tensor, "2 E"]
    edge_ptr: Int[Tensor, " G_plus_1"]
    pairs: Int[Tensor, "2 P"]
    pair_image: Int[Tensor, "P dim"]
    pos: Float[Tensor, "N dim"]
    x: Float[Tensor, "N F"]
    vec: Float[Tensor, "N V dim"]
    z: Int[Tensor, " N"]
    energy: Float[Tensor, " G"]
    forces: Float[Tensor, "N dim"]
    cell: Float[Tensor, "G 3 3"]
    pbc: Bool[Tensor, "G 3"]
    stress: Float[Tensor, "G 3 3"]
    has_forces: Bool[Tensor, " G"]
    has_stress: Bool[Tensor, " G"]
    atom_energies: Float[Tensor, " N"]
    has_atom_energies: Bool[Tensor, " G"]
    dipole: Float[Tensor, "G 3"]
    has_dipole: Bool[Tensor, " G"]
    charge: Float[Tensor, " G"]
    spin: Float[Tensor, " G"]
    weight: Float[Tensor, " G"]
    frame: Int[Tensor, " G"]
    number: Int[Tensor, " G"]

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        *,
        levels: Mapping[str, str],
        num_graphs: int,
        num_pairs: int | None = None,
        neighbor_radius: float | None = None,
    ) -> None:
        self._tensors = dict(tensors)
        self._levels = dict(levels)
        self.num_graphs = num_graphs
        self.num_pairs = num_pairs
        self.neighbor_radius = neighbor_radius

    def __getattr__(self, name: str) -> Tensor:
        """The tensor called ``name``."""
        if name.startswith("_"):  # also keeps copy and pickle from recursing into _tensors
            raise AttributeError(name)
        try:
            return self._tensors[name]
        except KeyError:
            known = ", ".join(self._tensors)
            raise AttributeError(f"this batch has no field {name!r}; available: {known}") from None

    def __getstate__(self) -> tuple[Any, ...]:
        """The state that a worker process sends to the main process."""
        return (
            self._tensors, self._levels, self.num_graphs, self.num_pairs, self.neighbor_radius,
        )  # fmt: skip

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Restore the state from :meth:`__getstate__`."""
        self._tensors, self._levels, self.num_graphs, self.num_pairs, self.neighbor_radius = state

    def __contains__(self, name: object) -> bool:
        """Whether the batch has a field of this name."""
        return name in self._tensors

    def __iter__(self) -> Iterator[str]:
        """The names of all fields."""
        return iter(self._tensors)

    def __repr__(self) -> str:
        """Names and shapes."""
        shapes = ", ".join(f"{name}={list(value.shape)}" for name, value in self._tensors.items())
        return f"GraphBatch(num_graphs={self.num_graphs}, {shapes})"

    def get(self, name: str, default: Tensor | None = None) -> Tensor | None:
        """The field ``name``, or ``default`` if there is none."""
        return self._tensors.get(name, default)

    @property
    def num_nodes(self) -> int:
        """Total number of nodes ``N``."""
        return self._tensors["batch"].shape[0]

    @property
    def device(self) -> torch.device:
        """Device of the tensors."""
        return self._tensors["batch"].device

    def level(self, name: str) -> str:
        """Level of a field: ``"node"``, ``"edge"``, ``"graph"`` or ``"structure"``."""
        if name in self._tensors and name not in self._levels:
            return "structure"
        if name not in self._levels:
            raise ValueError(f"name must be one of {', '.join(self._tensors)}; got {name!r}")
        return self._levels[name]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> GraphBatch:
        """Copy the batch to another device."""
        moved = {
            name: value.to(device, non_blocking=non_blocking)
            for name, value in self._tensors.items()
        }
        return self._with(moved)

    def pin_memory(self) -> GraphBatch:
        """A copy in page-locked memory; called by PyTorch's DataLoader."""
        pinned = {name: value.pin_memory() for name, value in self._tensors.items()}
        return self._with(pinned)

    def replace(self, **tensors: Tensor) -> GraphBatch:
        """A copy of the batch with new values for some fields.

        Args:
            tensors: new values of existing fields, with the same number of rows.

        Raises:
            ValueError: If a field does not exist, belongs to the structure, or the number of rows
                differs.
        """
        for name, value in tensors.items():
            if name not in self._levels:
                known = ", ".join(self._levels)
                raise ValueError(f"replace: {name!r} cannot be replaced; replaceable: {known}")
            if value.shape[:1] != self._tensors[name].shape[:1]:
                raise ValueError(
                    f"replace: {name!r} must have {self._tensors[name].shape[0]} rows, "
                    f"got shape {tuple(value.shape)}"
                )
        merged = {**self._tensors, **tensors}
        return self._with(merged)

    def _with(self, tensors: Mapping[str, Tensor]) -> GraphBatch:
        return GraphBatch(
            tensors, levels=self._levels, num_graphs=self.num_graphs, num_pairs=self.num_pairs,
            neighbor_radius=self.neighbor_radius,
        )  # fmt: skip

    def to_pyg(self) -> Batch:
        """The same graphs as a PyTorch Geometric batch, which supports ``to_data_list``.

        Graph fields keep their leading axis: the graph field ``y [G, 3]`` is ``[1, 3]`` in each
        ``Data`` object, as is the convention of PyTorch Geometric.
        """
        from geozoo.data._pyg import batch_to_pyg

        return batch_to_pyg(self)

    def graphs(self) -> Iterator[dict[str, Any]]:
        """Iterate over the graphs: fields, ``edge_index`` within the graph, and ``num_nodes``."""
        node_ptr = self._tensors["ptr"].tolist()
        edge_ptr = self._tensors["edge_ptr"].tolist() if "edge_ptr" in self else node_ptr
        for graph in range(self.num_graphs):
            rows = {
                "node": slice(node_ptr[graph], node_ptr[graph + 1]),
                "edge": slice(edge_ptr[graph], edge_ptr[graph + 1]),
                "graph": slice(graph, graph + 1),
            }
            fields: dict[str, Any] = {
                name: self._tensors[name][rows[level]] for name, level in self._levels.items()
            }
            if "edge_index" in self:
                fields["edge_index"] = self._tensors["edge_index"][:, rows["edge"]]
                fields["edge_index"] = fields["edge_index"] - node_ptr[graph]
            yield {**fields, "num_nodes": node_ptr[graph + 1] - node_ptr[graph]}
