"""Energies of free atoms: given, read, or fitted; and for which compositions they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from geozoo.data.store import GraphStore

#: Prefix of the statistics, ``atom_energy_H``, in meV.
PREFIX = "atom_energy_"
#: Of a composition, the share that may lie outside of a span by rounding.
_ROUNDING = 1e-6


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


def compositions_of(store: GraphStore) -> Float[Tensor, "S C"]:
    """How many atoms of each column of ``x`` every structure has, in float64."""
    x = store.node["x"].to(torch.float64)
    owner = torch.repeat_interleave(torch.arange(len(store)), store.num_nodes)
    return x.new_zeros(len(store), x.shape[1]).index_add_(0, owner.to(x.device), x)


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


def formula(composition: Sequence[float], elements: Sequence[int]) -> str:
    """A composition in words.

    Args:
        composition: atoms of each column.
        elements: atomic number of each column; 0: an element that the training never had.

    >>> formula([6, 2, 1], [1, 6, 8])
    'H6C2O'
    """
    from ase.data import chemical_symbols

    parts = []
    for count, number in zip(composition, elements, strict=True):
        if count:
            symbol = chemical_symbols[number] if number else "(new element)"
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
