"""Fused kernel sums equal the plain form, including all derivatives.

The Triton kernels run in Triton's interpreter, in a process of its own: whether there is one is
settled when they are defined.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from geozoo.ops import kernel_sum, scatter, sort_edges

HERE = Path(__file__).parent
#: Nodes, edges, orientations (0: no such axis), channels, basis functions.
SIZES = [(5, 17, 3, 7, 5), (1, 4, 6, 16, 40), (4, 9, 0, 5, 3), (6, 0, 2, 4, 4), (3, 40, 33, 70, 2)]


def problem(sizes: tuple[int, ...], device: str = "cpu", dtype: torch.dtype = torch.float64):
    """Basis, weight, features, edges; some nodes have no edge."""
    num_nodes, num_edges, orientations, channels, num_basis = sizes
    generator = torch.Generator().manual_seed(num_edges)
    middle = (orientations,) if orientations else ()

    def random(*shape: int) -> torch.Tensor:
        values = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return values.to(device, dtype).requires_grad_()

    edge_index = torch.randint(0, num_nodes, (2, num_edges), generator=generator).to(device)
    basis, x = random(num_edges, *middle, num_basis), random(num_nodes, *middle, channels)
    return basis, random(channels, num_basis), x, edge_index


def derivatives(function, arguments):
    """Values, first derivatives, and derivatives of a function of the first derivatives."""
    out = function(*arguments)
    options = {"create_graph": True, "allow_unused": True, "materialize_grads": True}
    first = torch.autograd.grad((out * out + out).sum(), arguments, **options)
    loss = sum(part.square().sum() + part.sum() for part in first)
    return [out, *first, *torch.autograd.grad(loss, arguments, **options)]


def assert_equal_to_plain(sizes, device="cpu", dtype=torch.float64, **tolerance):
    *arguments, edge_index = problem(sizes, device, dtype)
    num_nodes = sizes[0]
    edges = sort_edges(edge_index, num_nodes)

    def plain(basis, weight, x):
        message = functional.linear(basis, weight) * x.index_select(0, edge_index[0])
        return scatter(message, edge_index[1], num_nodes)

    found = derivatives(lambda *given: kernel_sum(*given, edges), arguments)
    for actual, expected in zip(found, derivatives(plain, arguments), strict=True):
        torch.testing.assert_close(actual, expected, **tolerance or {"rtol": 1e-9, "atol": 1e-9})


def assert_as_accurate_as_plain(sizes, device="cpu"):
    """In float32 the error against float64 is at most a factor above that of the plain form."""
    results = []
    for dtype, is_plain in ((torch.float64, True), (torch.float32, True), (torch.float32, False)):
        *arguments, edge_index = problem(sizes, device, dtype)
        edges = sort_edges(edge_index, sizes[0])

        def plain(basis, weight, x, edge_index=edge_index):
            message = functional.linear(basis, weight) * x.index_select(0, edge_index[0])
            return scatter(message, edge_index[1], sizes[0])

        def ours(*given, edges=edges):
            return kernel_sum(*given, edges)

        results.append(derivatives(plain if is_plain else ours, arguments))
    for exact, theirs, mine in zip(*results, strict=True):
        error = [(each.double() - exact).norm() for each in (theirs, mine)]
        assert error[1] <= 4 * error[0] + 1e-6 * exact.norm()


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_float32_is_as_accurate_as_the_plain_sum(sizes):
    assert_as_accurate_as_plain(sizes)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_plain_sum_without_triton(sizes):
    assert_equal_to_plain(sizes)


@pytest.mark.thorough
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs Triton")
def test_triton_kernels_agree_in_the_interpreter():
    code = (
        "import test_kernel_sum as t\n"
        "from geozoo.ops.kernel_sum import _has_triton\n"
        "assert _has_triton('cpu')\n"
        "for sizes in t.SIZES: t.assert_equal_to_plain(sizes)\n"
        "t.assert_models_agree('cpu')\n"
    )
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": _search_path()}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _search_path() -> str:
    parts = [str(HERE), str(HERE.parent / "models"), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(part for part in parts if part)


def assert_models_agree(device: str) -> None:
    """Compare whole networks, forces included, with the textbook form."""
    from ponita_cases import batch_of, build

    for representation, options in (
        ("bundle", {}), ("frames", {"num_orientations": 12}), ("position", {}),
        ("position", {"depthwise": False}), ("bundle", {"radius": 1.5, "recompute": True}),
    ):  # fmt: skip
        models = [build(representation, backend=b, **options) for b in ("triton", "textbook")]
        models[1].load_state_dict(models[0].state_dict())
        results = []
        for model in models:
            given = batch_of([3, 1, 2], model=model)
            given = {k: v.to(device) if torch.is_tensor(v) else v for k, v in given.items()}
            given["pos"].requires_grad_()
            scalar = model.to(device)(**given).scalar
            (force,) = torch.autograd.grad(scalar.square().sum(), given["pos"], create_graph=True)
            weights = list(model.parameters())
            gradients = torch.autograd.grad(
                force.square().sum(), weights, allow_unused=True, materialize_grads=True
            )
            results.append([scalar, force, *gradients])
        for actual, expected in zip(*results, strict=True):
            torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_triton_kernels_agree_on_a_gpu(sizes):
    assert_equal_to_plain(sizes, "cuda")
    assert_as_accurate_as_plain(sizes, "cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_networks_agree_on_a_gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE.parent / "models"))
    assert_models_agree("cuda")


def test_missing_triton_is_logged_once(caplog, monkeypatch):
    from geozoo.ops.kernel_sum import _has_triton

    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    _has_triton.cache_clear()
    *arguments, edge_index = problem(SIZES[0])
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            kernel_sum(*arguments, sort_edges(edge_index, SIZES[0][0]))
    _has_triton.cache_clear()
    assert [r.getMessage() for r in caplog.records] == [
        "Triton is not available for device 'cpu': kernels and sums over edges are not fused"
    ]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"x": torch.zeros(4, 3, 7)}, r"x must be \[5, C\] or \[5, O, C\], got \(4, 3, 7\)"),
        ({"basis": torch.zeros(17, 2, 5)}, r"basis must have the leading axes \(17, 3\), got"),
        ({"weight": torch.zeros(7, 6)}, r"weight must be \(7, 5\), got \(7, 6\)"),
    ],
)
def test_mismatched_shapes_raise(wrong, message):
    basis, weight, x, edge_index = problem(SIZES[0])
    given = {"basis": basis, "weight": weight, "x": x} | wrong
    with pytest.raises(ValueError, match=message):
        kernel_sum(**given, edges=sort_edges(edge_index, 5))
