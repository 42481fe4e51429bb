"""Regression of several properties of graphs or nodes: numbers and vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from geozoo.contracts import Fitted
from geozoo.data import DataSpec, GeometricSpec, GraphBatch, GraphDataModule
from geozoo.data.loader import Store
from geozoo.data.molecules.atom_energies import count_elements
from geozoo.tasks._known import known_counts, known_rows
from geozoo.tasks._quantity import Quantity
from geozoo.tasks._shares import graphs_of
from geozoo.tasks.geometric import GeometricTask

#: Prefix of the fields with values of a cheaper method.
_BASELINE = "baseline_"
#: The tasks of other kinds of targets, by the statistic that tells, and what they monitor.
_OTHERS = {
    "classes": ("geozoo.tasks.Classification", "val/error"),
    "labels": ("geozoo.tasks.MultiLabel", "val/mean_auroc"),
}
#: Options that all these tasks have.
_SHARED = ("augment", "test_rotations", "seed")


class Properties(GeometricTask):
    r"""Several properties, numbers or vectors or both, standardised, trained with an L1 loss.

    :math:`y = b + \mu + \sum_i a_{z_i} + \sigma \hat y` with the value :math:`b` of a cheaper
    method (field ``baseline_<target>``), shift :math:`\mu`, references :math:`a` of the elements
    and scale :math:`\sigma`, each if the data have it (statistics ``<target>_shift``,
    ``<target>_references``, one per column of ``x``, and ``<target>_scale``), in float64. The kind
    follows from the data: of ``targets``, the first ``out_channels`` are numbers and the other
    ``out_vectors`` are vectors, per graph or per node. The loss is the mean of
    :math:`|\hat y - y'|` over all known values (field
    ``has_<target>``) with standardised targets :math:`y'`; of the norm for vectors. Metrics are in
    the unit of each target; ``val/loss`` is the mean over targets of the error divided by the
    scale.
    The baseline is the prediction for :math:`\hat y = 0`: the mean, or the fitted references.

    Data with classes (statistic ``classes``) are learned by `Classification` instead, and labels
    (statistic ``labels``) by `MultiLabel`, see `task_node`.

    Args:
        model: a network with one scalar or one vector output per target, in this order.
        spec: the data specification; ``targets`` names the targets.
        optimizer: see `GeometricTask`, as for the remaining arguments.
        schedule: see `GeometricTask`.
        augment: see `GeometricTask`.
        test_rotations: see `GeometricTask`.
        monitor: see `GeometricTask`; None: ``val/loss``.
        seed: see `GeometricTask`.

    Raises:
        ValueError: If the data have classes or labels, or their outputs are not one per target.
    """

    shift: Tensor
    scale: Tensor
    references: Tensor

    validates_loss: ClassVar[bool] = True
    fits_models: ClassVar[bool] = True
    is_taught: ClassVar[bool] = True

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
        count = len(self.names)
        if spec.out_channels + spec.out_vectors != count or _other(spec) is not None:
            raise ValueError(
                "task properties needs one scalar or one vector output per target, the data have "
                f"{spec.out_channels} scalars and {spec.out_vectors} vectors for {count} targets"
            )
        #: Which targets are numbers and which are vectors, and the output that holds them.
        self.parts = [
            (part, output)
            for part, output in (
                (slice(0, spec.out_channels), "scalar"), (slice(spec.out_channels, count), "vector")
            )
            if part.start < part.stop
        ]  # fmt: skip
        super().__init__(
            model, spec,
            quantities=tuple(
                Quantity(name, name, ("mae", "rmse"), is_vector=output == "vector")
                for part, output in self.parts
                for name in self.names[part]
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
        """See `GraphTask.task_node`: another task for data with classes or labels."""
        other = _other(spec)
        if other is None:
            return node
        target, monitor = _OTHERS[other]
        shared = {name: node[name] for name in _SHARED if name in node}
        return {"_target_": target, **shared, "monitor": node.get("monitor") or monitor}

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """Fit a `geozoo.contracts.Fitted` model to the training split.

        Raises:
            ValueError: If such a model is given and values are missing.
        """
        done = super().prepare(datamodule, num_processes)
        if not isinstance(self.model, Fitted):
            return done
        part = graphs_of(datamodule.store).gather(datamodule.splits["train"])
        if not all(bool(each.all()) for each in known_rows(part, self.names)):
            raise ValueError(
                f"{type(self.model).__name__} is fitted and needs all values of all targets: "
                "remove molecules with missing values"
            )
        x = self.features(part, part.x.dtype)
        assert x is not None  # `part.x` is there
        if self.spec.out_vectors:
            raise ValueError(f"{type(self.model).__name__} is fitted to numbers, not to vectors")
        self.model.fit(self._standardised(part, slice(None), "scalar"), x=x, batch=part.batch)
        return "fitted the model to the training split"

    def loss(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Mean absolute error of the standardised targets, over known values."""
        output = self(batch)
        total, count = [], []
        for part, name in self.parts:
            found = getattr(output, name)
            errors = found - self._standardised(batch, part, name).to(found.dtype)
            errors = errors.norm(dim=-1) if name == "vector" else errors.abs()
            known = torch.stack(known_rows(batch, self.names[part]), 1).to(errors.dtype)
            total.append((errors * known).sum())
            count.append(known.sum())
        return {"loss": torch.stack(total).sum() / torch.stack(count).sum().clamp_min(1.0)}

    def loss_counts(self, store: Store) -> dict[str, Tensor]:
        """Number of known values of each graph."""
        return {"loss": known_counts(store, self.names, self.spec.level)}

    def predict(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The targets by name, in their units and float64."""
        output = self(batch)
        found: dict[str, Tensor] = {}
        for part, name in self.parts:
            values = getattr(output, name).detach().double() * _per_row(self.scale[part], name)
            values = values + self._offset(batch, part, name)
            found |= {key: values[:, i] for i, key in enumerate(self.names[part])}
        return found

    def predict_baseline(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The part that is not learned: mean or references, and the cheaper method."""
        found: dict[str, Tensor] = {}
        for part, name in self.parts:
            values = self._offset(batch, part, name)
            found |= {key: values[:, i] for i, key in enumerate(self.names[part])}
        return found

    def targets(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The targets by name; NaN where missing."""
        found = {}
        for name, known in zip(self.names, known_rows(batch, self.names), strict=True):
            value = getattr(batch, name)
            rows = known[:, None] if value.ndim == 2 else known
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

    def _standardised(self, batch: GraphBatch, part: slice, output: str) -> Tensor:
        """Some of the targets in the form of an output of the network, in float64."""
        values = torch.stack([getattr(batch, name) for name in self.names[part]], 1)
        return (values - self._offset(batch, part, output)) / _per_row(self.scale[part], output)

    def _offset(self, batch: GraphBatch, part: slice, output: str) -> Tensor:
        """What is added to an output: ``[R, T]`` for numbers or ``[R, T, dim]`` for vectors."""
        is_node, names = self.spec.level == "node", self.names[part]
        rows = len(batch.batch) if is_node else batch.num_graphs
        if output == "vector":
            offset = self.shift.new_zeros(rows, len(names), self.spec.dim)
        else:
            offset = self.shift[part].expand(rows, len(names))
            if self.is_extensive:
                x = batch.x.double()
                counts = x if is_node else count_elements(x, batch.batch, batch.num_graphs)
                offset = offset + counts @ self.references[part].T
        given = [self._given(batch, name, offset[:, i]) for i, name in enumerate(names)]
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


def _other(spec: DataSpec) -> str | None:
    """The statistic that says that the targets are no numbers or vectors; None if they are."""
    return next((name for name in _OTHERS if name in spec.statistics), None)


def _per_row(values: Tensor, output: str) -> Tensor:
    return values[:, None] if output == "vector" else values
