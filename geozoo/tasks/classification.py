"""Classification of graphs or nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.classification import MulticlassConfusionMatrix

from geozoo.contracts import measure_of
from geozoo.data import GeometricSpec, GraphBatch, GraphDataModule
from geozoo.data.loader import Store
from geozoo.figures import Figure, plot_confusion
from geozoo.metrics import ClassMeans, WeightedMeans
from geozoo.tasks._description import Outcome
from geozoo.tasks._quantity import Quantity
from geozoo.tasks._rotations import evaluation_rotations
from geozoo.tasks._shares import graph_field, graphs_of, nodes_of
from geozoo.tasks._worst import error_of_graphs
from geozoo.tasks.geometric import GeometricTask

#: Index of the rotations of `rotated_error`, distinct from those that a test averages over.
_TURNED = 1_000_000


class Classification(GeometricTask):
    r"""One of several classes for each graph, or for each node, trained with cross-entropy.

    Metrics: ``error``, the classification error in per cent, and ``rotated_error``, the
    classification error when each validation or test graph is randomly rotated; the two agree for
    a rotation-invariant model. For classes of nodes (segmentation) also ``class_accuracy`` and
    ``mean_iou`` (`geozoo.metrics.ClassMeans`), means over classes that frequent classes do not
    dominate. All nodes count equally. The baseline predicts the majority class of the training
    split.

    Args:
        model: a network with one output per class.
        spec: the data specification; the statistic ``classes`` may hold the class names.
        optimizer: see `GeometricTask`, as for the remaining arguments.
        schedule: see `GeometricTask`.
        augment: see `GeometricTask`.
        test_rotations: see `GeometricTask`; class scores are averaged.
        monitor: see `GeometricTask`.
        seed: see `GeometricTask`.

    Raises:
        ValueError: If the data have fewer than two outputs.
    """

    frequent: Tensor
    val_errors: WeightedMeans
    test_errors: WeightedMeans
    baseline_errors: WeightedMeans

    outputs: ClassVar[tuple[str, ...]] = ("scalar",)

    def __init__(
        self,
        model: nn.Module,
        spec: GeometricSpec,
        *,
        optimizer: Any = None,
        schedule: Any = None,
        augment: bool = True,
        test_rotations: int = 1,
        monitor: str | None = "val/error",
        seed: int = 0,
    ) -> None:
        if spec.out_channels < 2 or spec.out_vectors:
            raise ValueError(
                "task classification needs data with at least two scalar outputs, one per class, "
                f"got {spec.out_channels} and {spec.out_vectors} vectors"
            )
        names, count = ["error", "rotated_error"], spec.out_channels
        self.is_of_nodes = spec.level == "node"
        super().__init__(
            model, spec, quantities=(Quantity("class", spec.target, ()),),
            errors=lambda: ClassMeans(names, count) if self.is_of_nodes else WeightedMeans(names),
            optimizer=optimizer, schedule=schedule, augment=augment,
            test_rotations=test_rotations, monitor=monitor, seed=seed,
        )  # fmt: skip
        self.register_buffer("frequent", torch.tensor(0))
        self.confusion = MulticlassConfusionMatrix(spec.out_channels)

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """Find the majority class of the training split, and see `GraphTask.prepare`."""
        train = datamodule.splits["train"]
        if self.is_of_nodes:
            labels = self._labels(graphs_of(datamodule.store).gather(train))
        else:
            labels = graph_field(datamodule.store, self.spec.target)[train]
        self.frequent.fill_(int(torch.bincount(labels).argmax()))
        return super().prepare(datamodule, num_processes)

    def loss(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Mean cross-entropy."""
        scores = self(batch).scalar
        return {"loss": functional.cross_entropy(scores, self._labels(batch))}

    def loss_counts(self, store: Store) -> dict[str, Tensor]:
        """One per graph, or the number of nodes for classes of nodes."""
        return {"loss": nodes_of(store)} if self.is_of_nodes else super().loss_counts(store)

    def predict(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The logits ``[G, classes]`` or ``[N, classes]`` as ``class``."""
        return {"class": self(batch).scalar.detach()}

    def predict_baseline(self, batch: GraphBatch) -> dict[str, Tensor]:
        """A score of one for the majority class of the training split, zero for all others."""
        rows = batch.num_nodes if self.is_of_nodes else batch.num_graphs
        scores = torch.zeros(rows, self.spec.out_channels, device=batch.device)
        return {"class": scores.index_fill(1, self.frequent.view(1), 1.0)}

    def metric_units(self) -> dict[str, str]:
        """Per cent for all of them."""
        return {name: measure_of(name).unit_of("") for name in self.val_errors.names}

    def validation_step(self, batch: GraphBatch, batch_idx: int) -> None:
        """Accumulate the classification errors of a batch, as given and randomly rotated."""
        rotated = self.predict(self._rotated(batch))
        self._count(self.val_errors, batch, self.predict(batch), rotated)

    def add_errors(self, errors: Any, batch: GraphBatch) -> None:
        """Add the errors of a batch, as given and randomly rotated."""
        rotated = self.predict_tested(self._rotated(batch))
        self._count(errors, batch, self.predict_tested(batch), rotated)

    def test_step(self, batch: GraphBatch, batch_idx: int) -> None:
        """Accumulate the errors of a batch, as given and rotated, and the confusion matrix."""
        upright = self.predict_tested(batch)
        self._count(self.test_errors, batch, upright, self.predict_tested(self._rotated(batch)))
        baseline = self.predict_baseline(batch)
        self._count(self.baseline_errors, batch, baseline, baseline)
        self.confusion.update(upright["class"], self._labels(batch))
        self.worst.add(batch.index, self.graph_errors(upright, self.targets(batch), batch))

    def graph_errors(
        self, predictions: Mapping[str, Tensor], targets: Mapping[str, Tensor], batch: Any
    ) -> Tensor:
        """The cross-entropy of each graph ``[G]``, the mean over its nodes for their classes."""
        each = functional.cross_entropy(predictions["class"], targets["class"], reduction="none")
        return error_of_graphs(each, "node", batch) if self.is_of_nodes else each

    def own_figures(self, outcome: Outcome) -> list[Figure]:
        """The confusion matrix of the last test."""
        if not outcome.is_tested:
            return []
        counts = self.confusion.compute().cpu()
        draw = partial(plot_confusion, counts, classes=[str(each) for each in self.class_names])
        return [Figure("confusion", "Confusion matrix of the test split", draw)]

    def graph_lines(
        self, number: int, nodes: slice, predictions: Mapping[str, Tensor],
        targets: Mapping[str, Tensor],
    ) -> list[str]:  # fmt: skip
        """Target class, and predicted class with its probability; the error of nodes."""
        if self.is_of_nodes:
            wrong = predictions["class"][nodes].argmax(1) != targets["class"][nodes]
            return [f"{float(wrong.double().mean()):.0%} of {len(wrong)} nodes wrong"]
        share, predicted = predictions["class"][number].softmax(-1).max(-1)
        target = self.class_names[int(targets["class"][number])]
        name = self.class_names[int(predicted)]
        return [f"target {target}, prediction {name} ({float(share):.0%})"]

    @property
    def class_names(self) -> Sequence[object]:
        """Class names, or class indices if the data has no names."""
        return self.spec.statistics.get("classes", range(self.spec.out_channels))

    def on_test_start(self) -> None:
        """Reset the confusion matrix."""
        super().on_test_start()
        self.confusion.reset()

    def _count(
        self, means: WeightedMeans, batch: GraphBatch, upright: dict[str, Tensor],
        rotated: dict[str, Tensor],
    ) -> None:  # fmt: skip
        labels = self._labels(batch)
        values = {
            name: 100.0 * (scores["class"].argmax(1) != labels).double()
            for name, scores in (("error", upright), ("rotated_error", rotated))
        }
        means.update(values, {name: torch.ones_like(value) for name, value in values.items()})
        if isinstance(means, ClassMeans):
            means.add_classes(upright["class"].argmax(1), labels)

    def _rotated(self, batch: GraphBatch) -> GraphBatch:
        rotations = evaluation_rotations(batch, self.spec.dim, seed=self.seed, repeat=_TURNED)
        return self._turned(batch, rotations)

    def _labels(self, batch: GraphBatch) -> Tensor:
        return getattr(batch, self.spec.target)
