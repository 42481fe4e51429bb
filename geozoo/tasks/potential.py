"""Interatomic potentials: energies of molecules and conservative forces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from geozoo.contracts import supports_cells
from geozoo.data import DataSpec, GeometricSpec, GraphBatch, GraphDataModule
from geozoo.data.loader import Store
from geozoo.options import grouped
from geozoo.tasks._atom_outputs import AtomResolvedTask, ScaleBy
from geozoo.tasks._atom_readout import TARGETS, atom_arguments, where_known
from geozoo.tasks._derivatives import Derivatives, detached, energy_derivatives, volumes
from geozoo.tasks._last_layer import FeaturePass
from geozoo.tasks._posterior import LastLayerPosterior
from geozoo.tasks._potential_loss import LOSSES, PotentialLoss, TermMeans, loss_targets
from geozoo.tasks._potential_spec import check_spec, quantities_of
from geozoo.tasks._reference_energies import LATER_BUFFERS
from geozoo.tasks._remainder import fit_references, remainder, with_terms
from geozoo.tasks._shares import graphs_of, nodes_of
from geozoo.tasks._terms import Terms
from geozoo.tasks._usage import Usage, of_potential

__all__ = ["LATER_BUFFERS", "Potential"]


class Potential(AtomResolvedTask):
    r"""Energy of a graph and conservative forces.

    .. math:: E = \sum_i a_{z_i} + \mu + \sigma \hat E(x), \qquad
        F_i = -\frac{\partial E}{\partial x_i} = -\sigma \frac{\partial \hat E}{\partial x_i}

    with free-atom energies :math:`a_z`, shift :math:`\mu` and scale :math:`\sigma` of the training
    split in float64: molecular energies are near 1e7 meV, where the spacing of float32 numbers is
    1 meV. They are buffers and therefore saved with the weights. The shift is 0 if there are
    free-atom energies, so the energy is size-extensive; published recipes use a shift instead,
    which is valid only for the compositions of their training split (statistic ``compositions``).
    A composition whose energy the training split does not determine raises an error (see
    ``any_composition``). The loss, in normalised units, is ``energy_weight`` times the mean squared
    energy error plus ``force_weight`` times the mean squared error of the force components (PONITA:
    1/500 and 1). Metrics are in the units of the dataset: ``energy_mae``, and ``force_mae`` per
    component.

    In periodic structures, the stress is :math:`\sigma = V^{-1}\, \partial E / \partial
    \varepsilon` for a symmetric strain of positions and cell (`energy_derivatives`), with the sign
    of ASE: negative under compression. If the data have stresses, they are part of the loss.
    Energies of structures of different size are also compared per atom
    (``energy_per_atom_mae``). A network with outputs per atom (level ``"node"``) also gives
    energies of atoms, which may be learned (``atom_energy_weight``), and dipoles :math:`\sum_i q_i
    (r_i - \bar r) + \mu_i` of molecules (``dipole_weight``) about their mean position, which
    matters for charged molecules only. Frames without a target count only where they have targets,
    and the field ``weight`` multiplies the loss of a frame.

    With ``terms``, energies from physics such as a short-range repulsion are added to the energy,
    and their derivatives to forces and stress. The sum is compared with the labels, so the network
    learns the remainder. `prepare` computes the terms of all structures once, and fits shift,
    free-atom energies and scale to the labels minus the terms; given free-atom energies stay, since
    the terms vanish for isolated atoms.

    Args:
        model: a network with one scalar output and level ``"graph"``, or ``"node"`` for energies
            of atoms.
        spec: the data specification; batch fields ``energy [G]`` and ``forces [N, dim]``, and for
            periodic structures ``cell``, ``pbc`` and optionally ``stress [G, 3, 3]``.
        energy_weight: weight of the energy term.
        force_weight: weight of the force term.
        stress_weight: weight of the stress term, see `PotentialLoss`.
        energy_per_atom: divide energy errors in the loss by the number of atoms, for structures of
            different size.
        huber_delta: errors beyond this value, in normalised units, count linearly; None: never.
        atom_energy_weight: weight of the energies of atoms, if the data have them (batch field
            ``atom_energies [N]``); 0: they are not learned.
        dipole_weight: weight of the dipoles of molecules (batch field ``dipole [G, 3]``), in units
            of their root mean square component; 0: the model predicts none. Needs a model with two
            scalar outputs, energy and charge.
        atomic_dipoles: dipoles are sums of atomic dipoles, too, from a vector output; False: of
            charges only, for networks without vector outputs. It sets the outputs of the network.
        scale_by: ``"all"``: one scale for all energies; ``"species"``: energies of atoms are
            multiplied by the root mean square force component on atoms of the same element in the
            training split, before they are summed.
        monitor: see `GeometricTask`; ``"val/loss"`` is the loss on the validation split.
        any_composition: also predict for compositions whose energies the training split does not
            determine: forces may be useful, energies have an unknown offset per composition.
        terms: energies from physics that are added to that of the network, see `Terms`.
        options: optimizer, schedule, augment, test_rotations and seed of `GeometricTask`.

    Attributes:
        gives_virial: `predict` also returns virials of graphs with cells; False unless set.

    Raises:
        ValueError: If the data does not have level ``"graph"`` with one scalar output, lacks the
            statistics ``energy_shift`` and ``energy_scale``, a weight is negative, NaN, or so
            large that the loss would overflow float32, or ``scale_by`` is ``"species"`` and the
            model does not have level ``"node"``. In training, if a structure is periodic and the
            model does not support cells or has no cutoff, or an element has no forces and
            ``scale_by`` is ``"species"``.
    """

    keeps_statistics: ClassVar[bool] = False  # so that a 'true' half precision raises an error
    validates_loss: ClassVar[bool] = True
    outputs: ClassVar[tuple[str, ...]] = ("scalar",)
    needs_positions: ClassVar[bool] = True
    is_taught: ClassVar[bool] = True

    @grouped("terms")
    def __init__(
        self,
        model: nn.Module,
        spec: GeometricSpec,
        *,
        energy_weight: float = 1 / 500,
        force_weight: float = 1.0,
        stress_weight: float = 0.1,
        energy_per_atom: bool = False,
        huber_delta: float | None = None,
        atom_energy_weight: float = 0.0,
        dipole_weight: float = 0.0,
        atomic_dipoles: bool = True,
        scale_by: ScaleBy = "all",
        monitor: str | None = "val/loss",
        any_composition: bool = False,
        terms: Terms = Terms(),  # noqa: B008
        **options: Any,
    ) -> None:
        check_spec(spec)
        self.loss_of = PotentialLoss(
            energy_weight, force_weight, stress_weight, energy_per_atom, huber_delta,
            atom_energy_weight, dipole_weight,
        )  # fmt: skip
        wanted = {name for name in TARGETS if self.loss_of.weights[name]}
        self.has_stress, self.gives_virial = "stress" in spec.units, False
        self.compares_per_atom = "energy_per_atom" in spec.units
        super().__init__(
            model, spec, quantities=quantities_of(spec, wanted), monitor=monitor, **options
        )
        self.keep_references(spec, any_composition=any_composition)
        self.keep_atom_outputs(
            spec, scale_by=scale_by, wanted=wanted, atomic_dipoles=atomic_dipoles
        )
        self.chosen_terms, self.terms = terms, terms.build(spec)
        if self.terms is not None and atom_energy_weight:
            raise ValueError(
                "atom_energy_weight must be 0 with physical terms, which are not energies of atoms,"
                f" got {atom_energy_weight!r}"
            )
        self.val_terms = TermMeans()
        self._compiled_step: Callable[..., dict[str, Tensor]] | None = None
        self._found: Derivatives | None = None

    @staticmethod
    def model_arguments(spec: DataSpec, node: Mapping[str, Any]) -> dict[str, Any]:
        """See `GraphTask.model_arguments`; level ``"node"`` if energies of atoms are needed."""
        return atom_arguments(spec.model_arguments(), node)

    def quantity_units(self) -> dict[str, str]:
        """Unit of each quantity, and of the stress if the model predicts it for periodic input."""
        units = super().quantity_units()
        if supports_cells(self.model) and getattr(self.model, "radius", None) is not None:
            units.setdefault("stress", "meV/angstrom^3")
            if self.gives_virial:
                units["virial"] = "meV"
        return units

    def usage(self, model: str) -> Usage:
        """See `GraphTask.usage`; includes the ASE calculator."""
        return of_potential(super().usage(model), self.spec)

    def compile_training(self, **options: Any) -> None:
        """See `GraphTask.compile_training`; the whole step with its derivatives is traced.

        Each batch shape (numbers of atoms, pairs and graphs) is compiled separately, at most eight
        of them, which suits datasets of one molecule.
        """
        from geozoo.tasks._compiled import TracedStep

        self._compiled_step = TracedStep(self.model, self._losses, **options)

    def loss(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Weighted sum of the mean squared errors of normalised energies and forces."""
        return self._loss(batch, {})

    def extend_data(self, datamodule: GraphDataModule) -> None:
        """Compute the physical terms of all structures, which training does not change."""
        if self.terms is not None:
            datamodule.add_fields("Computing physical terms", self.terms.fields)

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """Fit the references to the labels minus the terms, and see `GeometricTask.prepare`.

        Raises:
            ValueError: If the validation or test split contains compositions whose energies the
                training split does not determine, or a term is not defined for a structure.
        """
        if self.terms is not None:
            store = graphs_of(datamodule.store)
            fit_references(self, self.terms, store, datamodule.splits["train"])
        return super().prepare(datamodule, num_processes)

    def _loss(self, batch: GraphBatch, weights: Mapping[str, float]) -> dict[str, Tensor]:
        self.check_precision()
        if self.training:
            self.check_atom_outputs()
        if self.terms is not None:
            batch = remainder(batch, self.terms.known(batch) or self.terms(batch))
        inputs = self.inputs(batch)
        energy = (batch.energy - self.offset(batch)) / self.energy_scale
        targets = loss_targets(
            batch, energy, self.energy_scale, inputs["pos"].dtype, has_stress=self.has_stress,
            further=self.normalised(self.atom_targets(batch), batch),
        )  # fmt: skip
        factors = {name: inputs["pos"].new_full((), value) for name, value in weights.items()}
        if self.training and self._compiled_step is not None:
            return self._compiled_step(inputs, {**targets, **factors})
        return self._losses(self.network, inputs, {**targets, **factors})

    def loss_counts(self, store: Store) -> dict[str, Tensor]:
        """One per graph for energy and stress, the number of atoms for the force."""
        nodes, ones = nodes_of(store), torch.ones(len(store))
        fields = graphs_of(store).graph
        counts = {"energy_loss": ones, "force_loss": nodes * fields.get("has_forces", ones)}
        if self.has_stress:
            counts["stress_loss"] = ones * fields.get("has_stress", ones)
        for name in self.learned:
            known = fields.get(f"has_{TARGETS[name]}", ones)
            counts[LOSSES[name]] = known * (nodes if name == "atom_energy" else ones)
        return counts

    def weighted_loss(self, batch: GraphBatch, weights: Mapping[str, float]) -> dict[str, Tensor]:
        """As `loss`, with the energy and force terms multiplied by their weights."""
        return self._loss(batch, weights)

    def validation_step(self, batch: GraphBatch, batch_idx: int) -> None:
        """Accumulate the errors of a batch and the terms of its loss."""
        known = None if self.terms is None else self.terms.known(batch)
        predicted, scale = self._predict(batch, known), self.energy_scale
        self.val_errors.update(predicted, self.targets(batch))
        offset = self.offset(batch)
        targets = loss_targets(
            batch, (batch.energy - offset) / scale, scale, torch.float64,
            has_stress=self.has_stress, further=self.normalised(self.atom_targets(batch), batch),
        )  # fmt: skip
        found: dict[str, Tensor | None] = {
            **self.normalised(predicted, batch),
            "energy": (predicted["energy"] - offset) / scale,
            "force": predicted["force"].double() / scale,
            "virial": None,
        }
        if self.has_stress:
            volume, _ = volumes(batch.cell, batch.pbc)
            found["virial"] = -predicted["stress"].nan_to_num() * volume[:, None, None] / scale
        errors = self.loss_of.errors(found, targets)
        means = self.loss_of.means(errors, targets)
        counts = {
            name: torch.tensor(float(len(errors[name]))) if count is None else count
            for name, (_, count) in means.items()
        }
        self.val_terms.update({name: mean for name, (mean, _) in means.items()}, counts)

    def validation_loss(self, values: Mapping[str, Tensor]) -> Tensor:
        """The training loss in evaluation mode on the whole validation split."""
        terms = self.val_terms.compute()
        self.val_terms.reset()
        return self.loss_of.total(terms)

    def _losses(
        self, network: Callable[..., Any], inputs: dict[str, Any], targets: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        found = energy_derivatives(
            network, inputs, create_graph=True, with_virial="virial" in targets,
            readout=self.readout,
        )  # fmt: skip
        self._found = None if self.stand_in is None else detached(found)
        errors = self.loss_of.errors(found._asdict(), targets)
        terms = {name: mean for name, (mean, _) in self.loss_of.means(errors, targets).items()}
        losses = {LOSSES[name]: term for name, term in terms.items()}
        for name, term in terms.items():  # weights of one of several batches of an optimizer step
            if (factor := targets.get(LOSSES[name])) is not None:
                terms[name] = term * factor.to(term.dtype)
                losses[LOSSES[name]] = terms[name]
        return {"loss": self.loss_of.total(terms), **losses}

    def taught(self, batch: GraphBatch, output: Any) -> GraphBatch:
        """See `GraphTask.taught`; from the derivatives in the last loss."""
        assert self._found is not None  # that of this batch
        predicted = self._in_units(batch, self._found, self.offset(batch), None)
        return self._with_targets(batch, predicted)

    def targets(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The targets by name; NaN where a frame has none."""
        values = {"energy": batch.energy, "force": batch.forces}
        if (known := batch.get("has_forces")) is not None:
            values["force"] = where_known(batch.forces, known.index_select(0, batch.batch))
        if self.has_stress:
            known = batch.get("has_stress")
            values["stress"] = batch.stress if known is None else where_known(batch.stress, known)
        if self.compares_per_atom:
            values["energy_per_atom"] = batch.energy / batch.ptr.diff()
        return values | self.known_atom_targets(batch)

    def predict(self, batch: GraphBatch) -> dict[str, Tensor]:
        """``energy [G]`` in float64 and ``force [N, dim]``, in the units of the dataset.

        With cells also ``stress [G, 3, 3]``, NaN for graphs without a volume: molecules, slabs and
        wires. Networks with outputs per atom also give, without ``terms``, ``atom_energy [N]``,
        whose sum is the energy, and, with ``dipole_weight``, ``dipole [G, 3]``, NaN for periodic
        graphs. With cells and `gives_virial` also ``virial [G, 3, 3]``, which slabs and wires have.
        """
        return self._predict(batch, None)

    def predict_with_std(
        self, batch: GraphBatch, posterior: LastLayerPosterior, *, forces: bool = False
    ) -> dict[str, Tensor]:
        """As `predict`, with standard deviations ``energy_std [G]`` from the same forward pass.

        Args:
            batch: the graphs.
            posterior: the calibrated posterior of the last weights.
            forces: also return ``force_std [N, dim]``, exact, one backward pass per weight.
        """
        self.check_precision()
        offset, features = self._checked_offset(batch), FeaturePass(self, batch)
        predicted = self._in_units(batch, features.derivatives(), offset, None)
        found = posterior.std_of(features, forces=forces)
        return predicted | {name: std * self.energy_scale for name, std in found.items()}

    def _predict(self, batch: GraphBatch, terms: Derivatives | None) -> dict[str, Tensor]:
        offset = self._checked_offset(batch)
        found = self.scaled_derivatives(batch, create_graph=False)
        return self._in_units(batch, found, offset, terms)

    def _checked_offset(self, batch: GraphBatch) -> Tensor:
        composition = self.composition(batch)
        if composition is not None:
            self.check_compositions(composition, "the input", batch.x, batch.get("z"))
        return self.offset(batch, composition)

    def _in_units(
        self, batch: GraphBatch, found: Derivatives, offset: Tensor, terms: Derivatives | None
    ) -> dict[str, Tensor]:
        energy = found.energy.detach().double() * self.energy_scale + offset
        predicted = {
            "energy": energy,
            "force": found.force.detach() * self.energy_scale.to(found.force.dtype),
        }
        if found.virial is not None:
            volume, has_volume = volumes(batch.cell, batch.pbc)
            virial = found.virial.detach().double() * self.energy_scale
            stress = -virial / volume[:, None, None]
            predicted["stress"] = stress.masked_fill(~has_volume[:, None, None], torch.nan)
            if self.gives_virial:
                predicted["virial"] = virial
        return self._completed(predicted | self.atom_predictions(found, batch), batch, terms)

    def _completed(
        self, predicted: dict[str, Tensor], batch: GraphBatch, terms: Derivatives | None = None
    ) -> dict[str, Tensor]:
        """Predictions with the terms (computed if not known) and the energy per atom."""
        if self.terms is not None:
            predicted = with_terms(predicted, batch, terms or self.terms(batch))
            predicted.pop("atom_energy", None)  # those of the network do not add up to the sum
        if self.compares_per_atom:
            predicted["energy_per_atom"] = predicted["energy"] / batch.ptr.diff()
        return predicted

    def predict_baseline(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Free-atom energies plus shift (the mean training energy or 0), zero forces and stress.

        The physical terms are added, if there are any.
        """
        # A potential that continues another one has other references than its data.
        offset = self.offset(batch) if self.terms is not None else self.offset_of_data(batch)
        baseline = {"energy": offset, "force": torch.zeros_like(batch.forces)}
        if self.has_stress:
            baseline["stress"] = torch.zeros_like(batch.stress)
        return self._completed(baseline | self.atom_baseline(batch), batch)

    def scaled_derivatives(self, batch: GraphBatch, *, create_graph: bool) -> Derivatives:
        """Energy ``[G]``, force ``[N, dim]`` and virial in normalised units.

        Args:
            batch: the graphs; the virial ``[G, 3, 3]`` is computed if they have cells.
            create_graph: whether the derivatives are differentiable, as training requires.

        Raises:
            RuntimeError: In ``torch.inference_mode``, or if the energy statistics are no longer in
                float64.
        """
        self.check_precision()
        return energy_derivatives(
            self.model, self.inputs(batch), create_graph=create_graph,
            with_virial="cell" in batch, readout=self.readout,
        )  # fmt: skip
