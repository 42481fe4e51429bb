"""Loops over rows of arrays, compiled with numba; import only where that is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

# No flag that ignores NaN: a diverged network must stay visible.
_compiled: Callable[[Any], Any] = numba.njit(
    fastmath={"contract", "reassoc", "nsz", "arcp"}, cache=True, nogil=True
)


@_compiled
def add_weighted(weight, x, source, target, back_source, back_target, out, _):  # type: ignore[no-untyped-def]
    """Add weights times rows of ``x`` to rows of ``out``; the second route shares the weights."""
    for row in range(max(source.shape[0], back_source.shape[0])):
        if row < source.shape[0]:
            s, t = source[row], target[row]
            for u in range(x.shape[1]):
                out[t, u] += weight[row, u] * x[s, u]
        if row < back_source.shape[0]:
            s, t = back_source[row], back_target[row]
            for u in range(x.shape[1]):
                out[t, u] += weight[row, u] * x[s, u]


@_compiled
def add_products(y, x, source, target, back_source, back_target, out, is_first):  # type: ignore[no-untyped-def]
    """Add products of a row of ``x`` and one of ``y`` to the row of each edge, for both routes.

    The first call overwrites what is in ``out``.
    """
    for row in range(out.shape[0]):
        if is_first:
            for u in range(x.shape[1]):
                out[row, u] = 0
        if row < source.shape[0]:
            s, t = source[row], target[row]
            for u in range(x.shape[1]):
                out[row, u] += y[t, u] * x[s, u]
        if row < back_source.shape[0]:
            s, t = back_source[row], back_target[row]
            for u in range(x.shape[1]):
                out[row, u] += y[t, u] * x[s, u]


@_compiled
def add_mixed(x, matrix, out):  # type: ignore[no-untyped-def]
    """Add products with one matrix per channel: ``out[n, p, c] += x[n, o, c] matrix[o, p, c]``."""
    for n in range(x.shape[0]):
        for p in range(matrix.shape[1]):
            for o in range(matrix.shape[0]):
                for c in range(x.shape[2]):
                    out[n, p, c] += x[n, o, c] * matrix[o, p, c]


@_compiled
def add_outer(x, y, out):  # type: ignore[no-untyped-def]
    """Add outer products of each channel: ``out[o, p, c] += x[n, o, c] y[n, p, c]``."""
    for n in range(x.shape[0]):
        for o in range(x.shape[1]):
            for p in range(y.shape[1]):
                for c in range(x.shape[2]):
                    out[o, p, c] += x[n, o, c] * y[n, p, c]
