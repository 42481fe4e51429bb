"""Regression of scalar properties of graphs or nodes."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from geozoo.contracts import Fitted
from geozoo.data import GeometricSpec, GraphBatch, GraphDataModule
from geozoo.data.loader import Store
from geozoo.tasks._quantity import Quantity
from geozoo.tasks._shares import nodes_of
from geozoo.tasks.geometric import GeometricTask


class Regression(GeometricTask):
    r"""One scalar per graph or node, :math:`y = \mu + \sigma \hat y`, trained with an L1 loss.

    Shift :math:`\mu` and scale :math:`\sigma` are the statistics ``<target>_shift`` and
    ``<target>_scale`` of the training split (0 and 1 if missing), stored in float64. The loss is
    :math:`|\hat y - (y - \mu)/\sigma|`; the metric ``<target>_mae`` is in the unit of the target.

    Args:
        model: a network with one scalar output.
        spec: the data specification.
        target: batch field of the target, ``[G]`` or ``[N]``; None: the target of ``spec``.
        optimizer: see `GeometricTask`, as for the remaining arguments.
        schedule: see `GeometricTask`.
        augment: see `GeometricTask`.
        test_rotations: see `GeometricTask`.
        monitor: see `GeometricTask`.
        seed: see `GeometricTask`.

    Raises:
        ValueError: If the data does not have exactly one scalar output.
    """

    shift: Tensor
    scale: Tensor

    outputs: ClassVar[tuple[str, ...]] = ("scalar",)
    fits_models: ClassVar[bool] = True
    is_taught: ClassVar[bool] = True

    def __init__(
        self,
        model: nn.Module,
        spec: GeometricSpec,
        *,
        target: str | None = None,
        optimizer: Any = None,
        schedule: Any = None,
        augment: bool = True,
        test_rotations: int = 1,
        monitor: str | None = None,
        seed: int = 0,
    ) -> None:
        if spec.out_channels != 1:
            raise ValueError(
                f"task regression needs one scalar output, the data has {spec.out_channels}"
            )
        target = spec.target if target is None else target
        super().__init__(
            model, spec,
            quantities=(Quantity(target, target, ("mae", "rmse")),),
            optimizer=optimizer, schedule=schedule, augment=augment,
            test_rotations=test_rotations, monitor=monitor, seed=seed,
        )  # fmt: skip
        self.target = target
        for name, default in (("shift", 0.0), ("scale", 1.0)):
            value = spec.statistics.get(f"{target}_{name}", default)
            self.register_buffer(name, torch.tensor(value, dtype=torch.float64))

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """Fit a `geozoo.contracts.Fitted` model to the training split."""
        done = super().prepare(datamodule, num_processes)
        if not isinstance(self.model, Fitted):
            return done
        part = datamodule.store.gather(datamodule.splits["train"])
        x = self.features(part, part.x.dtype)
        assert x is not None  # `part.x` is there
        self.model.fit(self._standardised(part)[:, None], x=x, batch=part.batch)
        return "fitted the model to the training split"

    def loss(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Mean absolute error of the standardised target."""
        predicted = self(batch).scalar[:, 0]
        target = self._standardised(batch).to(predicted.dtype)
        return {"loss": functional.l1_loss(predicted, target)}

    def loss_counts(self, store: Store) -> dict[str, Tensor]:
        """One per graph, or the number of nodes for targets per node."""
        is_by_node = self.spec.level == "node"
        return {"loss": nodes_of(store)} if is_by_node else super().loss_counts(store)

    def predict(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The predicted target by name, in its unit and float64."""
        predicted = self(batch).scalar[:, 0].detach().double()
        return {self.target: predicted * self.scale + self.shift}

    def predict_baseline(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The constant baseline: the mean of the training split."""
        return {self.target: self.shift.expand_as(getattr(batch, self.target))}

    def _standardised(self, batch: GraphBatch) -> Tensor:
        return (getattr(batch, self.target) - self.shift) / self.scale
