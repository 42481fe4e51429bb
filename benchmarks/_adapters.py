"""Adapters of linear layers whose weights are shared, in place of low-rank updates.

    python -m benchmarks._adapters KIND <arguments of train.py, with adapter_rank>

trains with them; see `benchmarks.adapters`. Such a network cannot be published: only low-rank
updates are merged into weights.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from geozoo.tasks.low_rank import LowRankUpdate

KINDS = ("low_rank", "bone", "mos", "compacter")
#: Size of the blocks of Bone and of the shards of MoS.
SIZE = 32
#: Number of Kronecker products; and of layers' ranks that a pool of shards serves.
TIMES = 4


class Factors(nn.Module):
    """Left factors ``[number, number, number]`` of Kronecker products, for all layers."""

    def __init__(self, number: int = TIMES) -> None:
        super().__init__()
        self.left = nn.Parameter(torch.randn(number, number, number) / math.sqrt(number))


class KroneckerUpdate(nn.Module):
    r"""A weight plus a sum of Kronecker products with low-rank matrices.

    .. math:: W' = W + \sum_k A_k \otimes (B_k C_k)

    with factors :math:`A_k` that all layers share (Mahabadi et al., *Compacter*, NeurIPS 2021,
    there in adapters between the layers). :math:`B` is initially zero.
    """

    def __init__(self, shape: torch.Size, rank: int, factors: Factors) -> None:
        super().__init__()
        number = len(factors.left)
        self.factors = factors
        self.up = nn.Parameter(torch.zeros(number, shape[0] // number, rank))
        self.down = nn.Parameter(torch.empty(number, rank, shape[1] // number))
        for each in self.down:
            nn.init.kaiming_uniform_(each, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """The updated weight."""
        change = torch.einsum("kpq,kor,kri->poqi", self.factors.left, self.up, self.down)
        return weight + change.reshape(weight.shape)


class BlockUpdate(nn.Module):
    """Blocks ``W`` of a row of blocks become ``W + B W + B``, with one ``B`` per row.

    Block-affine adaptation (Kang, *Bone*, arXiv:2409.15371). ``B`` is initially zero.
    """

    def __init__(self, shape: torch.Size, size: int = SIZE) -> None:
        super().__init__()
        self.block = nn.Parameter(torch.zeros(shape[0] // size, size, size))

    def forward(self, weight: Tensor) -> Tensor:
        """The updated weight."""
        rows, size, _ = self.block.shape
        blocks = weight.reshape(rows, size, -1, size).transpose(1, 2)
        change = self.block[:, None] @ blocks + self.block[:, None]
        return weight + change.transpose(1, 2).reshape(weight.shape)


class Pool(nn.Module):
    """Shards of the low-rank factors of all layers; those of the left factor are zero."""

    def __init__(self, down: int, up: int, size: int = SIZE) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(down, size))
        self.up = nn.Parameter(torch.zeros(up, size))
        nn.init.uniform_(self.down, -0.07, 0.07)  # the range of a layer of about 200 inputs


class ShardUpdate(nn.Module):
    """A weight plus a low-rank matrix whose factors are put together from shards of a pool.

    Mixture of shards (Wang et al., *MoS*, ICLR 2025), without shards of a layer's own.

    Args:
        rank: rank of the matrix.
        pool: the shards.
        down: the shards of the right factor ``[rank, columns]``, row by row.
        up: those of the transposed left factor ``[rank, rows]``.
    """

    down: Tensor
    up: Tensor

    def __init__(self, rank: int, pool: Pool, down: Tensor, up: Tensor) -> None:
        super().__init__()
        self.rank, self.pool = rank, pool
        self.register_buffer("down", down)
        self.register_buffer("up", up)

    def forward(self, weight: Tensor) -> Tensor:
        """The updated weight."""
        up, down = self.pool.up[self.up], self.pool.down[self.down]
        return weight + up.reshape(self.rank, -1).T @ down.reshape(self.rank, -1)


def _pooled(shapes: dict[str, torch.Size], rank: int) -> dict[str, nn.Module]:
    """Updates from one pool, as large as updates of this rank; every shard is used equally often.

    The rank of the updates is a multiple of it, because layers share shards.
    """
    counts = [sum(shape[axis] for shape in shapes.values()) * rank // SIZE for axis in (1, 0)]
    pool, generator = Pool(*counts), torch.Generator().manual_seed(0)
    orders = [
        torch.cat([torch.randperm(count, generator=generator) for _ in range(TIMES)])
        for count in counts
    ]
    found: dict[str, nn.Module] = {}
    for name, shape in shapes.items():
        taken = [TIMES * rank * shape[axis] // SIZE for axis in (1, 0)]
        down, up = (order[:n].clone() for order, n in zip(orders, taken, strict=True))
        orders = [order[n:] for order, n in zip(orders, taken, strict=True)]
        found[name] = ShardUpdate(TIMES * rank, pool, down, up)
    return found


def adder(kind: str) -> Callable[..., list[str]]:
    """A function in place of `geozoo.tasks.low_rank.add_low_rank_updates`.

    Weights whose sizes are not multiples of the block size keep low-rank updates.

    Raises:
        ValueError: If the kind is unknown.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")

    def add(
        model: nn.Module, rank: int, *, chosen: Callable[[str], bool] = lambda name: True
    ) -> list[str]:
        layers = {
            name: layer
            for name, layer in model.named_modules()
            if isinstance(layer, nn.Linear) and chosen(name)
        }
        shapes = {
            name: layer.weight.shape
            for name, layer in layers.items()
            if not any(length % SIZE for length in layer.weight.shape)
        }
        updates: dict[str, nn.Module] = {}
        if kind == "bone":
            updates = {name: BlockUpdate(shape) for name, shape in shapes.items()}
        elif kind == "mos":
            updates = _pooled(shapes, rank)
        elif kind == "compacter":
            factors = Factors()
            updates = {k: KroneckerUpdate(shape, rank, factors) for k, shape in shapes.items()}
        for name, layer in layers.items():
            update = updates.get(name) or LowRankUpdate(*layer.weight.shape, rank=rank)
            update = update.to(layer.weight.device, layer.weight.dtype)
            parametrize.register_parametrization(layer, "weight", update)
        return list(layers)

    return add


def main() -> None:
    """Train with the adapters of the first argument."""
    from geozoo.cli.train import main as train
    from geozoo.runs import initial_weights

    initial_weights.add_low_rank_updates = adder(sys.argv.pop(1))
    train()


if __name__ == "__main__":
    main()
