"""Several labels, true or false, of each graph."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from geozoo.contracts import measure_of
from geozoo.data import GeometricSpec, GraphBatch, GraphDataModule
from geozoo.data.loader import Store
from geozoo.metrics import LabelScores
from geozoo.tasks._known import known_counts, known_rows
from geozoo.tasks._quantity import Quantity
from geozoo.tasks._shares import graphs_of
from geozoo.tasks.geometric import GeometricTask


class MultiLabel(GeometricTask):
    """Labels that may be true together, some of them missing, with binary cross-entropy.

    The loss is the mean over all known labels (field ``has_<label>``); missing ones count neither
    in it nor in metrics. Predictions are probabilities. Metrics: ``<label>_auroc``, the area under
    the ROC curve, and ``mean_auroc``, the mean over labels (`geozoo.metrics.LabelScores`). The
    baseline predicts the share of each label in the training split, with areas of 0.5.

    Args:
        model: a network with one scalar output per label.
        spec: the data specification; ``targets`` names the labels, the statistic ``labels`` holds
            the shares of positive ones in the training split.
        optimizer: see `GeometricTask`, as for the remaining arguments.
        schedule: see `GeometricTask`.
        augment: see `GeometricTask`.
        test_rotations: see `GeometricTask`; probabilities are averaged.
        monitor: see `GeometricTask`.
        seed: see `GeometricTask`.

    Raises:
        ValueError: If the data have no labels of graphs, or not one output for each.
    """

    shares: Tensor

    outputs: ClassVar[tuple[str, ...]] = ("scalar",)
    samples_parity: ClassVar[bool] = False  # of labels, 0 and 1, such a plot says nothing

    def __init__(
        self,
        model: nn.Module,
        spec: GeometricSpec,
        *,
        optimizer: Any = None,
        schedule: Any = None,
        augment: bool = True,
        test_rotations: int = 1,
        monitor: str | None = "val/mean_auroc",
        seed: int = 0,
    ) -> None:
        self.names = spec.targets
        shares = spec.statistics.get("labels", ())
        if spec.level != "graph" or not len(shares) == len(self.names) == spec.out_channels:
            raise ValueError(
                "task multi_label needs data of level 'graph' with one output per label, got level "
                f"{spec.level!r}, {spec.out_channels} outputs and {len(shares)} labels"
            )
        super().__init__(
            model, spec, quantities=tuple(Quantity(name, name, ()) for name in self.names),
            errors=lambda: LabelScores(self.names),
            optimizer=optimizer, schedule=schedule, augment=augment,
            test_rotations=test_rotations, monitor=monitor, seed=seed,
        )  # fmt: skip
        self.register_buffer("shares", torch.tensor(list(shares), dtype=torch.float64))

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """Check the labels of the validation and test split, and see `GraphTask.prepare`."""
        for part in ("val", "test"):
            self.check_part(datamodule, part)
        return super().prepare(datamodule, num_processes)

    def check_part(self, datamodule: GraphDataModule, part: str) -> None:
        """See `GeometricTask.check_part`; also checks that areas under ROC curves exist.

        Warns:
            UserWarning: If labels of the split are all equal or missing; they have no area.

        Raises:
            ValueError: If this holds for every label.
        """
        super().check_part(datamodule, part)
        batch = graphs_of(datamodule.store).gather(datamodule.splits[part])
        equal = [
            name for name, value in self.targets(batch).items()
            if len(torch.unique(value[~value.isnan()])) < 2
        ]  # fmt: skip
        if len(equal) == len(self.names):
            raise ValueError(
                f"targets: every label is all equal or missing in the {part} split "
                f"({len(batch.index)} graphs), so there is no area under a ROC curve: give it more "
                "graphs, or other seeds or fractions to the split"
            )
        if equal:
            warnings.warn(
                f"labels without an area under the ROC curve in the {part} split, as they are all "
                f"equal or missing there: {', '.join(equal)}; means leave them out", stacklevel=2,
            )  # fmt: skip

    def loss(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Mean binary cross-entropy of the known labels."""
        scores = self(batch).scalar
        target = torch.stack([getattr(batch, name) for name in self.names], 1).to(scores.dtype)
        known = torch.stack(known_rows(batch, self.names), 1).to(scores.dtype)
        each = functional.binary_cross_entropy_with_logits(scores, target, reduction="none")
        return {"loss": (each * known).sum() / known.sum().clamp_min(1.0)}

    def loss_counts(self, store: Store) -> dict[str, Tensor]:
        """Number of known labels of each graph."""
        return {"loss": known_counts(store, self.names, "graph")}

    def predict(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The probability of each label ``[G]`` by name, in float64."""
        return self._by_name(self(batch).scalar.detach().double().sigmoid())

    def predict_baseline(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The share of positive labels in the training split."""
        return self._by_name(self.shares.expand(batch.num_graphs, -1))

    def targets(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The labels by name, 0 and 1; NaN where missing."""
        known = known_rows(batch, self.names)
        return {
            name: getattr(batch, name).masked_fill(~there, torch.nan)
            for name, there in zip(self.names, known, strict=True)
        }

    def metric_units(self) -> dict[str, str]:
        """Areas have no unit."""
        return {name: measure_of(name).unit_of("") for name in self.val_errors.names}

    def graph_errors(
        self, predictions: Mapping[str, Tensor], targets: Mapping[str, Tensor], batch: Any
    ) -> Tensor:
        """The mean over known labels of the distance to the probability ``[G]``."""
        apart = [(predictions[name] - targets[name]).abs() for name in self.names]
        return torch.stack(apart, 1).nanmean(1)

    def _by_name(self, values: Tensor) -> dict[str, Tensor]:
        return {name: values[:, i] for i, name in enumerate(self.names)}
