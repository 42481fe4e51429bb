"""One description of a potential, and one way to evaluate it, for every engine."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from geozoo.contracts import supports_cells
from geozoo.data import GeometricSpec, GraphStore, Structure
from geozoo.engines._batch_inputs import checked_cells, on_host, state_values
from geozoo.engines._given import given_structure
from geozoo.engines._hessian import hessian
from geozoo.engines._quantities import EV_PER_MEV, OF_ATOMS, check_finite, in_electronvolts
from geozoo.engines._skin import SkinNeighbors
from geozoo.hub.ensemble import SPREAD, Ensemble
from geozoo.hub.loading import TrainedModel, load
from geozoo.hub.structures import (
    allow_any_composition,
    atoms_store,
    predict_store,
    structure_store,
)
from geozoo.hub.uncertainty import extrapolation_message, extrapolations, give_force_std
from geozoo.tasks import Potential


@dataclass(frozen=True)
class Evaluation:
    """Energy of a structure and its derivatives, in float64, eV and angstrom.

    Attributes:
        energy: in eV.
        forces: ``[N, 3]`` in eV/angstrom.
        virial: ``[3, 3]`` in eV, the negative derivative of the energy with respect to a strain of
            positions and cell; also defined for slabs, wires and molecules.
        stress: ``[3, 3]`` in eV/angstrom^3, ``-virial / volume``, negative under compression;
            None unless the structure is periodic in three directions.
        energies: ``[N]`` energies of atoms in eV; None for models without outputs per atom.
        dipole: ``[3]`` in e angstrom; None for models that predict none, and periodic structures.
        spread: standard deviations by the names above, and in the same units: over the members of
            an ensemble, or of the energy (and forces) of a model with an uncertainty
            (`geozoo.hub.TrainedModel.uncertainty`); empty for other models.
    """

    energy: float
    forces: np.ndarray
    virial: np.ndarray
    stress: np.ndarray | None = None
    energies: np.ndarray | None = None
    dipole: np.ndarray | None = None
    spread: Mapping[str, np.ndarray] = field(default_factory=dict)


class PotentialEvaluator:
    """A trained potential as a function of elements, positions and cell.

    It keeps the list of neighbours between calls, so that a step of molecular dynamics rarely
    searches anew. Results do not depend on that.

    Args:
        model: a trained potential, its name in the zoo's index, or its folder; a list of these,
            or an ensemble, to use their mean.
        device: device to evaluate the model on.
        dtype: ``"float32"``, or ``"float64"`` for long dynamics and finite differences; None: the
            precision the model was trained in.
        any_composition: also predict for compositions whose energies the training set does not
            determine (see `geozoo.tasks.Potential`).
        skin: distance in angstrom beyond the cutoff within which neighbours are kept; they are
            searched again when an atom has moved by half of it, or less if the cell has changed.
        forces_std: also predict standard deviations of forces with a model whose uncertainty was
            computed; one backward pass per weight of the last layers.

    Warns:
        UserWarning: Once, if the energy of a structure is less certain per atom than all energies
            of the validation split, for models with an uncertainty.

    Raises:
        FileNotFoundError: If the model does not exist.
        ValueError: If the model is not a potential, ``dtype`` is unknown, ``skin`` is negative, or
            ``forces_std`` is set and the uncertainty was not computed.

    Attributes:
        model: the loaded model; a copy, if an object was given.
        elements: atomic numbers that occur in the training data, ascending.
        cutoff: in angstrom; None for networks in which all atoms interact, which cannot be
            periodic, and for ensembles of different cutoffs.
        state_inputs: ``charge`` and ``spin`` if they are inputs of the model.
        neighbors: kept neighbours; None without a common cutoff.
    """

    def __init__(
        self,
        model: TrainedModel | Ensemble | str | Path | Sequence[str | Path],
        *,
        device: torch.device | str = "cpu",
        dtype: str | None = None,
        any_composition: bool = False,
        skin: float = 1.0,
        forces_std: bool = False,
    ) -> None:
        if dtype not in (None, "float32", "float64"):
            raise ValueError(f'dtype must be "float32" or "float64", got {dtype!r}')
        if not 0 <= skin < math.inf:
            raise ValueError(f"skin must be a distance of at least 0 in angstrom, got {skin!r}")
        self.model: TrainedModel | Ensemble = (
            copy.deepcopy(model)
            if isinstance(model, (TrainedModel, Ensemble))
            else load(model, dtype=None if dtype is None else getattr(torch, dtype))
        )
        for member in self.model.members:
            if not isinstance(member.task, Potential):
                raise ValueError(
                    f"model must be a potential (energy and forces), but {member.name} predicts "
                    f"{', '.join(member.units)}"
                )
            member.task.gives_virial = True
        self.model.to(device)
        if dtype is not None:
            self.model.cast(getattr(torch, dtype))
        if any_composition:
            allow_any_composition(self.model)
        if forces_std:
            give_force_std(self.model)
        self._has_warned = False
        spec = self.model.spec
        assert isinstance(spec, GeometricSpec)  # that of a potential
        self.spec = spec
        self.elements = tuple(sorted(number for number in spec.elements if number))
        self.state_inputs = tuple(spec.graph_inputs)
        self.cutoff = _common_cutoff(self.model)
        self.neighbors = None if self.cutoff is None else SkinNeighbors(self.cutoff, skin)

    @property
    def name(self) -> str:
        """Name of the model; those of an ensemble are joined by ``+``."""
        return self.model.name

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the network; energies are summed in float64."""
        return self.model.dtype

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return self.model.device

    def evaluate(
        self,
        pos: ArrayLike,
        numbers: ArrayLike,
        cell: ArrayLike | None = None,
        pbc: ArrayLike | None = None,
        *,
        charge: float | None = None,
        spin: float | None = None,
    ) -> Evaluation:
        """Evaluate one structure.

        Args:
            pos: ``[N, 3]`` in angstrom; atoms may lie outside the cell.
            numbers: ``[N]`` atomic numbers.
            cell: ``[3, 3]`` lattice vectors in rows, in angstrom; None for an isolated molecule.
            pbc: periodic directions, one value or three; None: all if there is a cell.
            charge: total charge in elementary charges, for models that take it as an input.
            spin: multiplicity, 1 for a closed shell, for models that take it as an input.

        Raises:
            ValueError: As in `evaluate_many`.
        """
        structure = given_structure(pos, numbers, cell, pbc, charge=charge, spin=spin)
        return self.evaluate_many([structure])[0]

    def hessian(
        self,
        pos: ArrayLike,
        numbers: ArrayLike,
        cell: ArrayLike | None = None,
        pbc: ArrayLike | None = None,
        *,
        charge: float | None = None,
        spin: float | None = None,
        atoms: Sequence[int] | None = None,
        chunk: int = 256,
    ) -> np.ndarray:
        """Second derivatives of the energy with respect to all positions, by differentiation.

        In a periodic structure all images of an atom move together (the Gamma point).

        Args:
            pos: as in `evaluate`, like the next arguments.
            numbers: as in `evaluate`.
            cell: as in `evaluate`.
            pbc: as in `evaluate`.
            charge: as in `evaluate`.
            spin: as in `evaluate`.
            atoms: numbers of the atoms whose rows are computed; None: all of them.
            chunk: number of atoms that are differentiated at once, in copies of the structure;
                memory grows with it. A structure with more atoms is differentiated alone.

        Returns:
            ``[N, 3, N, 3]`` (``[A, 3, N, 3]`` of ``atoms``) in eV/angstrom^2, symmetric up to
            rounding; that of the mean energy of an ensemble.

        Raises:
            ValueError: As in `evaluate_many`, or if ``chunk`` is not positive, an atom does not
                exist, or a second derivative is not finite.
        """
        structure = given_structure(pos, numbers, cell, pbc, charge=charge, spin=spin)
        return self.hessian_of(structure, atoms=atoms, chunk=chunk)

    def hessian_of(
        self, structure: Structure, *, atoms: Sequence[int] | None = None, chunk: int = 256
    ) -> np.ndarray:
        """As `hessian`, of a validated structure, see `geozoo.data.structure_of`."""
        found = hessian(self.model, self._store([structure]), chunk, atoms) * EV_PER_MEV
        return found.reshape(-1, 3, len(structure.numbers), 3)

    def evaluate_many(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """Evaluate several structures at once.

        Args:
            structures: validated structures, see `geozoo.data.structure_of`.

        Raises:
            ValueError: If a structure is periodic and the model has no cutoff, it contains elements
                absent from the training set, its composition has an energy that the training set
                does not determine, its charge or spin is missing or not as in training, or its
                energy or forces are not finite.
        """
        store = self._store(structures)
        found = self._completed(predict_store(self.model, store), store)
        ends = [0, *store.num_nodes.cumsum(0).tolist()]
        return [_evaluation(found, *each) for each in enumerate(map(slice, ends[:-1], ends[1:]))]

    def evaluate_batch(
        self,
        pos: Tensor,
        numbers: Tensor,
        sizes: Tensor,
        cell: Tensor | None = None,
        pbc: Tensor | None = None,
        *,
        charge: Tensor | None = None,
        spin: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Evaluate several structures at once, from tensors to tensors.

        Everything is evaluated together, so an error tells if it does not fit into memory. The
        neighbours are searched on the CPU.

        Args:
            pos: ``[N, 3]`` positions of the atoms of all structures in angstrom, one structure
                after the other; atoms may lie outside the cell.
            numbers: ``[N]`` atomic numbers.
            sizes: ``[S]`` number of atoms of each structure.
            cell: ``[S, 3, 3]`` lattice vectors in rows, in angstrom; zero along directions without
                one; None if all are isolated.
            pbc: ``[S, 3]`` periodic directions; None if all are isolated.
            charge: ``[S]`` total charges in elementary charges; None if not specified.
            spin: ``[S]`` multiplicities, 1 for a closed shell; None if not specified.

        Returns:
            Tensors in float64 on the device of the model, by the names of `Evaluation`: ``energy``
            ``[S]``, ``forces`` ``[N, 3]``, ``virial`` ``[S, 3, 3]``, and, as far as the model
            predicts them, ``stress`` ``[S, 3, 3]`` (NaN for structures without a volume; missing if
            all are isolated), ``energies`` ``[N]``, ``dipole`` ``[S, 3]``. Standard deviations over
            the members of an ensemble have the suffix ``_std``.

        Raises:
            ValueError: As in `evaluate_many`; also if positions or cells are not finite, atoms are
                closer than 0.1 angstrom, or shapes do not match.
        """
        pos, numbers, sizes = on_host(pos, numbers, sizes)
        cells = checked_cells(cell, pbc, len(sizes))
        states = state_values(self.spec, numbers, sizes, cells.get("pbc"), charge, spin)
        store = atoms_store(self.spec, pos, numbers, sizes, {**cells, **states})
        store = self._with_neighbors(store, pos)
        return self._completed(self.model.predict(store.whole()), store)

    def _with_neighbors(self, store: GraphStore, pos: Tensor) -> GraphStore:
        """The same structures with their neighbours, if the model has a cutoff.

        Positions in the store are centred, which would hide that all atoms moved.
        """
        if self.neighbors is None:
            return store
        cell, pbc = store.graph.get("cell"), store.graph.get("pbc")
        return store.with_table(self.neighbors.table(pos, cell, pbc, store.num_nodes))

    def _completed(self, predicted: Mapping[str, Tensor], store: GraphStore) -> dict[str, Tensor]:
        """The predictions in eV and angstrom, all finite, with a warning of extrapolations."""
        found = in_electronvolts(predicted, store.node["pos"], store.num_nodes)
        check_finite(found, store.num_nodes)
        if not self._has_warned and (far := extrapolations(self.model, predicted, store.num_nodes)):
            assert isinstance(self.model, TrainedModel)  # an ensemble has no uncertainty of its own
            self._has_warned = True
            text = extrapolation_message(self.model, far, len(store))
            warnings.warn(f"{text}. This warning is shown once", stacklevel=3)
        return found

    def _store(self, structures: Sequence[Structure]) -> GraphStore:
        """The inputs of the model, with kept neighbours."""
        pos = torch.from_numpy(np.concatenate([each.pos for each in structures]))
        return self._with_neighbors(structure_store(self.spec, structures), pos)


def _common_cutoff(model: TrainedModel | Ensemble) -> float | None:
    networks = [member.model for member in model.members]
    cutoffs = {getattr(network, "radius", None) for network in networks}
    radius = cutoffs.pop()
    if cutoffs or radius is None or not all(map(supports_cells, networks)):
        return None
    return float(radius)


def _evaluation(found: Mapping[str, Tensor], graph: int, atoms: slice) -> Evaluation:
    """What is known about one structure."""
    values: dict[str, np.ndarray] = {}
    for name, rows in found.items():
        row = rows[atoms] if name.removesuffix(SPREAD) in OF_ATOMS else rows[graph]
        if not bool(row.isnan().any()):  # undefined for this structure
            values[name] = row.numpy()
    spread = {
        name.removesuffix(SPREAD): values.pop(name)
        for name in list(values)
        if name.endswith(SPREAD)
    }
    return Evaluation(energy=float(values.pop("energy")), spread=spread, **values)
