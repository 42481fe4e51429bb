"""Atomic reference energies: given, read, or fitted; and for which compositions they are valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from geozoo.data.store import GraphStore

#: Prefix of the statistics, ``atom_energy_H``, in meV.
PREFIX = "atom_energy_"
#: Prefix of the statistics ``force_scale_8``: root mean square force component on the atoms of an
#: element, by atomic number, in meV/angstrom.
FORCE_SCALE = "force_scale_"
#: Statistic: compositions of the training split, if no atomic energies extrapolate to others.
COMPOSITIONS = "compositions"
#: Relative tolerance for a composition to be within a span.
_ROUNDING = 1e-6
#: Compositions per block of comparisons.
_AT_ONCE = 256


class AtomEnergies(NamedTuple):
    """Reference energy of each element, added to the output of the network.

    Attributes:
        values: energy in meV by element symbol; 0 for an element absent from the training split.
        kind: ``"given"``, ``"isolated atoms"``, ``"fitted"`` or ``"none"``.
    """

    values: dict[str, float]
    kind: str

    @property
    def statistics(self) -> dict[str, float]:
        """The values as statistics of a dataset."""
        return {f"{PREFIX}{symbol}": value for symbol, value in self.values.items()}


def count_elements(
    x: Float[Tensor, "N C"], graph: Int[Tensor, " N"], num_graphs: int
) -> Float[Tensor, "G C"]:
    """Number of atoms per column of ``x`` in every graph, in float64.

    Args:
        x: one-hot encoded element of every atom.
        graph: graph index of every atom.
        num_graphs: number of graphs.
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

    If the compositions :math:`n_s` do not determine every element, the minimum-norm solution is
    returned: it is valid only for compositions in their span (`composition_span`).

    Args:
        compositions: number of atoms of each element.
        energy: total energies, in any unit.
    """
    # gelsd is the driver that returns the minimum-norm solution.
    return torch.linalg.lstsq(compositions, energy[:, None], driver="gelsd").solution[:, 0]


def composition_span(compositions: Float[Tensor, "S C"]) -> Float[Tensor, "C C"]:
    """Projector onto the span of some compositions: their linear combinations.

    Fitted atomic energies are determined only there: trained on ethanol, for one or two ethanol
    molecules, but not for water.
    """
    distinct = compositions.unique(dim=0).to(torch.float64)
    return torch.linalg.pinv(distinct, rtol=1e-9) @ distinct


def is_in_span(
    compositions: Float[Tensor, "S C"], span: Float[Tensor, "C C"]
) -> Bool[Tensor, " S"]:
    """Which compositions lie in a span from `composition_span`."""
    outside = compositions - compositions @ span
    return outside.abs().amax(1) <= _ROUNDING * compositions.sum(1).clamp_min(1.0)


def is_determined(
    compositions: Float[Tensor, "S C"],
    span: Float[Tensor, "C C"],
    anchor: Float[Tensor, " C"],
    known: Float[Tensor, "K C"],
) -> Bool[Tensor, " S"]:
    """For which compositions the reference energies are valid.

    Args:
        compositions: number of atoms per column of ``x``.
        span: from `composition_span`, of compositions minus the anchor.
        anchor: origin of the affine span; 0 for a linear span.
        known: if not empty, energies are valid for exactly these compositions.
    """
    if len(known):
        same = [(part[:, None] == known).all(2).any(1) for part in compositions.split(_AT_ONCE)]
        return torch.cat(same)
    return is_in_span(compositions - anchor, span)


def column_numbers(
    elements: Sequence[int], x: Float[Tensor, "N C"], z: Int[Tensor, " N"] | None
) -> list[int]:
    """The atomic number of each column, including elements absent from training.

    Args:
        elements: atomic numbers of the columns; 0 for an element absent from training.
        x: one-hot encoded elements of some atoms.
        z: their atomic numbers; None if unknown.
    """
    numbers = list(elements)
    for column, number in enumerate(numbers):
        if not number and z is not None and bool((found := x[:, column] > 0).any()):
            numbers[column] = int(z[found][0])
    return numbers


def formula(composition: Sequence[float], elements: Sequence[int]) -> str:
    """Chemical formula of a composition.

    Args:
        composition: number of atoms per column.
        elements: atomic number of each column; 0 if unknown.

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
    """Validate given energies and convert them to meV, one per species.

    Args:
        given: energies by element symbol.
        species: the element symbols that occur.
        factor: value of the given unit in meV.
        argument: argument name, for the message.

    Raises:
        ValueError: If a species has no energy, or a value is not finite.
    """
    missing = [symbol for symbol in species if symbol not in given]
    if missing:
        raise ValueError(
            f"{argument} must contain the energy of every element in the files "
            f"({', '.join(species)}); missing: {', '.join(missing)}"
        )
    values = {symbol: float(given[symbol]) * factor for symbol in species}
    wrong = [symbol for symbol, value in values.items() if not abs(value) < float("inf")]
    if wrong:
        name = wrong[0]
        raise ValueError(f"{argument} must be finite numbers, got {given[name]!r} for {name}")
    return values


def shift_per_atom(compositions: Float[Tensor, "S C"], rest: Float[Tensor, " S"]) -> float:
    r"""Least-squares residual energy per atom, :math:`b = \sum_s N_s r_s / \sum_s N_s^2`.

    Args:
        compositions: number of atoms of each element.
        rest: total energies minus the atomic reference energies.
    """
    atoms = compositions.sum(1)
    return float((atoms * rest).sum() / atoms.square().sum())
