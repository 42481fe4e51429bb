"""Energies from physics as summands of a potential."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from geozoo.data import GeometricSpec, GraphBatch
from geozoo.physics import AtomicSystem, DispersionD3, FixedCharges, PairList, Term, ZBLRepulsion
from geozoo.tasks._derivatives import Derivatives, energy_derivatives

#: Fields of a batch that hold terms computed before training are called ``terms_<key>_<kind>``.
_PREFIX = "terms_"
_UNITS = {"energy": "meV", "pos": "angstrom"}


@dataclass(frozen=True)
class Terms:
    """Which energies from physics a potential adds to that of its network; none by default.

    Attributes:
        zbl: short-range repulsion of nuclei, see `geozoo.physics.ZBLRepulsion`.
        d3: dispersion D3(BJ) with the parameters of this functional, or with these parameters, see
            `geozoo.physics.DispersionD3`; None: no dispersion.
        d3_cutoff: its cutoff in angstrom.
        charges: fixed charge of every element in elementary charges, by symbol, see
            `geozoo.physics.FixedCharges`; None: no charges.

    Raises:
        ValueError: If ``zbl`` is not a bool, or the cutoff is not positive.
    """

    zbl: bool = False
    d3: str | Mapping[str, float] | None = None
    d3_cutoff: float = 21.2
    charges: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        """Check the values that are not checked by the terms themselves."""
        if not isinstance(self.zbl, bool):
            raise ValueError(f"terms.zbl must be true or false, got {self.zbl!r}")
        if not 0 < self.d3_cutoff < math.inf:
            raise ValueError(f"terms.d3_cutoff must be a positive distance, got {self.d3_cutoff!r}")

    def __str__(self) -> str:
        """The chosen terms with their options, or ``none``."""
        chosen = {"zbl": self.zbl or None, "d3": self.d3, "charges": self.charges}
        return ", ".join(f"{k}={v}" for k, v in chosen.items() if v is not None) or "none"

    def build(self, spec: GeometricSpec) -> SumOfTerms | None:
        """The sum of the chosen terms; None without any.

        Args:
            spec: the specification of the data, which must have elements, meV and angstrom.

        Raises:
            ValueError: If the data do not hold what the terms need.
        """
        if self == Terms(d3_cutoff=self.d3_cutoff):
            return None
        _check_spec(spec)
        terms: list[Term] = []
        if self.zbl:
            terms.append(ZBLRepulsion())
        if self.d3 is not None:
            terms.append(DispersionD3(self.d3, self.d3_cutoff))
        if self.charges is not None:
            terms.append(FixedCharges(_by_number(self.charges, spec.elements)))
        key = hashlib.sha256(repr(self).encode()).hexdigest()[:8]
        return SumOfTerms(terms, spec.elements, key)


def _by_number(charges: Mapping[str, float], elements: tuple[int, ...]) -> dict[int, float]:
    """Charges by atomic number, for all elements of the data."""
    from ase.data import atomic_numbers, chemical_symbols

    if unknown := [symbol for symbol in charges if symbol not in atomic_numbers]:
        raise ValueError(f"terms.charges must have chemical symbols as keys, got {unknown[0]!r}")
    known = {atomic_numbers[symbol]: float(charge) for symbol, charge in charges.items()}
    if missing := [chemical_symbols[z] for z in elements if z and z not in known]:
        raise ValueError(
            "terms.charges must contain a charge (0 if neutral) for every element of the data; "
            f"missing: {', '.join(missing)}"
        )
    return known


def _check_spec(spec: GeometricSpec) -> None:
    if not spec.elements or spec.dim != 3:
        raise ValueError(
            "terms need atoms in 3 dimensions, with columns of x that are known to be their "
            f"elements (spec.elements), got {len(spec.elements)} elements and dim={spec.dim}"
        )
    for name, unit in _UNITS.items():
        if (found := spec.units.get(name, unit)) != unit:
            raise ValueError(f"terms need the field {name!r} in {unit}, the data have {found}")


class SumOfTerms(nn.Module):
    """Sum of terms for the graphs of a batch, with derivatives, in float64.

    Args:
        terms: the terms.
        elements: atomic number of each column of ``x``; 0: unknown.
        key: identifies the terms in the names of fields.
    """

    numbers: Tensor

    def __init__(self, terms: list[Term], elements: tuple[int, ...], key: str) -> None:
        super().__init__()
        self.names = _Names(*(f"{_PREFIX}{key}_{kind}" for kind in _Names._fields))
        self.terms = nn.ModuleList(terms)
        self.register_buffer("numbers", torch.tensor(elements), persistent=False)

    def forward(self, batch: GraphBatch) -> Derivatives:
        """Energies in meV, forces, and virials if the batch has cells.

        Raises:
            ValueError: If a term is not defined for a graph.
        """
        system = self.system(batch)
        return self.sum(system, [term.pairs(system) for term in self.each()])

    def each(self) -> list[Term]:
        """The terms."""
        return cast(list[Term], list(self.terms))

    def sum(self, system: AtomicSystem, pairs: list[PairList]) -> Derivatives:
        """Energies, forces and virials of a system with the pairs of each term."""
        terms = zip(self.each(), pairs, strict=True)
        strained = system.cell is not None
        return self.added(
            [_derivatives(term, system, found, with_virial=strained) for term, found in terms]
        )

    def added(self, parts: list[Derivatives]) -> Derivatives:
        """The sum of the derivatives of each term."""
        energy, force, virial = parts[0][:3]
        for part in parts[1:]:
            energy, force = energy + part.energy, force + part.force
            virial = None if virial is None or part.virial is None else virial + part.virial
        return Derivatives(energy, force, virial)

    def known(self, batch: GraphBatch) -> Derivatives | None:
        """The terms that were computed before training; None if the batch does not have them."""
        energy, force, virial = self.names
        if energy not in batch:
            return None
        return Derivatives(getattr(batch, energy), getattr(batch, force), batch.get(virial))

    def fields(self, batch: GraphBatch) -> dict[str, dict[str, Tensor]]:
        """The terms of a batch as fields of a store, for `known`."""
        found, device = self(batch.to(self.numbers.device)), batch.device
        fields = {
            "graph": {self.names.energy: found.energy.to(device)},
            "node": {self.names.force: found.force.to(device)},
        }
        if found.virial is not None:
            fields["graph"][self.names.virial] = found.virial.to(device)
        return fields

    def system(self, batch: GraphBatch) -> AtomicSystem:
        """The atoms of a batch.

        Raises:
            ValueError: If an element is not known.
        """
        numbers = self.numbers.index_select(0, batch.x.argmax(1))
        if bool((numbers == 0).any()):
            # Elements that the training split lacks have columns without a number.
            z = batch.get("z")
            numbers = numbers if z is None else torch.where(numbers == 0, z, numbers)
            if bool((numbers == 0).any()):
                raise ValueError(
                    "terms need the element of every atom, but x encodes one that the training "
                    "split does not contain, and the batch has no atomic numbers (field 'z')"
                )
        cell = batch.get("cell")
        return AtomicSystem(
            batch.pos.double(), numbers, batch.batch, batch.num_graphs,
            None if cell is None else cell.double(), batch.get("pbc"),
        )  # fmt: skip


class TermsOfMolecule(nn.Module):
    """Terms of one structure from plain tensors, without checks, so that they can be traced."""

    def __init__(self, terms: SumOfTerms) -> None:
        super().__init__()
        self.terms = terms

    def forward(
        self, numbers: Tensor, pos: Tensor, pairs: Tensor, shift: Tensor | None = None
    ) -> Derivatives:
        """Energy ``[1]``, forces ``[N, 3]``, and with shifts the virial ``[3, 3]``.

        Args:
            numbers: ``[N]`` atomic numbers.
            pos: ``[N, 3]`` positions in angstrom.
            pairs: ``[2, P]`` all pairs of atoms, each once; or with ``shift`` those within the
                reach of the terms (`Term.reach`), or within any larger distance.
            shift: ``[P, 3]`` shifts of periodic images.
        """
        system = AtomicSystem(pos.double(), numbers, torch.zeros_like(numbers), 1)
        if shift is None:
            return self.terms.sum(system, [PairList(pairs)] * len(self.terms.each()))
        local = PairList(pairs, shift.double())
        found = self.terms.added(
            [_derivatives(each, system, local, with_virial=True) for each in self.terms.each()]
        )
        assert found.virial is not None
        return found._replace(virial=found.virial[0])


def as_network(
    term: Term, system: AtomicSystem, pairs: PairList
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """A term as a function with the arguments of a network, and these arguments."""

    def energies(pos: Tensor, edge_index: PairList, cell: Tensor | None, **_: Any) -> _Output:
        return _Output(term(system._replace(pos=pos, cell=cell), edge_index)[:, None])

    return energies, {
        "pos": system.pos, "batch": system.batch, "num_graphs": system.num_graphs,
        "cell": system.cell, "edge_index": pairs,
    }  # fmt: skip


def _derivatives(
    term: Term, system: AtomicSystem, pairs: PairList, *, with_virial: bool
) -> Derivatives:
    """Energies and derivatives of one term, strained like those of a network."""
    energies, inputs = as_network(term, system, pairs)
    found = energy_derivatives(energies, inputs, create_graph=False, with_virial=with_virial)
    return found._replace(energy=found.energy.detach())


class _Output(NamedTuple):
    scalar: Tensor


class _Names(NamedTuple):
    energy: str
    force: str
    virial: str


def rotating_fields(batch: GraphBatch) -> tuple[list[str], list[str]]:
    """The vector and tensor fields of a batch that hold terms."""
    names = [name for name in batch if name.startswith(_PREFIX)]
    vectors = [name for name in names if name.endswith("_force")]
    return vectors, [name for name in names if name.endswith("_virial")]
