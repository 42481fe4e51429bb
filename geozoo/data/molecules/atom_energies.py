"""Energies of free atoms: given, read, or fitted; and for which compositions they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from geozoo.data.store import GraphStore

#: Prefix of the statistics, ``atom_energy_H``, in meV.
PREFIX = "atom_energy_"
#: Statistic: the compositions of the training part, where no energies of atoms explain others.
COMPOSITIONS = "compositions"
#: Of a composition, the share that may lie outside of a span by rounding.
_ROUNDING = 1e-6
#: Compositions that are compared at once.
_AT_ONCE = 256


class AtomEnergies(NamedTuple):
    """What an atom of each element adds to an energy before any network does.

    Attributes:
        values: meV of each element, by symbol; of an element that the training part never has, 0.
        kind: ``"given"``, ``"isolated atoms"``, ``"fitted"`` or ``"none"``.
    """

    values: dict[str, float]
    kind: str

    @property
    def statistics(self) -> dict[str, float]:
        """The values as statistics of a data set."""
        return {f"{PREFIX}{symbol}": value for symbol, value in self.values.items()}


def count_elements(
    x: Float[Tensor, "N C"], graph: Int[Tensor, " N"], num_graphs: int
) -> Float[Tensor, "G C"]:
    """How many atoms of each column of ``x`` every graph has, in float64.

    Args:
        x: one-hot of the element of every atom.
        graph: the graph of every atom.
        num_graphs: how many graphs there are.
    """
    x = x.to(torch.float64)
    return x.new_zeros(num_graphs, x.shape[1]).index_add(0, graph, x)


def compositions_of(store: GraphStore) -> Float[Tensor, "S C"]:
    """As `count_elements`, for every structure of a store."""
    owner = torch.repeat_interleave(torch.arange(len(store)), store.num_nodes)
    x = store.node["x"]
    return count_elements(x, owner.to(x.device), len(store))


def fit_atom_energies(
    compositions: Float[Tensor, "S C"], energy: Float[Tensor, " S"]
) -> Float[Tensor, " C"]:
    r"""The energies :math:`a` that minimise :math:`\sum_s (E_s - n_s \cdot a)^2`.

    Where the compositions :math:`n_s` do not settle every element, the answer of least norm is
    taken: it is right for the compositions of their span (`composition_span`), and for no others.

    Args:
        compositions: atoms of each element.
        energy: in any unit.
    """
    # gelsd is the driver that finds the answer of least norm.
    return torch.linalg.lstsq(compositions, energy[:, None], driver="gelsd").solution[:, 0]


def composition_span(compositions: Float[Tensor, "S C"]) -> Float[Tensor, "C C"]:
    """The projection onto the span of some compositions: their sums and multiples.

    Fitted energies of atoms are determined there alone: of ethanol, two ethanols, but not water.
    """
    distinct = compositions.unique(dim=0).to(torch.float64)
    return torch.linalg.pinv(distinct, rtol=1e-9) @ distinct


def is_in_span(
    compositions: Float[Tensor, "S C"], span: Float[Tensor, "C C"]
) -> Bool[Tensor, " S"]:
    """Which of the compositions lie in a span from `composition_span`."""
    outside = compositions - compositions @ span
    return outside.abs().amax(1) <= _ROUNDING * compositions.sum(1).clamp_min(1.0)


def is_determined(
    compositions: Float[Tensor, "S C"],
    span: Float[Tensor, "C C"],
    anchor: Float[Tensor, " C"],
    known: Float[Tensor, "K C"],
) -> Bool[Tensor, " S"]:
    """For which compositions energies hold.

    Args:
        compositions: atoms of each column of ``x``.
        span: of `composition_span`, of compositions less the anchor.
        anchor: a composition from which the span reaches; 0: the span itself.
        known: where there are such, energies hold for these alone.
    """
    if len(known):
        same = [(part[:, None] == known).all(2).any(1) for part in compositions.split(_AT_ONCE)]
        return torch.cat(same)
    return is_in_span(compositions - anchor, span)


def column_numbers(
    elements: Sequence[int], x: Float[Tensor, "N C"], z: Int[Tensor, " N"] | None
) -> list[int]:
    """The atomic number of each column, also of those that the training never had.

    Args:
        elements: atomic numbers of the columns; 0: an element that the training never had.
        x: the one-hot of some atoms.
        z: their atomic numbers; None: not known.
    """
    numbers = list(elements)
    for column, number in enumerate(numbers):
        if not number and z is not None and bool((found := x[:, column] > 0).any()):
            numbers[column] = int(z[found][0])
    return numbers


def formula(composition: Sequence[float], elements: Sequence[int]) -> str:
    """A composition in words.

    Args:
        composition: atoms of each column.
        elements: atomic number of each column; 0: not known.

    >>> formula([6, 2, 1], [1, 6, 8])
    'H6C2O'
    """
    from ase.data import chemical_symbols

    parts = []
    for count, number in zip(composition, elements, strict=True):
        if count:
            symbol = chemical_symbols[number] if number else "(unknown element)"
            parts.append(symbol + (str(int(count)) if count > 1 else ""))
    return "".join(parts)


def checked_atom_energies(
    given: Mapping[str, float], species: Sequence[str], factor: float, *, argument: str
) -> dict[str, float]:
    """Given energies in meV, one for every species.

    Args:
        given: by symbol.
        species: the symbols that occur.
        factor: meV of the unit in which they are given.
        argument: how the user calls them, for the message.

    Raises:
        ValueError: for a species without an energy, or a value that is no finite number.
    """
    missing = [symbol for symbol in species if symbol not in given]
    if missing:
        raise ValueError(
            f"{argument} must give the energy of every element of the files; {', '.join(missing)} "
            f"of {', '.join(species)} {'is' if len(missing) == 1 else 'are'} missing"
        )
    values = {symbol: float(given[symbol]) * factor for symbol in species}
    wrong = [symbol for symbol, value in values.items() if not abs(value) < float("inf")]
    if wrong:
        name = wrong[0]
        raise ValueError(f"{argument} must be finite numbers, got {given[name]!r} for {name}")
    return values


def shift_per_atom(compositions: Float[Tensor, "S C"], rest: Float[Tensor, " S"]) -> float:
    r"""What is left per atom, :math:`b = \sum_s N_s r_s / \sum_s N_s^2`, of energies less atoms.

    Args:
        compositions: atoms of each element.
        rest: energies less those of the atoms.
    """
    atoms = compositions.sum(1)
    return float((atoms * rest).sum() / atoms.square().sum())
