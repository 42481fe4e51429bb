"""Windows of one series on the sensors of a graph, gathered by their start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from geozoo.data._layout import GraphIndex, as_index


class WindowBatch:
    """Some windows of a series, in physical units.

    Its attributes cannot be set; :meth:`replace` gives a batch with other values. It is no
    dataclass: Lightning would cast or copy the fields of one in the precision of the training,
    though targets keep theirs and a task casts what its model sees.

    Args:
        x: what a model sees, ``[B, T, N, F]``; unobserved entries of the target feature are 0.
        x_observed: whether the target feature was observed there, ``[B, T, N]``.
        y: the target feature of the steps behind, ``[B, H, N]``; unobserved entries are 0.
        y_observed: whether it was observed there, ``[B, H, N]``.
        time: slot of the day and day of the week (Monday 0) of all steps, ``[B, T + H, 2]``.
        part: part of each window ``[B]``: 0 training, 1 validation, 2 test.
        index: position of each window in the store, ``[B]``.
        lagged: the target feature some steps before those of ``y``, ``[B, L, H, N]``, or None.
        lagged_observed: whether it was observed there.
    """

    x: Float[Tensor, "B T N F"]
    x_observed: Bool[Tensor, "B T N"]
    y: Float[Tensor, "B H N"]
    y_observed: Bool[Tensor, "B H N"]
    time: Int[Tensor, "B T_plus_H 2"]
    part: Int[Tensor, " B"]
    index: Int[Tensor, " B"]
    lagged: Float[Tensor, "B L H N"] | None
    lagged_observed: Bool[Tensor, "B L H N"] | None

    def __init__(
        self,
        x: Float[Tensor, "B T N F"],
        x_observed: Bool[Tensor, "B T N"],
        y: Float[Tensor, "B H N"],
        y_observed: Bool[Tensor, "B H N"],
        time: Int[Tensor, "B T_plus_H 2"],
        part: Int[Tensor, " B"],
        index: Int[Tensor, " B"],
        lagged: Float[Tensor, "B L H N"] | None = None,
        lagged_observed: Bool[Tensor, "B L H N"] | None = None,
    ) -> None:
        self.__dict__.update(
            x=x, x_observed=x_observed, y=y, y_observed=y_observed, time=time, part=part,
            index=index, lagged=lagged, lagged_observed=lagged_observed,
        )  # fmt: skip

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse to change a batch that others may hold."""
        raise AttributeError(f"{name}: a WindowBatch cannot be changed; use replace({name}=...)")

    @property
    def num_graphs(self) -> int:
        """Number of windows ``B``."""
        return self.x.shape[0]

    def replace(self, **tensors: Tensor | None) -> WindowBatch:
        """A batch in which some fields are exchanged; this one stays as it is.

        Raises:
            TypeError: for a field that there is not.
        """
        values: dict[str, Any] = {**self.__dict__, **tensors}
        return WindowBatch(**values)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> WindowBatch:
        """The same batch on another device."""
        return self._mapped(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> WindowBatch:
        """A copy in page-locked memory; called by the torch DataLoader."""
        return self._mapped(lambda tensor: tensor.pin_memory())

    def _mapped(self, function: Callable[[Tensor], Tensor]) -> WindowBatch:
        values = self.__dict__.items()
        return WindowBatch(**{k: None if v is None else function(v) for k, v in values})


class SeriesStore:
    """A series on a device, of which windows are gathered by index; nothing is copied before.

    Args:
        values: ``[S, N, F]``; feature 0 is the target.
        observed: whether the target was observed, ``[S, N]``.
        time: slot of the day and day of the week of each step, ``[S, 2]``.
        part: part of each window, ``[S - T - H + 1]``: 0 training, 1 validation, 2 test; of a
            window in none of them, which nobody gathers, any.
        input_steps: ``T``.
        horizon: ``H``.
        lags: for each lag, batches hold the target that many steps before those of ``y``, where
            the series goes back so far.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, a series shorter than
            one window, or a lag smaller than the horizon (it would show the future).

    >>> hours = torch.arange(5.0)[:, None, None]
    >>> store = SeriesStore(hours, torch.ones(5, 1, dtype=torch.bool),
    ...                     torch.zeros(5, 2, dtype=torch.long),
    ...                     torch.zeros(3, dtype=torch.long), input_steps=2, horizon=1)
    >>> store.gather([2]).y
    tensor([[[4.]]])
    """

    def __init__(
        self,
        values: Float[Tensor, "S N F"],
        observed: Bool[Tensor, "S N"],
        time: Int[Tensor, "S 2"],
        part: Int[Tensor, " W"],
        *,
        input_steps: int,
        horizon: int,
        lags: Sequence[int] = (),
    ) -> None:
        num_windows = values.shape[0] - input_steps - horizon + 1
        if num_windows < 1:
            raise ValueError(
                f"values: {values.shape[0]} steps are fewer than one window of {input_steps} + "
                f"{horizon} steps"
            )
        expected = {
            "observed": (observed, tuple(values.shape[:2])),
            "time": (time, (values.shape[0], 2)),
            "part": (part, (num_windows,)),
        }
        for name, (tensor, shape) in expected.items():
            if tuple(tensor.shape) != shape:
                raise ValueError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")
        if not bool(torch.isfinite(values).all()):
            raise ValueError("values holds NaN or infinite entries; mark them in observed instead")
        self.values, self.observed, self.time, self.part = values, observed, time, part
        self.input_steps, self.horizon = input_steps, horizon
        self.lags = _checked_lags(lags, horizon)
        self._length = num_windows

    def __len__(self) -> int:
        """Number of windows."""
        return self._length

    @property
    def device(self) -> torch.device:
        """Device of the series."""
        return self.values.device

    @property
    def nbytes(self) -> int:
        """Memory of the series in bytes."""
        tensors = (self.values, self.observed, self.time, self.part)
        return sum(tensor.nbytes for tensor in tensors)

    def with_lags(self, lags: Sequence[int]) -> SeriesStore:
        """The same series, whose batches also hold the target some steps earlier."""
        return self._copy(self.device, lags)

    def to(self, device: torch.device | str) -> SeriesStore:
        """The store on another device."""
        return self._copy(torch.device(device), self.lags)

    def gather(self, index: GraphIndex) -> WindowBatch:
        """The windows at some positions, in that order, on the store's device.

        Args:
            index: start steps ``[B]``; repeats are allowed.

        Raises:
            TypeError: for an index that is not of whole numbers.
            IndexError: for a position outside the store.
        """
        start = as_index(index, len(self)).to(self.device, non_blocking=True)
        seen = start[:, None] + torch.arange(self.input_steps, device=self.device)
        ahead = start[:, None] + self.input_steps + torch.arange(self.horizon, device=self.device)
        lagged, lagged_observed = self._lagged(ahead)
        target = self.values[..., 0]
        return WindowBatch(
            x=self.values[seen],
            x_observed=self.observed[seen],
            y=target[ahead],
            y_observed=self.observed[ahead],
            time=self.time[torch.cat([seen, ahead], 1)],
            part=self.part[start],
            index=start,
            lagged=lagged,
            lagged_observed=lagged_observed,
        )

    def _lagged(self, ahead: Int[Tensor, "B H"]) -> tuple[Tensor | None, Tensor | None]:
        if not self.lags:
            return None, None
        steps = ahead[:, None] - torch.tensor(self.lags, device=self.device)[:, None]
        inside = steps >= 0
        steps = steps.clamp_min(0)
        observed = self.observed[steps] & inside[..., None]
        return self.values[..., 0][steps] * observed, observed

    def _copy(self, device: torch.device, lags: Sequence[int]) -> SeriesStore:
        if device == self.device and tuple(lags) == self.lags:
            return self
        copied = object.__new__(SeriesStore)
        copied.__dict__.update(self.__dict__)
        copied.lags = _checked_lags(lags, self.horizon)
        for name in ("values", "observed", "time", "part"):
            setattr(copied, name, getattr(self, name).to(device))
        return copied


def _checked_lags(lags: Sequence[int], horizon: int) -> tuple[int, ...]:
    early = [lag for lag in lags if lag < horizon]
    if early:
        raise ValueError(f"lags must be at least the horizon of {horizon} steps, got {early}")
    return tuple(lags)
