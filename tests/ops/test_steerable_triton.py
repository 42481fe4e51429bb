"""Triton kernels of steerable sums against the equation as written.

On the CPU they run in Triton's interpreter, which is chosen when a kernel is generated.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path as File

import pytest
import torch
from torch import Tensor

from geozoo.ops.steerable import EdgeRows, Path, SteerablePaths, steerable_sum
from geozoo.ops.steerable._triton_source import Array
from geozoo.ops.steerable.sum import SumBackend

pytest.importorskip("e3nn.o3")
needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed"
)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
BACKENDS: tuple[SumBackend, ...] = ("triton", "torch")
# Blocks wider than their paths, a constant harmonic, an odd scalar, and two paths with one output.
PATHS = SteerablePaths(
    (
        Path((0, 0, 0), x=0, y=0, w=0, out=0, channels=3, x_stride=3, out_stride=5, scale=0.5),
        Path((1, 1, 0), x=3, y=1, w=3, out=3, channels=2, x_stride=2, out_stride=5, scale=-1.5),
        Path((1, 1, 1), x=3, y=1, w=5, out=6, channels=2, x_stride=2, out_stride=3, scale=2.0),
        Path((1, 0, 1), x=3, y=None, w=7, out=6, channels=2, x_stride=2, out_stride=3, scale=0.7),
        Path((0, 0, 0), x=0, y=0, w=9, out=0, channels=3, x_stride=3, out_stride=5, scale=1.1,
             is_odd=True),
    ),
    x_width=9, y_width=4, w_width=12, out_width=15,
)  # fmt: skip
# Outputs that overlap in part: no kernel may add both.
OVERLAPPING = SteerablePaths(
    tuple(
        Path((1, 1, 0), x=0, y=0, w=w, out=w, channels=2, x_stride=2, out_stride=2, scale=1.0)
        for w in range(2)
    ),
    x_width=6, y_width=3, w_width=3, out_width=3,
)  # fmt: skip


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Kernels run in Triton's interpreter, and are generated anew if their sizes are changed."""
    pytest.importorskip("triton")
    from geozoo.ops.steerable import _triton_run

    monkeypatch.setenv("TRITON_INTERPRET", "1")
    _triton_run._kernels.cache_clear()
    yield monkeypatch
    _triton_run._kernels.cache_clear()


def made(kind: str, device: str = "cpu") -> EdgeRows:
    """Edges with self-images and repeated ones; node 4 has none."""
    pairs = torch.tensor([[0, 0, 1, 2, 2], [1, 2, 1, 0, 3]], device=device)
    return EdgeRows.of_pairs(pairs) if kind == "pairs" else EdgeRows.of(*pairs)


def given(edges: EdgeRows, paths: SteerablePaths, device: str = "cpu") -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    widths = (4, paths.x_width), (edges.num_rows, paths.y_width), (edges.num_rows, paths.w_width)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).to(device).requires_grad_()
        for shape in widths
    ]


def summed(
    inputs: Sequence[Tensor], edges: EdgeRows, paths: SteerablePaths = PATHS, *,
    backend: SumBackend = "triton", num_nodes: int | None = None,
) -> Tensor:  # fmt: skip
    x, y, w = inputs
    return steerable_sum(x, y, w, edges, paths, num_nodes=num_nodes, backend=backend)


def derivatives(function: Callable[..., Tensor], inputs: list[Tensor], order: int) -> list[Tensor]:
    """Value and derivatives, those above the first along fixed directions."""
    value = function(inputs)
    found, total = [value], value.square().sum()
    for _ in range(order):
        grads = torch.autograd.grad(total, inputs, create_graph=True)
        found += grads
        parts = [((each + 0.1) * each.detach().roll(1, 0)).square().sum() for each in grads]
        total = torch.stack(parts).sum()
    return found


def assert_equal_to_the_equation(
    edges: EdgeRows, paths: SteerablePaths = PATHS, *, order: int = 2, device: str = "cpu"
) -> None:
    inputs = given(edges, paths, device)

    found, expected = (
        derivatives(
            partial(summed, edges=edges, paths=paths, backend=b, num_nodes=5), inputs, order
        )
        for b in BACKENDS
    )
    for one, other in zip(found, expected, strict=True):
        size = float(other.detach().abs().max())
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12 * size)


