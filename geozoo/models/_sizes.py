"""The check of sizes that the forecasting models share."""

from __future__ import annotations


def check_sizes(**sizes: int) -> None:
    """Check that every size is at least 1.

    Raises:
        ValueError: naming the first that is not.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size!r}")
