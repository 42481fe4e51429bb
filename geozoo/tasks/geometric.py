"""The base class of tasks on point clouds, with random rotations in training and test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from geozoo.data import GeometricSpec, GraphBatch, GraphDataModule, GraphStore, rotate_batch
from geozoo.data._graph_inputs import check_ranges
from geozoo.data.loader import Store
from geozoo.metrics import ErrorMeasures, ErrorMetrics
from geozoo.tasks._neighbors import with_neighbors
from geozoo.tasks._precision import model_dtype
from geozoo.tasks._quantity import Quantity
from geozoo.tasks._rotations import (
    evaluation_rotations,
    rotations_of,
    training_rotations,
    training_table,
)
from geozoo.tasks._shares import graphs_of
from geozoo.tasks._terms import rotating_fields
from geozoo.tasks.base import GraphTask, MakeOptimizer, MakeSchedule


class GeometricTask(GraphTask):
    """Training, validation, test and prediction of a geometric model.

    Args:
        model: a network of the geometric family,
            ``model(pos, x, batch, edge_index, vec=..., num_graphs=...)`` -> ``(scalar, vector)``.
        spec: the data specification.
        quantities: the predicted quantities.
        errors: see `GraphTask`; None: the error measures of the quantities.
        optimizer: see `GraphTask`.
        schedule: see `GraphTask`.
        augment: rotate each training graph and its vectors by a random rotation.
        test_rotations: number of random rotations of each graph over which test predictions are
            averaged; 1: no rotation.
        monitor: see `GraphTask`.
        seed: seed of the rotations.

    Raises:
        ValueError: If ``test_rotations`` is below 1 or the task does not compute ``monitor``.
    """

    #: `geozoo.config.check_pair` checks these attributes against the model before reading data.
    family: ClassVar[str] = "geometric"
    outputs: ClassVar[tuple[str, ...]] = ()
    fits_models: ClassVar[bool] = False
    spec: GeometricSpec

    def __init__(
        self,
        model: nn.Module,
        spec: GeometricSpec,
        *,
        quantities: tuple[Quantity, ...],
        errors: Callable[[], ErrorMeasures] | None = None,
        optimizer: MakeOptimizer | None = None,
        schedule: MakeSchedule | None = None,
        augment: bool = True,
        test_rotations: int = 1,
        monitor: str | None = None,
        seed: int = 0,
    ) -> None:
        if test_rotations < 1:
            raise ValueError(f"test_rotations must be at least 1, got {test_rotations}")
        measures = {quantity.name: quantity.measures for quantity in quantities}
        super().__init__(
            model, spec, quantities=quantities, errors=errors or (lambda: ErrorMetrics(measures)),
            optimizer=optimizer, schedule=schedule, monitor=monitor, seed=seed,
        )  # fmt: skip
        self.augment, self.test_rotations = augment, test_rotations

    def forward(self, batch: GraphBatch) -> Any:
        """The model's output ``(scalar, vector)`` for a batch, in normalised units."""
        return self.network(**self.inputs(batch))

    def inputs(self, batch: GraphBatch) -> dict[str, Any]:
        """The model's keyword arguments for a batch, in the precision of its parameters."""
        return with_neighbors(self.model, self.unlisted_inputs(batch), batch)

    def unlisted_inputs(self, batch: GraphBatch) -> dict[str, Any]:
        """The arguments of `inputs` before the neighbour list is computed."""
        dtype = model_dtype(self.model)
        vec = batch.get("vec")
        return {
            "pos": batch.pos.to(dtype),
            "x": self.features(batch, dtype),
            "batch": batch.batch,
            "edge_index": batch.get("edge_index"),
            "vec": None if vec is None else vec.to(dtype),
            "num_graphs": batch.num_graphs,
        }

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """Check cells and graph-level inputs of the data, and see `GraphTask.prepare`.

        Raises:
            ValueError: If a graph is periodic, and the model does not support cells or has no
                cutoff; if the validation or test split has values of ``spec.graph_inputs``
                outside the range of the training split; or if ``augment`` would rotate training
                graphs whose orientation the data fix.
        """
        if self.augment and (conflict := datamodule.augmentation_conflict):
            raise ValueError(f"task.augment=true: {conflict}")
        self._check_periodic(datamodule.store)
        if names := self.spec.graph_inputs:
            store = graphs_of(datamodule.store)
            for part in ("val", "test"):
                index = datamodule.splits[part]
                values = {name: store.graph[name][index] for name in names}
                check_ranges(self.spec, values, f"structure of the {part} split")
        return super().prepare(datamodule, num_processes)

    def check_part(self, datamodule: GraphDataModule, part: str) -> None:
        """Check that the model can use the cells of periodic graphs.

        Args:
            datamodule: the data.
            part: the split, ``"val"`` or ``"test"``.

        Raises:
            ValueError: If a graph is periodic, and the model does not support cells or has no
                cutoff.
        """
        self._check_periodic(datamodule.store, datamodule.splits[part])

    def _check_periodic(self, store: Store, part: Tensor | None = None) -> None:
        """Find the neighbours of one periodic graph, which raises the errors of the model."""
        if not isinstance(store, GraphStore) or (pbc := store.graph.get("pbc")) is None:
            return
        is_periodic = pbc.any(1)
        index = is_periodic.nonzero()[:, 0] if part is None else part[is_periodic[part]]
        if len(index):
            self.inputs(store.gather(index[:1]).to(self.device))

    def features(self, batch: GraphBatch, dtype: torch.dtype) -> Tensor | None:
        """The scalar features of the nodes: ``x``, then ``spec.graph_inputs``; None without any.

        Args:
            batch: the graphs.
            dtype: dtype of the features.

        Raises:
            ValueError: If the batch lacks one of ``spec.graph_inputs``, or, outside of training, a
                value is outside the range of the training split.
        """
        x = batch.get("x")
        columns = [] if x is None else [x.to(dtype)]
        values: dict[str, Tensor] = {}
        for name in self.spec.graph_inputs:
            value = batch.get(name)
            if value is None:
                raise ValueError(
                    f"the model takes {name} as input, but the batch has no field {name!r} [G]"
                )
            values[name] = value
            columns.append(value.to(dtype).index_select(0, batch.batch).unsqueeze(1))
        if values and not self.training:
            check_ranges(self.spec, values, "graph")
        return torch.cat(columns, 1) if len(columns) > 1 else next(iter(columns), None)

    def taught(self, batch: GraphBatch, output: Any) -> GraphBatch:
        """See `GraphTask.taught`; targets that the task does not predict stay."""
        if not self.is_taught:
            return super().taught(batch, output)
        before, self.stand_in = self.stand_in, lambda **_: output
        try:
            return self._with_targets(batch, self.predict(batch))
        finally:
            self.stand_in = before

    def _with_targets(self, batch: GraphBatch, predicted: dict[str, Tensor]) -> GraphBatch:
        """A batch with predictions as its targets, where it has such targets."""
        fields: dict[str, Tensor] = {}
        for quantity in self.quantities:
            if (target := batch.get(quantity.field)) is not None:
                value = predicted[quantity.name].detach().to(target.dtype)
                fields[quantity.field] = value.nan_to_num()  # unknown ones have a mask
        return batch.replace(**fields)

    def training_batch(self, batch: GraphBatch, batch_idx: int) -> GraphBatch:
        """The batch, with each graph randomly rotated if ``augment`` is set."""
        if not self.augment:
            return batch
        rotations = training_rotations(
            batch, self.spec.dim, seed=self.seed, epoch=self.current_epoch
        )
        return self._turned(batch, rotations)

    def rotation_table(self, epoch: int) -> Tensor | None:
        """The rotations of an epoch for `turned`, on the CPU; None without augmentation."""
        if not self.augment:
            return None
        return training_table(self.spec.dim, seed=self.seed, epoch=epoch)

    def turned(self, batch: GraphBatch, table: Tensor) -> GraphBatch:
        """The batch rotated as by `training_batch`, with a table from `rotation_table`."""
        return self._turned(batch, rotations_of(batch, table))

    def predict_tested(self, batch: GraphBatch) -> dict[str, Tensor]:
        r"""The mean over ``test_rotations`` rotations :math:`R` of :math:`R^{-1} f(R\,x)`.

        An exactly equivariant model predicts the same for each rotation; for a model on a rotation
        grid, the mean reduces the discretisation error.
        """
        if self.test_rotations == 1:
            return self.predict(batch)
        total: dict[str, Tensor] = {}
        levels = self.quantity_levels()
        for repeat in range(self.test_rotations):
            rotations = evaluation_rotations(batch, self.spec.dim, seed=self.seed, repeat=repeat)
            predictions = self.predict(self._turned(batch, rotations))
            for quantity in self.quantities:
                value = predictions[quantity.name]
                of_nodes = levels[quantity.name] == "node"
                rows = rotations.index_select(0, batch.batch) if of_nodes else rotations
                rows = rows.to(value.dtype)
                if quantity.is_vector:
                    value = torch.einsum("n...e,ned->n...d", value, rows)
                if quantity.is_tensor:
                    value = torch.einsum("nea,n...ef,nfb->n...ab", rows, value, rows)
                total[quantity.name] = total.get(quantity.name, 0.0) + value
        return {name: value / self.test_rotations for name, value in total.items()}

    def _turned(self, batch: GraphBatch, rotations: Tensor) -> GraphBatch:
        # A potential trained on molecules may be tested on crystals, whose cells rotate, too.
        vector_terms, tensor_terms = rotating_fields(batch)
        vectors = dict.fromkeys((*self.spec.vector_fields, "cell", *vector_terms))
        tensors = dict.fromkeys((*self.spec.tensor_fields, "stress", *tensor_terms))
        return rotate_batch(
            batch, rotations, [name for name in vectors if name in batch],
            [name for name in tensors if name in batch],
        )  # fmt: skip
