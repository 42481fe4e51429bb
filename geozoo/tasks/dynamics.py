"""Predicting the future positions and velocities of particles."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from geozoo.data import GeometricSpec, GraphBatch, GraphDataModule
from geozoo.data.loader import Store
from geozoo.tasks._motion import MotionScales
from geozoo.tasks._neighbors import with_neighbors
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

    Data with scales (`geozoo.data.Trajectories`) are divided by them before the network reads them,
    and the network predicts a normalised change, of unchanged positions or of those continued with
    constant velocity; the loss is that of normalised changes, metrics are in the units of the data.
    With two output vectors, velocities are predicted too, and their normalised error is added to
    the loss.

    Args:
        model: a network with level ``"node"`` and one output vector, two with velocities.
        spec: the data specification; the batch fields ``y [N, dim]`` and, with velocities,
            ``y_vel [N, dim]`` are the targets.
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
        monitor: str | None = "val/position_mse",
        seed: int = 0,
    ) -> None:
        if spec.level != "node" or spec.out_vectors < 1:
            raise ValueError(
                "task dynamics needs data of level 'node' with an output vector, got level "
                f"{spec.level!r} and {spec.out_vectors} output vectors"
            )
        quantities = [Quantity("position", "y", ("mse", "mae"), is_vector=True, is_position=True)]
        if has_velocity := "y_vel" in spec.units:
            quantities.append(Quantity("velocity", "y_vel", ("mse", "mae"), is_vector=True))
        super().__init__(
            model, spec, quantities=tuple(quantities), optimizer=optimizer, schedule=schedule,
            augment=augment, test_rotations=test_rotations, monitor=monitor, seed=seed,
        )  # fmt: skip
        self.scales, self.predicts_velocity = MotionScales(spec.statistics), has_velocity

    def inputs(self, batch: GraphBatch) -> dict[str, Any]:
        """The model's keyword arguments for a batch, divided by the scales of the data."""
        if not self.scales.is_scaled:
            return super().inputs(batch)
        # Neighbours are those within the cutoff of the network, which reads scaled positions.
        given = self.unlisted_inputs(batch)
        return with_neighbors(self.model, self.scales.inputs(given), num_pairs=batch.num_pairs)

    def loss(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Mean squared error of the positions, and of the velocities if they are predicted."""
        predicted, scales = self._predicted(batch), self.scales
        position = functional.mse_loss(predicted["position"], batch.y)
        if scales.is_scaled:
            position = position / scales.change_scale**2
        if not self.predicts_velocity:
            return {"loss": position}
        velocity = functional.mse_loss(predicted["velocity"], batch.y_vel)
        velocity = velocity / scales.vel_change_scale**2
        return {"loss": position + velocity, "position": position, "velocity": velocity}

    def loss_counts(self, store: Store) -> dict[str, Tensor]:
        """The number of particles of each graph."""
        counts = nodes_of(store)
        names = ("loss", "position", "velocity") if self.predicts_velocity else ("loss",)
        return dict.fromkeys(names, counts)

    def check_part(self, datamodule: GraphDataModule, part: str) -> None:
        """Check that the horizon, the time step and the inputs are those of the training data.

        Args:
            datamodule: the data.
            part: the split, ``"val"`` or ``"test"``.

        Raises:
            ValueError: If they differ.
        """
        super().check_part(datamodule, part)
        own = self.spec.record.other.get("windows", {})
        theirs = datamodule.spec.record.other.get("windows", {})
        for name in sorted(own.keys() & theirs.keys()):
            if own[name] != theirs[name]:
                raise ValueError(
                    f"{name} of the trajectories is {theirs[name]}, but {own[name]} in training"
                )

    def predict(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Predicted positions ``[N, dim]`` as ``position``, and velocities as ``velocity``."""
        return {name: value.detach() for name, value in self._predicted(batch).items()}

    def predict_baseline(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The zero-displacement baseline: particles stay at their input positions, at rest."""
        still = {"position": batch.pos}
        if not self.predicts_velocity:
            return still
        return {**still, "velocity": torch.zeros_like(batch.y_vel)}

    def predict_baselines(self, batch: GraphBatch) -> dict[str, dict[str, Tensor]]:
        """The baseline of constant velocity, if the time to the target is known."""
        time, vec = self.spec.statistics.get("time"), batch.get("vec")
        if time is None or vec is None:
            return {}
        moving = {"position": batch.pos + time * vec[:, 0]}
        if self.predicts_velocity:
            moving["velocity"] = vec[:, 0]
        return {"constant_velocity": moving}

    def _predicted(self, batch: GraphBatch) -> dict[str, Tensor]:
        vectors, vec = self(batch).vector, batch.get("vec")
        found = {"position": self.scales.position(batch.pos, vec, vectors[:, 0])}
        if self.predicts_velocity:
            assert vec is not None
            found["velocity"] = self.scales.velocity(vec, vectors[:, 1])
        return found
