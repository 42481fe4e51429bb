"""Predicting the future positions of particles."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional

from geozoo.data import GeometricSpec, GraphBatch
from geozoo.data.loader import Store
from geozoo.tasks._quantity import Quantity
from geozoo.tasks._shares import nodes_of
from geozoo.tasks.geometric import GeometricTask


class Dynamics(GeometricTask):
    r"""Position of every particle at a later time, :math:`\hat x_i(t') = x_i(t) + v_i`.

    The model's first output vector of node :math:`i` is the displacement :math:`v_i`, in the length
    unit of the data. The loss and the metric ``position_mse`` are the mean squared error over all
    particles and components (units of length squared), as in Satorras et al. 2021 (arXiv
    2102.09844) and PONITA. Predictions are equivariant to rotations and translations if the model
    is.

    Args:
        model: a network with level ``"node"`` and one output vector.
        spec: the data specification; the batch field ``y [N, dim]`` is the target.
        optimizer: see `GeometricTask`, as for the remaining arguments.
        schedule: see `GeometricTask`.
        augment: see `GeometricTask`.
        test_rotations: see `GeometricTask`.
        monitor: see `GeometricTask`.
        seed: see `GeometricTask`.

    Raises:
        ValueError: If the data does not have level ``"node"`` or has no output vector.
    """

    outputs: ClassVar[tuple[str, ...]] = ("vector",)

    def __init__(
        self,
        model: nn.Module,
        spec: GeometricSpec,
        *,
        optimizer: Any = None,
        schedule: Any = None,
        augment: bool = True,
        test_rotations: int = 1,
        monitor: str | None = "val/position_mse",
        seed: int = 0,
    ) -> None:
        if spec.level != "node" or spec.out_vectors < 1:
            raise ValueError(
                "task dynamics needs data of level 'node' with an output vector, got level "
                f"{spec.level!r} and {spec.out_vectors} output vectors"
            )
        super().__init__(
            model, spec,
            quantities=(
                Quantity("position", "y", ("mse", "mae"), is_vector=True, is_position=True),
            ),
            optimizer=optimizer, schedule=schedule, augment=augment,
            test_rotations=test_rotations, monitor=monitor, seed=seed,
        )  # fmt: skip

    def loss(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Mean squared error of the positions."""
        return {"loss": functional.mse_loss(self._positions(batch), batch.y)}

    def loss_counts(self, store: Store) -> dict[str, Tensor]:
        """The number of particles of each graph."""
        return {"loss": nodes_of(store)}

    def predict(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The predicted positions ``[N, dim]`` as ``position``."""
        return {"position": self._positions(batch).detach()}

    def predict_baseline(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The zero-displacement baseline: particles stay at their input positions."""
        return {"position": batch.pos}

    def _positions(self, batch: GraphBatch) -> Tensor:
        return batch.pos + self(batch).vector[:, 0].to(batch.pos.dtype)
