"""Which thread sums which edges, so that no two write to the same memory."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

if TYPE_CHECKING:
    from geozoo.ops.steerable.sum import EdgeRows

_Made = TypeVar("_Made")


class Part(NamedTuple):
    """Edges of one thread.

    Attributes:
        edges: ``[4, E]``: senders, receivers, rows, and whether an edge is a reverse.
        begin: first edge of the part.
        end: end of the edges of the part.
        sums_apart: whether sums over the nodes that other parts write to as well need memory of
            their own.
        senders: nodes, by which ``edges`` numbers the senders; None: all nodes.
        receivers: the same of the receivers.
    """

    edges: Tensor
    begin: int
    end: int
    sums_apart: bool = False
    senders: Tensor | None = None
    receivers: Tensor | None = None


class Schedule:
    """Edges in the order of the kernels, and their parts for several threads.

    Attributes:
        edges: ``[4, E]``, by receiver, see `Part`.
        largest: largest sender, receiver and row; -1 without edges.
        smallest: the smallest of all these numbers.
        addresses: of the rows of ``edges``.
    """

    def __init__(self, edges: EdgeRows) -> None:
        parts = (edges.sender, edges.receiver, edges.rows, edges.is_reverse)
        listed = torch.stack([each.to(torch.int64) for each in parts])
        ordered = listed[:, edges.order]
        if bool((ordered[1].diff() < 0).any()):  # prepared for another device
            ordered = ordered[:, ordered[1].argsort(stable=True)]
        has_edges = ordered.shape[1] > 0
        self.edges = ordered.contiguous()
        self.addresses = addresses_of(self.edges)
        self.largest: list[int] = ordered[:3].amax(1).tolist() if has_edges else [-1] * 3
        self.smallest = int(ordered.min()) if has_edges else 0
        self._parts: dict[tuple[str, int], list[Part]] = {}
        self._lock = threading.Lock()

    def parts(self, loop: str, count: int) -> list[Part]:
        """At most so many parts that write to different memory.

        Args:
            loop: ``"forward"`` writes to receivers only. ``"backward"`` writes to rows and senders,
                ``"double"`` to receivers as well: parts share no row; all but the first have sums
                over nodes of their own.
            count: number of parts, at least 1.
        """
        with self._lock:
            if (loop, count) not in self._parts:
                split = self._by_receiver if loop == "forward" else self._by_row
                self._parts[loop, count] = split(count, loop == "double")
            return self._parts[loop, count]

    def _by_receiver(self, count: int, _: bool) -> list[Part]:
        cuts = _cuts(self.edges[1], count)
        return [Part(self.edges, begin, end) for begin, end in zip(cuts, cuts[1:], strict=False)]

    def _by_row(self, count: int, with_receivers: bool) -> list[Part]:
        if count == 1:
            return self._by_receiver(1, False)
        by_row = self.edges[2].argsort(stable=True)
        cuts = _cuts(self.edges[2, by_row], count)
        found = []
        for begin, end in zip(cuts, cuts[1:], strict=False):
            part = self.edges[:, by_row[begin:end].sort().values]  # by receiver again
            senders = _renumbered(part[0], self.largest[0]) if begin else None
            receivers = None
            if begin and with_receivers:
                receivers = _renumbered(part[1], self.largest[1])
            found.append(Part(part, 0, end - begin, begin > 0, senders, receivers))
        return found


def addresses_of(edges: Tensor) -> NDArray[np.int64]:
    """Addresses of the rows of a contiguous tensor."""
    return np.array([row.data_ptr() for row in edges], np.int64)


def _renumbered(nodes: Tensor, largest: int) -> Tensor | None:
    """Number nodes anew, in place, and return them; None: they are half of all, left as they are.

    A part of a large graph must not need memory for all nodes.
    """
    found, places = nodes.unique(return_inverse=True)
    if 2 * len(found) > largest:
        return None
    nodes.copy_(places)
    return found


def _cuts(values: Tensor, count: int) -> list[int]:
    """Cuts of sorted values into at most so many parts, none within a run of equal values."""
    size = len(values)
    ideal = torch.arange(1, count) * size // count
    inner = torch.searchsorted(values, values[ideal]) if size else ideal
    return sorted({0, *inner.tolist(), size}) if size else [0, 0]


_KEPT: WeakIdKeyDictionary = WeakIdKeyDictionary()
_LOCK = threading.Lock()


def _forget() -> None:
    """A forked process starts anew: nobody would release the locks of its parent."""
    global _KEPT, _LOCK
    _KEPT, _LOCK = WeakIdKeyDictionary(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def schedule_of(edges: EdgeRows) -> Schedule:
    """The schedule of some edges, kept as long as their tensors are and do not change."""
    return kept_with(edges, "schedule", Schedule)


def kept_with(edges: EdgeRows, kind: Hashable, make: Callable[[EdgeRows], _Made]) -> _Made:
    """What is made of some edges, kept as long as their tensors are and do not change.

    Args:
        edges: the edges.
        kind: what is made.
        make: makes it.
    """
    tensors = edges[:5]
    if any(each.is_inference() for each in tensors):  # changes would not be noticed
        return make(edges)
    with _LOCK:
        kept = _KEPT.get(edges.order, {}).get(kind)
    if kept is not None and all(map(_is_same, tensors, kept[0])):
        return kept[1]
    made = make(edges)
    with _LOCK:
        found = [(weakref.ref(each), each._version) for each in tensors]
        _KEPT.setdefault(edges.order, {})[kind] = found, made
    return made


def _is_same(tensor: Tensor, known: tuple[weakref.ref[Tensor], int]) -> bool:
    return known[0]() is tensor and known[1] == tensor._version
