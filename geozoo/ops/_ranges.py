"""Row numbers that compiled loops are given, which would read and write any memory."""

from __future__ import annotations

from torch import Tensor


def check_rows(name: str, index: Tensor, count: int) -> None:
    """Check that all entries are rows of a tensor.

    Args:
        name: name of the index in the message.
        index: row numbers.
        count: number of rows.

    Raises:
        IndexError: If one is not.
    """
    if index.numel():
        low, high = (int(value) for value in index.aminmax())
        if low < 0 or high >= count:
            raise IndexError(f"{name} must be in [0, {count}), got {low} to {high}")
