"""Regression of several properties of molecules: numbers, vectors, or numbers of atoms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from geozoo.contracts import Fitted
from geozoo.data import DataSpec, GeometricSpec, GraphBatch, GraphDataModule
from geozoo.data.loader import Store
from geozoo.data.molecules.atom_energies import count_elements
from geozoo.tasks._quantity import Quantity
from geozoo.tasks._shares import graphs_of, nodes_of
from geozoo.tasks.geometric import GeometricTask

#: Prefixes of the fields of known values and of values of a cheaper method.
_KNOWN, _BASELINE = "has_", "baseline_"
_CLASSIFICATION = "geozoo.tasks.Classification"
#: Options that both tasks have.
_SHARED = ("augment", "test_rotations", "seed")


class Properties(GeometricTask):
    r"""Several properties of the same kind, each standardised, trained with an L1 loss.

    :math:`y = b + \mu + \sum_i a_{z_i} + \sigma \hat y` with the value :math:`b` of a cheaper
    method (field ``baseline_<target>``), shift :math:`\mu`, references :math:`a` of the elements
    and scale :math:`\sigma`, each if the data have it (statistics ``<target>_shift``,
    ``<target>_references``, one per column of ``x``, and ``<target>_scale``), in float64. The kind
    follows from the data: ``out_channels`` numbers per graph or per node, or ``out_vectors``
    vectors per graph. The loss is the mean of :math:`|\hat y - y'|` over all known values (field
    ``has_<target>``) with standardised targets :math:`y'`; of the norm for vectors. Metrics are in
    the unit of each target; ``val/loss`` is the mean over targets of the error divided by the
    scale.
    The baseline is the prediction for :math:`\hat y = 0`: the mean, or the fitted references.

    Data with classes (statistic ``classes``) are learned by `Classification` instead, see
    `task_node`.

    Args:
        model: a network with one scalar or one vector output per target.
        spec: the data specification; ``targets`` names the targets.
        optimizer: see `GeometricTask`, as for the remaining arguments.
        schedule: see `GeometricTask`.
        augment: see `GeometricTask`.
        test_rotations: see `GeometricTask`.
        monitor: see `GeometricTask`; None: ``val/loss``.
        seed: see `GeometricTask`.

    Raises:
        ValueError: If the data have classes, or scalars and vectors, or their outputs are not one
            per target.
    """

    shift: Tensor
    scale: Tensor
    references: Tensor

    validates_loss: ClassVar[bool] = True
    fits_models: ClassVar[bool] = True

    def __init__(
        self,
        model: nn.Module,
        spec: GeometricSpec,
        *,
        optimizer: Any = None,
        schedule: Any = None,
        augment: bool = True,
        test_rotations: int = 1,
        monitor: str | None = None,
        seed: int = 0,
    ) -> None:
        self.names = spec.targets
        self.is_vector = spec.out_vectors > 0
        count = len(self.names)
        if "classes" in spec.statistics or (spec.out_channels, spec.out_vectors) not in (
            (count, 0), (0, count),
        ):  # fmt: skip
            raise ValueError(
                "task properties needs one scalar or one vector output per target, the data have "
                f"{spec.out_channels} scalars and {spec.out_vectors} vectors for {count} targets"
            )
        super().__init__(
            model, spec,
            quantities=tuple(
                Quantity(name, name, ("mae", "rmse"), is_vector=self.is_vector)
                for name in self.names
            ),
            optimizer=optimizer, schedule=schedule, augment=augment,
            test_rotations=test_rotations, monitor=monitor or "val/loss", seed=seed,
        )  # fmt: skip
        found, zero = spec.statistics, [0.0] * spec.node_channels
        for name, values in {
            "shift": [found.get(f"{each}_shift", 0.0) for each in self.names],
            "scale": [found.get(f"{each}_scale", 1.0) for each in self.names],
            "references": [list(found.get(f"{each}_references", zero)) for each in self.names],
        }.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64))
        self.is_extensive = bool(self.references.any())

    @staticmethod
    def task_node(spec: DataSpec, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `GraphTask.task_node`: `Classification` for data with classes."""
        if "classes" not in spec.statistics:
            return node
        shared = {name: node[name] for name in _SHARED if name in node}
        monitor = node.get("monitor") or "val/error"
        return {"_target_": _CLASSIFICATION, **shared, "monitor": monitor}

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """Fit a `geozoo.contracts.Fitted` model to the training split.

        Raises:
            ValueError: If such a model is given and values are missing.
        """
        done = super().prepare(datamodule, num_processes)
        if not isinstance(self.model, Fitted):
            return done
        part = graphs_of(datamodule.store).gather(datamodule.splits["train"])
        if not all(bool(each.all()) for each in self._known(part)):
            raise ValueError(
                f"{type(self.model).__name__} is fitted and needs all values of all targets: "
                "remove molecules with missing values"
            )
        x = self.features(part, part.x.dtype)
        assert x is not None  # `part.x` is there
        self.model.fit(self._standardised(part), x=x, batch=part.batch)
        return "fitted the model to the training split"

    def loss(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Mean absolute error of the standardised targets, over known values."""
        found = self._outputs(self(batch))
        errors = found - self._standardised(batch).to(found.dtype)
        errors = errors.norm(dim=-1) if self.is_vector else errors.abs()
        known = torch.stack(self._known(batch), 1).to(errors.dtype)
        return {"loss": (errors * known).sum() / known.sum().clamp_min(1.0)}

    def loss_counts(self, store: Store) -> dict[str, Tensor]:
        """Number of known values of each graph."""
        graphs = graphs_of(store)
        counts = torch.zeros(len(graphs))
        for name in self.names:
            if self.spec.level == "graph":
                counts += graphs.graph.get(_KNOWN + name, torch.ones(len(graphs))).cpu().float()
            elif (known := graphs.node.get(_KNOWN + name)) is None:
                counts += nodes_of(graphs)
            else:
                owner = torch.repeat_interleave(torch.arange(len(graphs)), graphs.num_nodes)
                counts += count_elements(known.cpu()[:, None], owner, len(graphs))[:, 0].float()
        return {"loss": counts}

    def predict(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The targets by name, in their units and float64."""
        found = self._outputs(self(batch)).detach().double()
        return self._by_name(found * self._per_row(self.scale) + self._offset(batch))

    def predict_baseline(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The part that is not learned: mean or references, and the cheaper method."""
        return self._by_name(self._offset(batch))

    def targets(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The targets by name; NaN where missing."""
        found = {}
        for name, known in zip(self.names, self._known(batch), strict=True):
            value = getattr(batch, name)
            rows = known[:, None] if self.is_vector else known
            found[name] = value.masked_fill(~rows, torch.nan)
        return found

    def validation_loss(self, values: Mapping[str, Tensor]) -> Tensor:
        """The mean over targets of the mean absolute error divided by the scale."""
        errors = [
            values[f"{name}_mae"] / scale
            for name, scale in zip(self.names, self.scale, strict=True)
            if f"{name}_mae" in values
        ]
        return torch.stack(errors).mean()

    def _outputs(self, output: Any) -> Tensor:
        """``[R, T]`` numbers or ``[G, T, dim]`` vectors of the network."""
        found: Tensor = output.vector if self.is_vector else output.scalar
        return found

    def _standardised(self, batch: GraphBatch) -> Tensor:
        """The targets of `_outputs`, in float64."""
        values = torch.stack([getattr(batch, name) for name in self.names], 1)
        return (values - self._offset(batch)) / self._per_row(self.scale)

    def _offset(self, batch: GraphBatch) -> Tensor:
        """What is added to the network, in the form of `_outputs`."""
        is_node = self.spec.level == "node"
        rows = len(batch.batch) if is_node else batch.num_graphs
        if self.is_vector:
            offset = self.shift.new_zeros(rows, len(self.names), self.spec.dim)
        else:
            offset = self.shift.expand(rows, len(self.names))
            if self.is_extensive:
                x = batch.x.double()
                counts = x if is_node else count_elements(x, batch.batch, batch.num_graphs)
                offset = offset + counts @ self.references.T
        given = [self._given(batch, name, offset[:, i]) for i, name in enumerate(self.names)]
        return offset + torch.stack(given, 1)

    def _given(self, batch: GraphBatch, name: str, like: Tensor) -> Tensor:
        """The value of the cheaper method; 0 if the target has none."""
        field = _BASELINE + name
        if field not in self.spec.units:
            return torch.zeros_like(like)
        value = batch.get(field)
        if value is None:
            raise ValueError(
                f"the model predicts the difference to a cheaper method, but the batch has no field"
                f" {field!r} with its values of {name}"
            )
        return value

    def _known(self, batch: GraphBatch) -> list[Tensor]:
        """Which values are known ``[R]``, of each target."""
        found = []
        for name in self.names:
            known = batch.get(_KNOWN + name)
            if known is None:
                value = getattr(batch, name)
                known = torch.ones(len(value), dtype=torch.bool, device=value.device)
            found.append(known)
        return found

    def _per_row(self, values: Tensor) -> Tensor:
        return values[:, None] if self.is_vector else values

    def _by_name(self, values: Tensor) -> dict[str, Tensor]:
        return {name: values[:, i] for i, name in enumerate(self.names)}
