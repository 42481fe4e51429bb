"""Windows of a time series on a sensor graph, gathered by start step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from geozoo.data._layout import GraphIndex, as_index


class WindowBatch:
    """A batch of windows, in physical units.

    Immutable; :meth:`replace` returns a modified copy. It is not a dataclass, because Lightning
    would cast the fields of one to the training precision, whereas targets keep theirs and the task
    casts the inputs of its model.

    Args:
        x: lookback window, ``[B, T, N, F]``; unobserved entries of the target feature are 0.
        x_observed: mask of the observed target feature in ``x``, ``[B, T, N]``.
        y: target feature of the following steps, ``[B, H, N]``; unobserved entries are 0.
        y_observed: mask of the observed entries of ``y``, ``[B, H, N]``.
        time: step of the day and day of the week (Monday 0) of all steps, ``[B, T + H, 2]``.
        part: split of each window ``[B]``: 0 training, 1 validation, 2 test.
        index: index of each window in the store, ``[B]``.
        lagged: target feature at the lags before the steps of ``y``, ``[B, L, H, N]``, or None.
        lagged_observed: mask of the observed entries of ``lagged``.
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
        """Raise an error, since a batch is immutable."""
        raise AttributeError(f"{name}: a WindowBatch is immutable; use replace({name}=...)")

    @property
    def num_graphs(self) -> int:
        """Number of windows ``B``."""
        return self.x.shape[0]

    def replace(self, **tensors: Tensor | None) -> WindowBatch:
        """A copy of the batch with new values for some fields.

        Raises:
            TypeError: If a field does not exist.
        """
        values: dict[str, Any] = {**self.__dict__, **tensors}
        return WindowBatch(**values)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> WindowBatch:
        """The same batch on another device."""
        return self._mapped(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> WindowBatch:
        """A copy in page-locked memory; called by PyTorch's DataLoader."""
        return self._mapped(lambda tensor: tensor.pin_memory())

    def _mapped(self, function: Callable[[Tensor], Tensor]) -> WindowBatch:
        fields = self.__dict__.items()
        return self.replace(**{k: None if v is None else function(v) for k, v in fields})


class SeriesStore:
    """A series on a device, from which windows are gathered by index without storing them.

    Args:
        values: ``[S, N, F]``; feature 0 is the target.
        observed: mask of the observed target, ``[S, N]``.
        time: step of the day and day of the week of each step, ``[S, 2]``.
        part: split of each window, ``[S - T - H + 1]``: 0 training, 1 validation, 2 test;
            arbitrary for windows in no split, which are never gathered.
        input_steps: length of the lookback window, ``T``.
        horizon: number of forecast steps, ``H``.
        lags: for each lag, batches also contain the target that many steps before those of ``y``,
            masked where the series does not reach back far enough.

    Raises:
        ValueError: If shapes are inconsistent, values are not finite, the series is shorter than
            one window, or a lag is smaller than the horizon, which would leak the future.

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
                f"values must have at least one window of {input_steps} + {horizon} steps, got "
                f"{values.shape[0]} steps"
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
            raise ValueError(
                "values contain NaN or infinite entries; set them to 0 and mask them in observed"
            )
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
        """The same series with lagged targets in its batches."""
        return self._copy(self.device, lags)

    def to(self, device: torch.device | str) -> SeriesStore:
        """The store on another device."""
        return self._copy(torch.device(device), self.lags)

    def gather(self, index: GraphIndex) -> WindowBatch:
        """Gather windows, in the given order, on the store's device.

        Args:
            index: start steps ``[B]``; repeats are allowed.

        Raises:
            TypeError: If the index does not hold integers.
            IndexError: If an index is out of range.
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