@pytest.mark.parametrize("kind", ["edges", "pairs"])
def test_values_and_derivatives_are_those_of_the_equation(
    kind: str, interpreted: pytest.MonkeyPatch
) -> None:
    assert_equal_to_the_equation(made(kind))


@pytest.mark.thorough
def test_third_derivatives_are_kernels_too(interpreted: pytest.MonkeyPatch) -> None:
    assert_equal_to_the_equation(made("pairs"), order=3)


def test_overlapping_outputs_are_added(interpreted: pytest.MonkeyPatch) -> None:
    assert_equal_to_the_equation(made("pairs"), OVERLAPPING)


def test_many_channels_and_long_lists_are_divided(interpreted: pytest.MonkeyPatch) -> None:
    from geozoo.ops.steerable import _triton_run, _triton_source

    assert len(_triton_source.groups_of(PATHS, "w")) == 2  # numbers of channels
    interpreted.setattr(_triton_source, "_MAX_SUMS", 3)
    interpreted.setattr(_triton_run, "_MAX_CHANNELS", 2)
    assert len(_triton_source.groups_of(PATHS, "g")) == 3
    assert_equal_to_the_equation(made("pairs"), order=1)


@pytest.mark.thorough
def test_the_paths_of_a_convolution(interpreted: pytest.MonkeyPatch) -> None:
    assert_equal_to_the_equation(made("pairs"), paths_of_nequip(2), order=1)


def paths_of_nequip(channels: int) -> SteerablePaths:
    from geozoo.nn.steerable import TensorProductConv

    irreps = "+".join(f"{channels}x{degree}{parity}" for degree in range(3) for parity in "eo")
    return TensorProductConv(irreps, irreps, degree=2, basis_channels=4).paths


def test_single_precision_is_that_of_the_inputs(interpreted: pytest.MonkeyPatch) -> None:
    edges = made("pairs")
    x, y, w = (each.detach() for each in given(edges, PATHS))
    out = summed((x.float(), y.float(), w.float()), edges)
    assert out.dtype == torch.float32
    expected = summed((x, y, w), edges, backend="torch")
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=1e-5)
    mixed = summed((x.float(), y, w.half()), edges)
    assert mixed.dtype == torch.float64


def test_no_edges_and_no_rows_give_zeros(interpreted: pytest.MonkeyPatch) -> None:
    none = torch.zeros(0, dtype=torch.int64)
    inputs = given(EdgeRows.of(none, none), PATHS)
    out = summed(inputs, EdgeRows.of(none, none), num_nodes=2)
    assert out.shape == (2, 15) and not out.any()
    grads = torch.autograd.grad(out.sum(), inputs)
    assert [each.shape for each in grads] == [each.shape for each in inputs]
    assert not grads[0].any()


def test_nan_stays_nan_and_only_where_it_is(interpreted: pytest.MonkeyPatch) -> None:
    edges = made("edges")
    x, y, w = (each.detach().clone() for each in given(edges, PATHS))
    w[0] = torch.nan
    out = summed((x, y, w), edges)
    expected = summed((x, y, w), edges, backend="torch")
    assert torch.equal(out.isnan().any(1), expected.isnan().any(1))


def test_edges_that_change_in_place_are_sorted_again(interpreted: pytest.MonkeyPatch) -> None:
    edges = made("edges")
    inputs = given(edges, PATHS)
    summed(inputs, edges)
    edges.receiver.copy_(edges.receiver.flip(0))
    found = summed(inputs, edges)
    torch.testing.assert_close(found, summed(inputs, edges, backend="torch"))


