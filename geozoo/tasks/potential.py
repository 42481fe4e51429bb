"""Interatomic potentials: energies of molecules and conservative forces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from geozoo.data import GeometricSpec, GraphBatch, GraphDataModule
from geozoo.data.loader import Store
from geozoo.data.molecules.atom_energies import (
    COMPOSITIONS,
    PREFIX,
    column_numbers,
    composition_span,
    compositions_of,
    count_elements,
    is_determined,
)
from geozoo.tasks._compositions import column_energies, undetermined
from geozoo.tasks._forces import energy_and_force
from geozoo.tasks._quantity import Quantity
from geozoo.tasks._shares import graphs_of, nodes_of
from geozoo.tasks._usage import Usage, of_potential
from geozoo.tasks.geometric import GeometricTask

#: With larger weights, losses overflow float32.
_LARGEST_WEIGHT = 1e15
_STATISTICS = ("energy_shift", "energy_scale")
#: Buffers missing from weights of earlier versions.
LATER_BUFFERS = ("atom_energies", "composition_span", "shift_composition")


class Potential(GeometricTask):
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

    Forces need autograd in validation and test: the Trainer must have ``inference_mode=False``.

    Args:
        model: a network with level ``"graph"`` and one scalar output.
        spec: the data specification; batch fields ``energy [G]`` and ``forces [N, dim]``.
        energy_weight: weight of the energy term.
        force_weight: weight of the force term.
        optimizer: see `GeometricTask`, as for the remaining arguments.
        schedule: see `GeometricTask`.
        augment: see `GeometricTask`.
        test_rotations: see `GeometricTask`.
        monitor: see `GeometricTask`; ``"val/loss"`` is the loss on the validation split.
        seed: see `GeometricTask`.
        any_composition: also predict for compositions whose energies the training split does not
            determine: forces may be useful, energies have an unknown offset per composition.

    Raises:
        ValueError: If the data does not have level ``"graph"`` with one scalar output, lacks the
            statistics ``energy_shift`` and ``energy_scale``, or a weight is negative, NaN, or so
            large that the loss would overflow float32.
    """

    keeps_statistics: ClassVar[bool] = False  # so that a 'true' half precision raises an error
    validates_loss: ClassVar[bool] = True
    outputs: ClassVar[tuple[str, ...]] = ("scalar",)
    needs_positions: ClassVar[bool] = True

    energy_shift: Tensor
    energy_scale: Tensor
    atom_energies: Tensor
    composition_span: Tensor
    shift_composition: Tensor
    known_compositions: Tensor

    def __init__(
        self,
        model: nn.Module,
        spec: GeometricSpec,
        *,
        energy_weight: float = 1 / 500,
        force_weight: float = 1.0,
        optimizer: Any = None,
        schedule: Any = None,
        augment: bool = True,
        test_rotations: int = 1,
        monitor: str | None = "val/loss",
        seed: int = 0,
        any_composition: bool = False,
    ) -> None:
        _check_spec(spec)
        for name, weight in (("energy_weight", energy_weight), ("force_weight", force_weight)):
            if not 0 <= weight <= _LARGEST_WEIGHT:
                raise ValueError(f"{name} must be in 0..{_LARGEST_WEIGHT:g}, got {weight!r}")
        measures = ("mae", "rmse")
        super().__init__(
            model, spec,
            quantities=(
                Quantity("energy", "energy", measures),
                Quantity("force", "forces", measures, is_vector=True, level="node"),
            ),
            optimizer=optimizer, schedule=schedule, augment=augment,
            test_rotations=test_rotations, monitor=monitor, seed=seed,
        )  # fmt: skip
        self.energy_weight, self.force_weight = energy_weight, force_weight
        self._compiled_step: Callable[..., dict[str, Tensor]] | None = None
        for name in _STATISTICS:
            value = torch.tensor(spec.statistics[name], dtype=torch.float64)
            self.register_buffer(name, value)
        self.any_composition = any_composition
        # One entry per column of x; the span is the whole space until `prepare` sees training data.
        self.register_buffer("atom_energies", column_energies(spec))
        span = torch.eye(spec.in_channels, dtype=torch.float64)
        self.register_buffer("composition_span", span)
        self.register_buffer("shift_composition", span.new_zeros(spec.in_channels))
        known = torch.tensor(spec.statistics.get(COMPOSITIONS, []), dtype=torch.float64)
        known = known.reshape(-1, spec.in_channels)
        self.register_buffer("known_compositions", known, persistent=False)
        self.register_load_state_dict_pre_hook(_complete_state)

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """Find the compositions with determined energies, and see `GraphTask.prepare`.

        Raises:
            ValueError: If the validation or test split contains compositions whose energies the
                training split does not determine.
        """
        store, splits = graphs_of(datamodule.store), datamodule.splits
        if self.spec.elements and "x" in store.node:
            self._learn_compositions(compositions_of(store)[splits["train"]])
            for part in ("val", "test"):
                self.check_part(datamodule, part)
        return super().prepare(datamodule, num_processes)

    def check_part(self, datamodule: GraphDataModule, part: str) -> None:
        """Raise an error if a split contains compositions with undetermined energies.

        Args:
            datamodule: the data.
            part: the split, ``"val"`` or ``"test"``.

        Raises:
            ValueError: If the training split does not determine the energy of a composition.
        """
        store = graphs_of(datamodule.store)
        if self.spec.elements and "x" in store.node:
            compositions = compositions_of(store)[datamodule.splits[part]]
            x, z = store.node["x"], store.node.get("z")
            self._check_compositions(compositions, f"the {part} split", x, z)

    def _learn_compositions(self, trained: Tensor) -> None:
        given = self.spec.record.files.energy_reference in ("given", "isolated atoms")
        has_shift = float(self.energy_shift) != 0.0
        is_bare = not has_shift and not any(key.startswith(PREFIX) for key in self.spec.statistics)
        if given or is_bare:
            # Given free-atom energies are valid for all compositions of the training elements. So
            # is the network's own sum over atoms if nothing is added to it.
            self.composition_span.copy_(torch.diag(trained.any(0).to(trained.dtype)))
            return
        if has_shift:
            # There is one shift per graph, so sums and multiples of compositions would have another
            # number of shifts. Data that list their compositions are restricted to these.
            self.shift_composition.copy_(trained[0])
        self.composition_span.copy_(composition_span(trained - self.shift_composition.cpu()))

    def _check_compositions(
        self, compositions: Tensor, where: str, x: Tensor, z: Tensor | None
    ) -> None:
        """Raise an error for compositions with undetermined energies.

        Args:
            compositions: number of atoms per column of ``x`` in each graph ``[G, C]``.
            where: description of the graphs for the message.
            x: one-hot elements of these atoms, or of a superset.
            z: atomic numbers of the same atoms, which identify elements not in the training split.
        """
        if self.any_composition:
            return
        compositions = compositions.to(self.composition_span.device)
        fits = self.is_determined(compositions)
        if bool(fits.all()):
            return
        numbers = column_numbers(self.spec.elements, x, z)
        odd, is_listed = compositions[~fits], len(self.known_compositions) > 0
        raise ValueError(
            f"{where} contains {undetermined(odd, self.spec.elements, numbers, is_listed)}"
        )

    def is_determined(self, compositions: Tensor) -> Tensor:
        """Whether training determines the energy of each composition ``[G, C]``; bool ``[G]``."""
        return is_determined(
            compositions, self.composition_span, self.shift_composition, self.known_compositions
        )

    def earlier_state(self, data: Mapping[str, Any]) -> dict[str, Tensor]:
        """See `GraphTask.earlier_state`; free-atom energies were stored only in the statistics."""
        state = {name: getattr(self, name) for name in LATER_BUFFERS}
        if data:
            spec = GeometricSpec.from_dict(data)
            assert isinstance(spec, GeometricSpec)  # a potential has no other data
            state["atom_energies"] = column_energies(spec)
        return state

    def usage(self, model: str) -> Usage:
        """See `GraphTask.usage`; includes the ASE calculator."""
        return of_potential(super().usage(model), self.spec)

    def atom_energy(self, batch: GraphBatch) -> Tensor:
        """Sum of free-atom energies in meV of each graph ``[G]``, in float64."""
        composition = self._composition(batch)
        if composition is None:
            return self.energy_shift.new_zeros(batch.num_graphs)
        return composition @ self.atom_energies

    def _composition(self, batch: GraphBatch) -> Tensor | None:
        """Atoms of each element in each graph ``[G, C]``; None if ``x`` does not hold elements."""
        x = batch.get("x")
        if x is None or not self.spec.elements:
            return None
        return count_elements(x, batch.batch, batch.num_graphs)

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

    def _loss(self, batch: GraphBatch, weights: Mapping[str, float]) -> dict[str, Tensor]:
        self._check_precision()
        inputs = self.inputs(batch)
        dtype = inputs["pos"].dtype
        targets = {
            "energy": ((batch.energy - self._offset(batch)) / self.energy_scale).to(dtype),
            "force": (batch.forces / self.energy_scale).to(dtype),
        }
        targets |= {name: inputs["pos"].new_full((), value) for name, value in weights.items()}
        if self.training and self._compiled_step is not None:
            return self._compiled_step(inputs, targets)
        return self._losses(self.model, inputs, targets)

    def loss_counts(self, store: Store) -> dict[str, Tensor]:
        """One per graph for the energy, the number of atoms for the force."""
        return {"energy_loss": torch.ones(len(store)), "force_loss": nodes_of(store)}

    def weighted_loss(self, batch: GraphBatch, weights: Mapping[str, float]) -> dict[str, Tensor]:
        """As `loss`, with the energy and force terms multiplied by their weights."""
        return self._loss(batch, weights)

    def validation_loss(self, values: Mapping[str, Tensor]) -> Tensor:
        """The loss on the validation split, computed from the root mean squared errors."""
        energy, force = (values[f"{name}_rmse"] / self.energy_scale for name in ("energy", "force"))
        return self.energy_weight * energy.square() + self.force_weight * force.square()

    def _losses(
        self, network: Callable[..., Any], inputs: dict[str, Any], targets: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        energy, force = energy_and_force(network, inputs, create_graph=True)
        energy_loss = functional.mse_loss(energy, targets["energy"].to(energy.dtype))
        force_loss = functional.mse_loss(force, targets["force"].to(force.dtype))
        if "energy_loss" in targets:  # weights of one of several batches of an optimizer step
            energy_loss = energy_loss * targets["energy_loss"].to(energy_loss.dtype)
            force_loss = force_loss * targets["force_loss"].to(force_loss.dtype)
        total = self.energy_weight * energy_loss + self.force_weight * force_loss
        return {"loss": total, "energy_loss": energy_loss, "force_loss": force_loss}

    def predict(self, batch: GraphBatch) -> dict[str, Tensor]:
        """``energy [G]`` in float64 and ``force [N, dim]``, in the units of the dataset."""
        composition = self._composition(batch)
        if composition is not None:
            self._check_compositions(composition, "the input", batch.x, batch.get("z"))
        energy, force = self.scaled_energy_and_force(batch, create_graph=False)
        return {
            "energy": energy.detach().double() * self.energy_scale
            + self._offset(batch, composition),
            "force": force.detach() * self.energy_scale.to(force.dtype),
        }

    def predict_baseline(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Free-atom energies plus shift (the mean training energy or 0), and zero forces."""
        energy = self._offset(batch)
        return {"energy": energy, "force": torch.zeros_like(batch.forces)}

    def _offset(self, batch: GraphBatch, composition: Tensor | None = None) -> Tensor:
        """The energy of each graph in meV without the network's contribution ``[G]``."""
        if composition is None:
            return self.atom_energy(batch) + self.energy_shift
        return composition @ self.atom_energies + self.energy_shift

    def scaled_energy_and_force(
        self, batch: GraphBatch, *, create_graph: bool
    ) -> tuple[Tensor, Tensor]:
        """Energy ``[G]`` and its negative gradient ``[N, dim]`` in normalised units.

        Args:
            batch: the graphs.
            create_graph: whether the forces are differentiable, as training requires.

        Raises:
            RuntimeError: In ``torch.inference_mode``, or if the energy statistics are no longer in
                float64.
        """
        self._check_precision()
        return energy_and_force(self.model, self.inputs(batch), create_graph=create_graph)

    def _check_precision(self) -> None:
        if torch.is_inference_mode_enabled():
            raise RuntimeError(
                "forces are gradients, which torch.inference_mode does not allow: "
                "set inference_mode=False in the Trainer"
            )
        if self.energy_shift.dtype != torch.float64:
            raise RuntimeError(
                "the energy statistics must be float64, which total energies require, got "
                f"{self.energy_shift.dtype}: use trainer.precision=bf16-mixed (or 32-true) instead "
                "of a 'true' half precision"
            )


def _complete_state(task: Potential, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Add the buffers that weights of earlier versions lack."""
    for name in LATER_BUFFERS:
        state.setdefault(prefix + name, getattr(task, name))


def _check_spec(spec: GeometricSpec) -> None:
    if spec.level != "graph" or spec.out_channels != 1:
        raise ValueError(
            "task potential needs data of level 'graph' with one scalar output, got level "
            f"{spec.level!r} and {spec.out_channels} scalar outputs"
        )
    missing = [name for name in _STATISTICS if name not in spec.statistics]
    if missing:
        raise ValueError(
            f"task potential needs data with the statistics {', '.join(_STATISTICS)}, missing: "
            f"{', '.join(missing)}"
        )
