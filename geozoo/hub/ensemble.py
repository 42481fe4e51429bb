"""Ensembles of trained models: mean and spread of the predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from geozoo.data import DataSpec, WindowBatch
from geozoo.hub._shared_readings import difference, shared_reading
from geozoo.tasks import GraphTask

if TYPE_CHECKING:
    from geozoo.hub.loading import TrainedModel

#: Suffix of a quantity's name for the standard deviation over the members.
SPREAD = "_std"


class Ensemble:
    """Models trained on the same data with different seeds.

    The spread of the members indicates where predictions are unreliable. It underestimates the
    error: it does not show errors that all members share. Uncertainties of single members
    (`geozoo.hub.TrainedModel.uncertainty`) do not enter.

    Args:
        members: at least two models with the same inputs, quantities and units.

    Raises:
        ValueError: If there is a single model, or the models are incompatible; the message says
            in what they differ.
    """

    def __init__(self, members: Sequence[TrainedModel]) -> None:
        if len(members) < 2:
            raise ValueError(f"an ensemble needs at least 2 models, got {len(members)}")
        self.members = tuple(members)
        first = members[0]
        for member in members[1:]:
            for what in _DIFFERENCES:
                if _DIFFERENCES[what](member) != _DIFFERENCES[what](first):
                    raise ValueError(f"{member.name} and {first.name} differ in their {what}")
        for one, other in combinations(members, 2):
            if settings := difference(_reading(one), _reading(other)):
                raise ValueError(
                    f"{one.name} and {other.name} were trained on tables read with different "
                    f"settings: {settings}"
                )

    @property
    def name(self) -> str:
        """Names of the members."""
        return "+".join(member.name for member in self.members)

    @property
    def task(self) -> GraphTask:
        """The task of the first member; all members have the same task type."""
        return self.members[0].task

    @property
    def spec(self) -> DataSpec:
        """The data spec of the first member, with the table settings of all members combined."""
        spec = self.members[0].spec
        if not any(map(_reading, self.members)):
            return spec
        reading = shared_reading([_reading(member) for member in self.members])
        return replace(spec, record=spec.record.with_reading(reading))

    @property
    def lags(self) -> tuple[int, ...]:
        """Lags used by any member, in ascending order; `predict` passes each member its own."""
        return tuple(sorted({lag for member in self.members for lag in member.lags}))

    @property
    def units(self) -> dict[str, str]:
        """Unit of every quantity and its spread."""
        units = self.members[0].task.quantity_units()
        return {**units, **{f"{name}{SPREAD}": unit for name, unit in units.items()}}

    @property
    def levels(self) -> dict[str, str]:
        """See `TrainedModel.levels`; a spread has the level of its quantity."""
        levels = self.members[0].task.quantity_levels()
        return {**levels, **{f"{name}{SPREAD}": level for name, level in levels.items()}}

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the first member."""
        return self.members[0].dtype

    @property
    def device(self) -> torch.device:
        """Device of the first member."""
        return self.members[0].device

    def to(self, device: torch.device | str) -> Ensemble:
        """Move all members to a device; returns itself."""
        for member in self.members:
            member.to(device)
        return self

    def cast(self, dtype: torch.dtype) -> Ensemble:
        """Change the precision of all networks; returns itself."""
        for member in self.members:
            member.cast(dtype)
        return self

    def predict(self, batch: Any) -> dict[str, Tensor]:
        """The mean of every quantity and, as ``<name>_std``, the standard deviation over members.

        Args:
            batch: see `TrainedModel.predict`; a batch with lags has those of `lags`, in that order.
        """
        lags = self.lags
        outputs = [member.predict_mean(_for_member(batch, lags, member)) for member in self.members]
        stacked = {name: torch.stack([each[name] for each in outputs]) for name in outputs[0]}
        spread = {f"{name}{SPREAD}": value.std(0) for name, value in stacked.items()}
        return {**{name: value.mean(0) for name, value in stacked.items()}, **spread}

    def __repr__(self) -> str:
        """Number of members, and the first of them."""
        return f"Ensemble of {len(self.members)}: {self.members[0]}"


_DIFFERENCES = {
    "task": lambda model: type(model.task),
    "units": lambda model: model.task.quantity_units(),
    "inputs": lambda model: model.spec.model_arguments(),
    "graph inputs": lambda model: getattr(model.spec, "graph_inputs", ()),
    "elements": lambda model: getattr(model.spec, "elements", ()),
    "input construction": lambda model: getattr(model.spec, "inputs", {}),
    "total charge": lambda model: model.spec.record.files.total_charge,
    "spin": lambda model: model.spec.record.files.spin,
    "sensors": lambda model: model.spec.record.sensors,
    "quantiles": lambda model: getattr(model.task, "levels", None),
}


def _reading(model: TrainedModel) -> Mapping[str, Any]:
    """The table-reading settings of a model's training data; empty for other data."""
    return model.spec.record.reading


def _for_member(batch: Any, lags: tuple[int, ...], member: TrainedModel) -> Any:
    """The batch restricted to the lags that a member uses."""
    if not isinstance(batch, WindowBatch) or batch.lagged is None or member.lags == lags:
        return batch
    if not member.lags:
        return batch.replace(lagged=None, lagged_observed=None)
    columns = [lags.index(lag) for lag in member.lags]
    observed = batch.lagged_observed
    assert observed is not None  # it comes with `lagged`
    return batch.replace(lagged=batch.lagged[:, columns], lagged_observed=observed[:, columns])
