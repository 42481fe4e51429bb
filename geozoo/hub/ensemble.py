"""Several trained models as one: their mean, and how far they are apart."""

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

#: Behind the name of a quantity: the standard deviation over the members.
SPREAD = "_std"


class Ensemble:
    """Models that were trained on the same data from different seeds.

    What they disagree on they have not learned from the data, so their spread is a sign of where
    not to trust them. It is a lower bound of the error: what all of them get wrong alike it does
    not show.

    Args:
        members: at least two models with the same inputs, quantities and units.

    Raises:
        ValueError: for a single model, or models that do not belong together; names what differs.
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
            if what := difference(_reading(one), _reading(other)):
                raise ValueError(
                    f"{one.name} and {other.name} were trained on tables that were read in "
                    f"different ways: {what}"
                )

    @property
    def name(self) -> str:
        """Names of the members."""
        return "+".join(member.name for member in self.members)

    @property
    def task(self) -> GraphTask:
        """The task of the first member; its kind is that of all."""
        return self.members[0].task

    @property
    def spec(self) -> DataSpec:
        """The data of the first member, and the rules by which all of them read a table."""
        spec = self.members[0].spec
        if not any(map(_reading, self.members)):
            return spec
        reading = shared_reading([_reading(member) for member in self.members])
        return replace(spec, record=spec.record.with_reading(reading))

    @property
    def lags(self) -> tuple[int, ...]:
        """Lags that any member asks for, the shortest first; `predict` gives each its own."""
        return tuple(sorted({lag for member in self.members for lag in member.lags}))

    @property
    def units(self) -> dict[str, str]:
        """Unit of every quantity and of its spread."""
        units = self.members[0].units
        return {**units, **{f"{name}{SPREAD}": unit for name, unit in units.items()}}

    @property
    def levels(self) -> dict[str, str]:
        """See `TrainedModel.levels`; a spread has the level of its quantity."""
        levels = self.members[0].levels
        return {**levels, **{f"{name}{SPREAD}": level for name, level in levels.items()}}

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the first member."""
        return self.members[0].dtype

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.members[0].device

    def to(self, device: torch.device | str) -> Ensemble:
        """Move all; returns itself."""
        for member in self.members:
            member.to(device)
        return self

    def cast(self, dtype: torch.dtype) -> Ensemble:
        """Change the precision of all networks; returns itself."""
        for member in self.members:
            member.cast(dtype)
        return self

    def predict(self, batch: Any) -> dict[str, Tensor]:
        """The mean of every quantity, and under ``<name>_std`` the members' standard deviation.

        Args:
            batch: see `TrainedModel.predict`; a batch with lags has those of `lags`, in that order.
        """
        lags = self.lags
        found = [member.predict(_for_member(batch, lags, member)) for member in self.members]
        stacked = {name: torch.stack([each[name] for each in found]) for name in found[0]}
        spread = {f"{name}{SPREAD}": value.std(0) for name, value in stacked.items()}
        return {**{name: value.mean(0) for name, value in stacked.items()}, **spread}

    def __repr__(self) -> str:
        """How many of what."""
        return f"Ensemble of {len(self.members)}: {self.members[0]}"


_DIFFERENCES = {
    "task": lambda model: type(model.task),
    "units": lambda model: model.units,
    "inputs": lambda model: model.spec.model_arguments(),
    "elements": lambda model: getattr(model.spec, "elements", ()),
    "way to make inputs": lambda model: getattr(model.spec, "inputs", {}),
    "total charge": lambda model: getattr(model.spec.record.structures, "total_charge", None),
    "spin": lambda model: getattr(model.spec.record.structures, "spin", None),
    "sensors": lambda model: model.spec.record.sensors,
    "quantiles": lambda model: getattr(model.task, "levels", None),
}


def _reading(model: TrainedModel) -> Mapping[str, Any]:
    """How the table of a training was read; empty for other data."""
    return model.spec.record.reading


def _for_member(batch: Any, lags: tuple[int, ...], member: TrainedModel) -> Any:
    """A batch with the lags that a member asks for, and no others."""
    if not isinstance(batch, WindowBatch) or batch.lagged is None or member.lags == lags:
        return batch
    if not member.lags:
        return batch.replace(lagged=None, lagged_observed=None)
    places = [lags.index(lag) for lag in member.lags]
    return batch.replace(
        lagged=batch.lagged[:, places], lagged_observed=batch.lagged_observed[:, places]
    )
