"""Measures of predicted classes and labels, by torchmetrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import BinaryAUROC, MulticlassAccuracy, MulticlassJaccardIndex

from geozoo.metrics.errors import ErrorMeasures, check_shapes
from geozoo.metrics.means import WeightedMeans


class ClassMeans(WeightedMeans):
    """Weighted means of named values, and means over classes in per cent.

    ``class_accuracy`` is the mean over classes of the share of their items that are recognised;
    ``mean_iou`` that of the intersection of predicted and true items, divided by their union.
    Classes that occur neither in predictions nor in targets do not count.

    Args:
        names: names of the values.
        num_classes: number of classes.

    >>> means = ClassMeans(["error"], num_classes=3)
    >>> means.add_classes(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 1]))
    >>> {name: round(value.item(), 1) for name, value in means.compute().items()}
    {'class_accuracy': 83.3, 'mean_iou': 58.3}
    """

    def __init__(self, names: Sequence[str], num_classes: int) -> None:
        super().__init__(names)
        self.by_class = nn.ModuleDict(
            {
                "class_accuracy": MulticlassAccuracy(
                    num_classes, average="macro", validate_args=False
                ),
                "mean_iou": MulticlassJaccardIndex(
                    num_classes, average="macro", validate_args=False
                ),
            }
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the values and means."""
        return (*super().names, *self.by_class)

    def add_classes(self, predicted: Int[Tensor, " R"], target: Int[Tensor, " R"]) -> None:
        """Add predicted and true classes."""
        for metric in self._of_classes.values():
            metric.update(predicted, target)

    def compute(self) -> dict[str, Tensor]:
        """The means of all names that have received values."""
        found = {n: 100.0 * m.compute() for n, m in self._of_classes.items() if m.update_called}
        return {**super().compute(), **found}

    def reset(self) -> None:
        """Clear the accumulated values."""
        super().reset()
        for metric in self._of_classes.values():
            metric.reset()

    @property
    def _of_classes(self) -> Mapping[str, Metric]:
        return cast(Mapping[str, Metric], self.by_class)


class LabelScores(ErrorMeasures):
    """Areas under the ROC curve of several labels, of which some may be missing.

    ``<label>_auroc`` is the probability that a positive item gets a higher score than a negative
    one; a label whose known items are all equal has none. ``mean_auroc`` is the mean over labels
    that have one. All scores are kept until they are computed, so areas are exact.

    Args:
        labels: names of the labels.

    >>> scores = LabelScores(["a", "b"])
    >>> predicted = {"a": torch.tensor([0.1, 0.9, 0.6]), "b": torch.tensor([0.2, 0.3, 0.4])}
    >>> nan = float("nan")
    >>> scores.update(predicted, {"a": torch.tensor([0, 1, nan]), "b": torch.tensor([1, 1, nan])})
    >>> scores.compute()
    {'a_auroc': tensor(1., dtype=torch.float64), 'mean_auroc': tensor(1., dtype=torch.float64)}
    """

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.metrics = nn.ModuleDict({f"{each}_auroc": BinaryAUROC() for each in labels})
        self.known = nn.ModuleDict({each: _Counts() for each in labels})

    @property
    def names(self) -> tuple[str, ...]:
        """``mean_auroc``, then that of each label."""
        return ("mean_auroc", *self.metrics)

    def update(
        self, predictions: Mapping[str, Float[Tensor, " R"]], targets: Mapping[str, Tensor]
    ) -> None:
        """Add a batch.

        Args:
            predictions: probability of each item, by label.
            targets: 0 and 1, NaN where missing.

        Raises:
            ValueError: If shapes differ.
        """
        for name in self.labels:
            check_shapes(name, predictions[name], targets[name])
            known = ~targets[name].isnan()
            target = targets[name][known].long()
            # In float64, probabilities near 1 remain apart.
            self._areas[name].update(predictions[name][known].detach().double(), target)
            cast(_Counts, self.known[name]).update(target)

    def compute(self) -> dict[str, Tensor]:
        """The area of every label that has one, and their mean."""
        found = {}
        for name in self.labels:
            counts = cast(_Counts, self.known[name])
            if counts.update_called and bool((counts.compute() > 0).all()):
                found[f"{name}_auroc"] = self._areas[name].compute().double()
        if found:
            found["mean_auroc"] = torch.stack(list(found.values())).mean()
        return found

    def reset(self) -> None:
        """Clear the accumulated batches."""
        for metric in (*self.metrics.values(), *self.known.values()):
            cast(Metric, metric).reset()

    @property
    def _areas(self) -> Mapping[str, Metric]:
        return {name: cast(Metric, self.metrics[f"{name}_auroc"]) for name in self.labels}


class _Counts(Metric):
    """Numbers of negative and of positive items ``[2]``, over all devices."""

    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(2, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, target: Tensor) -> None:
        """Add labels 0 and 1."""
        self.counts += torch.bincount(target, minlength=2)

    def compute(self) -> Tensor:
        """The numbers."""
        return self.counts