def test_wrong_inputs_are_named(interpreted: pytest.MonkeyPatch) -> None:
    edges = made("edges")
    x, y, w = given(edges, PATHS)
    for array, name in ((edges.sender, "sender"), (edges.receiver, "receiver")):
        array[1] += 7
        with pytest.raises(IndexError, match=rf"{name} must be in \[0, 4\), the number of nodes"):
            summed((x, y, w), edges)
        array[1] -= 7
    with pytest.raises(IndexError, match=r"rows must be in \[0, 3\), the number of rows, got 4"):
        summed((x, y[:3], w[:3]), edges)
    half = [each.half() for each in (x, y, w)]
    with pytest.raises(TypeError, match="requires float32 or float64, got torch.float16"):
        summed(half, edges)
    with pytest.raises(ValueError, match="requires tensors on a GPU .* got y on meta"):
        summed((x, y.to("meta"), w), edges)


def test_triton_needs_a_gpu_and_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from geozoo.ops.steerable import _triton_run

    edges = made("edges")
    inputs = given(edges, PATHS)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(_triton_run.importlib.util, "find_spec", lambda name: name)
    with pytest.raises(ValueError, match="requires tensors on a GPU .* got x on cpu"):
        summed(inputs, edges)
    monkeypatch.setattr(_triton_run.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match='backend="triton" requires Triton: pip install triton'):
        summed(inputs, edges)


def test_programs_are_not_traced(interpreted: pytest.MonkeyPatch) -> None:
    from torch.fx.experimental.proxy_tensor import make_fx

    edges = made("edges")
    inputs = [each.detach() for each in given(edges, PATHS)]
    with pytest.raises(ValueError, match='backend="triton" cannot be traced or exported'):
        make_fx(lambda *arrays: summed(arrays, edges))(*inputs)


@needs_triton
@pytest.mark.thorough
@pytest.mark.parametrize("target", ["x", "y", "w", "g"])
def test_kernels_compile_for_a_gpu(
    target: Array, monkeypatch: pytest.MonkeyPatch, tmp_path: File
) -> None:
    """The interpreter accepts more than the compiler, which needs no GPU."""
    import triton
    from triton import language
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from geozoo.ops.steerable import _triton_run

    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    for real, dtype in (("fp32", language.float32), ("fp64", language.float64)):
        for kernel, _ in _triton_run._kernels(PATHS, target, False):
            names = kernel.arg_names[:-2]
            types = {n: f"*{real}" if n in ("x", "y", "w", "g", "out") else "*i64" for n in names}
            constants = {"CHANNELS": 32, "REAL": dtype}
            source = ASTSource(
                kernel, {**types, **dict.fromkeys(constants, "constexpr")}, constexprs=constants
            )
            options = {"num_warps": 1, "enable_fp_fusion": True}
            made_code = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
            assert ".visible .entry kernel" in made_code.asm["ptx"]
            if real == "fp64":  # coefficients are not rounded to float32
                assert "f32" not in made_code.asm["ttir"]


@needs_triton
@needs_gpu
@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["edges", "pairs"])
def test_values_and_derivatives_on_a_gpu(kind: str) -> None:
    assert_equal_to_the_equation(made(kind, "cuda"), order=3, device="cuda")
    assert_equal_to_the_equation(made(kind, "cuda"), OVERLAPPING, device="cuda")


@needs_triton
@needs_gpu
@pytest.mark.gpu
def test_sums_on_a_gpu_are_the_same_in_every_run() -> None:
    paths = paths_of_nequip(32)
    generator = torch.Generator().manual_seed(0)
    pairs = torch.randint(0, 4, (2, 500), generator=generator).cuda()
    edges = EdgeRows.of_pairs(pairs)
    inputs = [each.detach().float() for each in given(edges, paths, "cuda")]
    first = summed(inputs, edges, paths)
    for _ in range(5):
        assert torch.equal(first, summed(inputs, edges, paths))


@needs_triton
@needs_gpu
@pytest.mark.gpu
def test_captured_sums_follow_their_edges() -> None:
    edges = made("pairs", "cuda")
    inputs = [each.detach() for each in given(edges, PATHS, "cuda")]
    summed(inputs, edges)  # compiles
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = summed(inputs, edges)
    edges.receiver.copy_(edges.receiver.flip(0))
    graph.replay()
    torch.testing.assert_close(out, summed(inputs, edges, backend="torch"))
