"""Energies of molecules and the forces that follow from them."""

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

#: Beyond it losses in float32 leave their range.
_LARGEST_WEIGHT = 1e15
_STATISTICS = ("energy_shift", "energy_scale")
#: Buffers that weights of earlier versions lack.
LATER_BUFFERS = ("atom_energies", "composition_span", "shift_composition")


class Potential(GeometricTask):
    r"""Energy of a graph and conservative forces.

    .. math:: E = \sum_i a_{z_i} + \mu + \sigma \hat E(x), \qquad
        F_i = -\frac{\partial E}{\partial x_i} = -\sigma \frac{\partial \hat E}{\partial x_i}

    with energies of free atoms :math:`a_z`, shift :math:`\mu` and scale :math:`\sigma` of the
    training data, held in float64: molecular energies are near 1e7 meV, where float32 steps are
    1 meV. They are buffers: whoever has the weights has the whole energy. The shift is 0 where
    there are energies of atoms, so that energies grow with the system; published recipes have a
    shift instead, which holds for the compositions of their training alone (statistic
    ``compositions``). A prediction for a composition that the training energies do not determine is
    refused (`any_composition`). The loss, in scaled units,
    is ``energy_weight`` times the mean squared energy error plus ``force_weight`` times the mean
    squared error of the force components (PONITA: 1/500 and 1). Metrics are in the data set's
    units: ``energy_mae`` and ``force_mae``, the latter per component.

    Forces need autograd in validation and test: the Trainer must have ``inference_mode=False``.

    Args:
        model: a network with level ``"graph"`` and one scalar output.
        spec: the description of the data; batch fields ``energy [G]`` and ``forces [N, dim]``.
        energy_weight: weight of the energy term.
        force_weight: weight of the force term.
        optimizer: see `GeometricTask`, as are the remaining arguments.
        schedule: see `GeometricTask`.
        augment: see `GeometricTask`.
        test_rotations: see `GeometricTask`.
        monitor: see `GeometricTask`; ``"val/loss"`` is the loss on the validation part.
        seed: see `GeometricTask`.
        any_composition: predict for compositions that the training energies do not determine, too:
            forces may be of use, energies are off by an unknown constant of the composition.

    Raises:
        ValueError: if the data is not of level ``"graph"`` with one scalar, or lacks the
            statistics ``energy_shift`` and ``energy_scale``, or a weight is negative, no number or
            so large that a loss in float32 would not be finite.
    """

    keeps_statistics: ClassVar[bool] = False  # so that a 'true' half is noticed and refused
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
        # Of columns of x; the span is everything until a training part has been seen.
        self.register_buffer("atom_energies", column_energies(spec))
        span = torch.eye(spec.in_channels, dtype=torch.float64)
        self.register_buffer("composition_span", span)
        self.register_buffer("shift_composition", span.new_zeros(spec.in_channels))
        known = torch.tensor(spec.statistics.get(COMPOSITIONS, []), dtype=torch.float64)
        known = known.reshape(-1, spec.in_channels)
        self.register_buffer("known_compositions", known, persistent=False)
        self.register_load_state_dict_pre_hook(_complete_state)

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """Learn for which compositions energies hold, and see `GraphTask.prepare`.

        Raises:
            ValueError: when validation or test energies are of compositions that the training part
                does not determine.
        """
        store, splits = graphs_of(datamodule.store), datamodule.splits
        if self.spec.elements and "x" in store.node:
            self._learn_compositions(compositions_of(store)[splits["train"]])
            for part in ("val", "test"):
                self.check_part(datamodule, part)
        return super().prepare(datamodule, num_processes)

    def check_part(self, datamodule: GraphDataModule, part: str) -> None:
        """Refuse data that have other compositions than the training determines, before any work.

        Args:
            datamodule: the data.
            part: ``"val"`` or ``"test"``.

        Raises:
            ValueError: when a composition is not determined; names it.
        """
        store = graphs_of(datamodule.store)
        if self.spec.elements and "x" in store.node:
            compositions = compositions_of(store)[datamodule.splits[part]]
            x, z = store.node["x"], store.node.get("z")
            self._check_compositions(compositions, f"the {part} part", x, z)

    def _learn_compositions(self, trained: Tensor) -> None:
        given = getattr(self.spec.record.structures, "energy_reference", "") in (
            "given", "isolated atoms",
        )  # fmt: skip
        has_shift = float(self.energy_shift) != 0.0
        is_bare = not has_shift and not any(key.startswith(PREFIX) for key in self.spec.statistics)
        if given or is_bare:
            # Given energies of atoms hold for any composition of the elements that were trained on,
            # and so does a network's own sum over atoms that nothing is added to.
            self.composition_span.copy_(torch.diag(trained.any(0).to(trained.dtype)))
            return
        if has_shift:
            # One shift for every graph: sums and multiples of compositions have another number of
            # shifts. Data that say which compositions they have are held to these.
            self.shift_composition.copy_(trained[0])
        self.composition_span.copy_(composition_span(trained - self.shift_composition.cpu()))

    def _check_compositions(
        self, compositions: Tensor, where: str, x: Tensor, z: Tensor | None
    ) -> None:
        """Refuse energies that the training does not determine.

        Args:
            compositions: ``[G, C]`` of the graphs.
            where: what to call these graphs.
            x: one-hot of the elements of their atoms, or of more.
            z: atomic numbers of the same atoms, which name elements that the training never had.
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
            f"{where} holds {undetermined(odd, self.spec.elements, numbers, is_listed)}"
        )

    def is_determined(self, compositions: Tensor) -> Tensor:
        """For which compositions ``[G, C]`` the training determines energies, ``[G]``."""
        return is_determined(
            compositions, self.composition_span, self.shift_composition, self.known_compositions
        )

    def earlier_state(self, data: Mapping[str, Any]) -> dict[str, Tensor]:
        """See `GraphTask.earlier_state`: energies of atoms stood in the statistics alone."""
        state = {name: getattr(self, name) for name in LATER_BUFFERS}
        if data:
            spec = GeometricSpec.from_dict(data)
            assert isinstance(spec, GeometricSpec)  # a potential has no other data
            state["atom_energies"] = column_energies(spec)
        return state

    def usage(self, model: str) -> Usage:
        """See `GraphTask.usage`; here with the calculator for ASE."""
        return of_potential(super().usage(model), self.spec)

    def atom_energy(self, batch: GraphBatch) -> Tensor:
        """The energy in meV of the free atoms of every graph ``[G]``, in float64."""
        composition = self._composition(batch)
        if composition is None:
            return self.energy_shift.new_zeros(batch.num_graphs)
        return composition @ self.atom_energies

    def _composition(self, batch: GraphBatch) -> Tensor | None:
        """Atoms of each element of every graph ``[G, C]``; None where columns are no elements."""
        x = batch.get("x")
        if x is None or not self.spec.elements:
            return None
        return count_elements(x, batch.batch, batch.num_graphs)

    def compile_training(self, **options: Any) -> None:
        """See `GraphTask.compile_training`; here the whole step with its derivatives is traced.

        Every shape of a batch (numbers of atoms, pairs and graphs) is compiled by itself, up to
        eight of them: train on molecules of one kind.
        """
        from geozoo.tasks._compiled import TracedStep

        self._compiled_step = TracedStep(self.model, self._losses, **options)

    def loss(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Weighted mean squared errors of scaled energy and scaled force."""
        return self._loss(batch, {})

    def _loss(self, batch: GraphBatch, weights: Mapping[str, float]) -> dict[str, Tensor]:
        self._check_precision()
        inputs = self.inputs(batch)
        dtype = inputs["pos"].dtype
        wanted = {
            "energy": ((batch.energy - self._offset(batch)) / self.energy_scale).to(dtype),
            "force": (batch.forces / self.energy_scale).to(dtype),
        }
        wanted |= {name: inputs["pos"].new_full((), value) for name, value in weights.items()}
        if self.training and self._compiled_step is not None:
            return self._compiled_step(inputs, wanted)
        return self._losses(self.model, inputs, wanted)

    def loss_counts(self, store: Store) -> dict[str, Tensor]:
        """Every graph counts for the energy, every atom for the force."""
        return {"energy_loss": torch.ones(len(store)), "force_loss": nodes_of(store)}

    def weighted_loss(self, batch: GraphBatch, weights: Mapping[str, float]) -> dict[str, Tensor]:
        """As `loss`, with energy and force times their weights."""
        return self._loss(batch, weights)

    def validation_loss(self, values: Mapping[str, Tensor]) -> Tensor:
        """The loss of all validation graphs, from the root mean squared errors."""
        energy, force = (values[f"{name}_rmse"] / self.energy_scale for name in ("energy", "force"))
        return self.energy_weight * energy.square() + self.force_weight * force.square()

    def _losses(
        self, network: Callable[..., Any], inputs: dict[str, Any], wanted: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        energy, force = energy_and_force(network, inputs, create_graph=True)
        energy_loss = functional.mse_loss(energy, wanted["energy"].to(energy.dtype))
        force_loss = functional.mse_loss(force, wanted["force"].to(force.dtype))
        if "energy_loss" in wanted:  # weights of a batch that is part of a step
            energy_loss = energy_loss * wanted["energy_loss"].to(energy_loss.dtype)
            force_loss = force_loss * wanted["force_loss"].to(force_loss.dtype)
        total = self.energy_weight * energy_loss + self.force_weight * force_loss
        return {"loss": total, "energy_loss": energy_loss, "force_loss": force_loss}

    def predict(self, batch: GraphBatch) -> dict[str, Tensor]:
        """``energy [G]`` in float64 and ``force [N, dim]``, in the units of the data set."""
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
        """What the composition says, or the mean energy of the training part; and no force."""
        energy = self._offset(batch)
        return {"energy": energy, "force": torch.zeros_like(batch.forces)}

    def _offset(self, batch: GraphBatch, composition: Tensor | None = None) -> Tensor:
        """The energy of every graph before the network, in meV."""
        if composition is None:
            return self.atom_energy(batch) + self.energy_shift
        return composition @ self.atom_energies + self.energy_shift

    def scaled_energy_and_force(
        self, batch: GraphBatch, *, create_graph: bool
    ) -> tuple[Tensor, Tensor]:
        """Energy ``[G]`` and its negative gradient ``[N, dim]`` in scaled units.

        Args:
            batch: the graphs.
            create_graph: whether the force shall be differentiable, for training.

        Raises:
            RuntimeError: inside ``torch.inference_mode``, or when the precision has rounded the
                energy statistics.
        """
        self._check_precision()
        return energy_and_force(self.model, self.inputs(batch), create_graph=create_graph)

    def _check_precision(self) -> None:
        if torch.is_inference_mode_enabled():
            raise RuntimeError(
                "forces are gradients, which torch.inference_mode forbids: "
                "give the Trainer inference_mode=False"
            )
        if self.energy_shift.dtype != torch.float64:
            raise RuntimeError(
                f"the energy statistics became {self.energy_shift.dtype}, too coarse for total "
                "energies: use trainer.precision=bf16-mixed (or 32-true) instead of a 'true' half"
            )


def _complete_state(task: Potential, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Give weights of earlier versions what those had in the description of their data alone."""
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
        raise ValueError(f"task potential needs the statistics {missing} of the data set")
