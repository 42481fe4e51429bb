"""One-hot columns of the elements of structures."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from geozoo.data.molecules.atom_energies import (
    AtomEnergies,
    compositions_of,
    fit_atom_energies,
)
from geozoo.data.store import GraphStore


def elements_of(store: GraphStore, species: Sequence[str] | None) -> tuple[int, ...]:
    """Atomic numbers of the columns: of the given symbols, or sorted, of those that occur.

    Raises:
        ValueError: If a symbol is unknown or repeated.
    """
    if species is None:
        return tuple(store.node["z"].unique().tolist())
    from ase.data import atomic_numbers

    unknown = [symbol for symbol in species if symbol not in atomic_numbers]
    named = [symbol for symbol in species if symbol != "X"]
    if unknown or len(set(named)) < len(named) or not named:
        raise ValueError(f"species must be distinct chemical symbols, got {list(species)}")
    return tuple(atomic_numbers[symbol] for symbol in species)


def with_columns(store: GraphStore, elements: Sequence[int]) -> GraphStore:
    """The store with ``x``, a one-hot column for each element, and ``frame``.

    Raises:
        ValueError: If an element has no column.
    """
    z = store.node["z"]
    missing = sorted(set(z.unique().tolist()) - {number for number in elements if number})
    if missing:
        raise ValueError(
            f"species must contain all elements in the files; missing: {symbols(missing)}, got "
            f"{symbols(elements)}"
        )
    column = torch.zeros(max(elements) + 1, dtype=torch.int64)
    column[list(elements)] = torch.arange(len(elements))
    x = torch.nn.functional.one_hot(column[z], len(elements)).to(torch.float32)
    node = {"pos": store.node["pos"], "x": x, **store.node}
    graph = {**store.graph, "frame": torch.arange(len(store))}
    return GraphStore(store.num_nodes, node=node, graph=graph)


def symbols(elements: Sequence[int]) -> list[str]:
    """Chemical symbols; ``X`` for a column without an element."""
    from ase.data import chemical_symbols

    return [chemical_symbols[number] for number in elements]


def by_symbol(energies: Mapping[int, float]) -> dict[str, float]:
    """Values of atomic numbers, by chemical symbol."""
    return dict(zip(symbols(list(energies)), energies.values(), strict=True))


def fitted_energies(store: GraphStore, train: Tensor, elements: Sequence[int]) -> AtomEnergies:
    """Reference energies fitted to the training split, of the elements that occur in the store.

    Args:
        store: structures with element columns ``x``.
        train: indices of the training split.
        elements: atomic number of each column.
    """
    fit = fit_atom_energies(compositions_of(store)[train], store.graph["energy"][train])
    occurs = store.node["x"].any(0).tolist()
    pairs = zip(symbols(elements), fit.tolist(), occurs, strict=True)
    return AtomEnergies({name: value for name, value, is_there in pairs if is_there}, "fitted")


def warn_of_unseen_species(store: GraphStore, train: Tensor, elements: Sequence[int]) -> None:
    """Warn of elements that occur in validation or test structures only."""
    species = symbols(elements)
    seen = store.gather(train).x.any(0)
    used = store.node["x"].any(0)
    unseen = [
        name
        for name, s, u in zip(species, seen.tolist(), used.tolist(), strict=True)
        if u and not s
    ]
    if unseen:
        warnings.warn(
            f"validation or test structures contain {', '.join(unseen)}, which the training split "
            "lacks",
            stacklevel=3,
        )
