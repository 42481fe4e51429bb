"""Sums of steerable features on several threads: the values of one thread, in every run."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from geozoo.ops.steerable import (
    EdgeRows,
    _compiled,
    _run,
    _schedule,
    _threads,
    filtered_sum,
    steerable_sum,
)
from tests.ops.test_steerable_sum import PATHS

pytest.importorskip("e3nn")
pytestmark = pytest.mark.skipif(not _compiled.has_numba(), reason="numba is not installed")
NODES = 9


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads of PyTorch."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _all_work_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "MIN_WORK", 1)


def made(kind: str, count: int) -> EdgeRows:
    """Edges with a busy node, repeated edges, loops and nodes without edges."""
    generator = torch.Generator().manual_seed(count)
    ends = torch.randint(NODES - 1, (2, count), generator=generator)
    ends[1, : count // 3] = 2
    return EdgeRows.of_pairs(ends) if kind == "pairs" else EdgeRows.of(*ends)


def given(edges: EdgeRows) -> list[Tensor]:
    """Features, harmonics and weights."""
    generator = torch.Generator().manual_seed(0)
    shapes = (NODES, PATHS.x_width), (edges.num_rows, PATHS.y_width), (edges.num_rows, 7)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in shapes
    ]


def derivatives(edges: EdgeRows, count: int) -> list[Tensor]:
    """The value, first and second derivatives with so many threads."""
    with threads(count):
        inputs = given(edges)
        value = steerable_sum(*inputs, edges, PATHS, num_nodes=NODES + 1, backend="numba")
        first = torch.autograd.grad(value.square().sum(), inputs, create_graph=True)
        total = torch.stack([(grad * grad.detach().roll(1, 0)).sum() for grad in first]).sum()
        return [value, *first, *torch.autograd.grad(total, inputs)]


@pytest.mark.parametrize("kind", ["edges", "pairs"])
@pytest.mark.parametrize("size", [0, 1, 5, 60])
def test_threads_give_the_values_of_one(kind: str, size: int) -> None:
    edges = made(kind, size)
    expected = derivatives(edges, 1)
    for count in (2, 3, 7):
        found = derivatives(edges, count)
        for one, other in zip(found, expected, strict=True):
            scale = float(other.detach().abs().max()) if other.numel() else 1.0
            torch.testing.assert_close(one, other, rtol=0, atol=1e-13 * max(scale, 1.0))
        again = derivatives(edges, count)
        assert all(torch.equal(a, b) for a, b in zip(found, again, strict=True))


@pytest.mark.parametrize("kind", ["edges", "pairs"])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_no_two_threads_write_to_the_same_memory(kind: str, count: int) -> None:
    schedule = _schedule.Schedule(made(kind, 60))
    total = schedule.edges.shape[1]
    for loop in ("forward", "backward", "double"):
        parts = schedule.parts(loop, count)
        assert min(count, 2) <= len(parts) <= count
        assert sum(part.end - part.begin for part in parts) == total
        written = 1 if loop == "forward" else 2
        taken = [set(part.edges[written, part.begin : part.end].tolist()) for part in parts]
        assert sum(map(len, taken)) == len(set.union(*taken))
        assert loop == "forward" or [part.sums_apart for part in parts].count(False) == 1


@pytest.mark.parametrize("kind", ["edges", "pairs"])
def test_parts_of_large_graphs_need_memory_for_their_nodes_alone(kind: str) -> None:
    ends = torch.arange(400).reshape(-1, 2).T
    edges = EdgeRows.of_pairs(ends) if kind == "pairs" else EdgeRows.of(*ends)
    for loop in ("backward", "double"):
        for part in _schedule.Schedule(edges).parts(loop, 4)[1:]:
            assert part.senders is not None and len(part.senders) <= 100
            assert loop == "backward" or part.receivers is not None
    shape = (400, PATHS.x_width), (edges.num_rows, PATHS.y_width), (edges.num_rows, 7)
    inputs = [torch.randn(each, dtype=torch.float64, requires_grad=True) for each in shape]

    def evaluated(count: int) -> list[Tensor]:
        with threads(count):
            out = steerable_sum(*inputs, edges, PATHS, backend="numba")
            first = torch.autograd.grad(out.square().sum(), inputs, create_graph=True)
            total = torch.stack([(grad * grad.detach()).sum() for grad in first]).sum()
            return [*first, *torch.autograd.grad(total, inputs)]

    for one, other in zip(evaluated(4), evaluated(1), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-12)


def test_all_threads_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    used = set()

    def run_all(works: list[Callable[[], None]]) -> None:
        used.add(len(works))
        _threads.run_all(works)

    monkeypatch.setattr(_run, "run_all", run_all)
    derivatives(made("pairs", 60), 3)
    assert used == {3}
    used.clear()
    monkeypatch.setattr(_run, "MIN_WORK", 10**6)  # small problems
    derivatives(made("pairs", 60), 3)
    assert used == set(), "one thread is this one"


def test_blocks_of_weights_use_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geozoo.ops.steerable.filtered.saves_memory", lambda *_: True)
    monkeypatch.setattr("geozoo.ops.steerable.filtered.BLOCK_BYTES", 7 * 8 * 11)
    edges = made("pairs", 60)

    def evaluated(count: int) -> list[Tensor]:
        with threads(count):
            x, y, w = given(edges)
            out = filtered_sum(x, y, torch.sin, (w,), edges, PATHS)
            first = torch.autograd.grad(out.square().sum(), (x, y, w))
            return [out.detach(), *first]

    for one, other in zip(evaluated(3), evaluated(1), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-13 * float(other.abs().max()))


def test_callers_on_several_threads() -> None:
    edges = made("pairs", 60)
    expected = derivatives(edges, 3)
    found: list[bool] = []

    def call() -> None:
        for _ in range(5):
            results = derivatives(edges, 3)
            found.append(all(torch.equal(a, b) for a, b in zip(results, expected, strict=True)))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert found == [True] * 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_after_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = made("pairs", 60)
    expected = derivatives(edges, 2)[0].detach()  # starts threads, which the child lacks
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def child() -> None:
        x, y, w = (each.detach() for each in given(edges))
        monkeypatch.setattr(torch, "get_num_threads", lambda: 2)  # PyTorch has none after a fork
        out = steerable_sum(x, y, w, edges, PATHS, num_nodes=NODES + 1, backend="numba")
        queue.put(out.tolist())

    process = context.Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert queue.get() == expected.tolist()


def test_an_error_of_a_thread_is_raised_after_all_have_ended() -> None:
    ended = []

    def work(fails: bool) -> Callable[[], None]:
        def run() -> None:
            ended.append(fails)
            if fails:
                raise RuntimeError("of a thread")

        return run

    with pytest.raises(RuntimeError, match="of a thread"):
        _threads.run_all([work(False), work(True), work(False)])
    assert len(ended) == 3


def test_changed_edges_are_noticed() -> None:
    edges = made("edges", 5)
    x, y, w = (each.detach() for each in given(edges))
    steerable_sum(x, y, w, edges, PATHS, backend="numba")
    other = edges._replace(sender=(edges.sender + 1) % NODES)
    expected = steerable_sum(x, y, w, other, PATHS, backend="torch")
    torch.testing.assert_close(steerable_sum(x, y, w, other, PATHS, backend="numba"), expected)
    edges.sender.copy_(other.sender)
    torch.testing.assert_close(steerable_sum(x, y, w, edges, PATHS, backend="numba"), expected)


def test_edges_prepared_for_another_device_are_sorted() -> None:
    edges = made("pairs", 60)
    unsorted = edges._replace(order=torch.arange(120))
    for one, other in zip(derivatives(unsorted, 3), derivatives(edges, 1), strict=True):
        torch.testing.assert_close(one, other)


def test_invalid_edges_and_tensors_are_named() -> None:
    edges = made("edges", 5)
    x, y, w = (each.detach() for each in given(edges))
    wrong = edges._replace(sender=edges.sender + NODES)
    with pytest.raises(IndexError, match=r"sender must be in \[0, 9\), the number of nodes"):
        steerable_sum(x, y, w, wrong, PATHS, backend="numba")
    with pytest.raises(IndexError, match=r"receiver must be in \[0, 1\), the number of nodes"):
        steerable_sum(x, y, w, edges, PATHS, num_nodes=1, backend="numba")
    with pytest.raises(IndexError, match="sender must be in .* got -1"):
        negative = edges._replace(sender=edges.sender.clamp(max=0) - 1)
        steerable_sum(x, y, w, negative, PATHS, backend="numba")
    with pytest.raises(TypeError, match="float32 or float64, on the CPU, got x with torch.float16"):
        steerable_sum(x.half(), y.half(), w.half(), edges, PATHS, backend="numba")
