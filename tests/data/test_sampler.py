"""Batch sampling."""

from __future__ import annotations

import pytest
import torch

from geozoo.data import EpochBatchSampler


def batches(num_graphs: int, batch_size: int, *, epoch: int = 0, **options) -> list[list[int]]:
    sampler = EpochBatchSampler(torch.arange(100, 100 + num_graphs), batch_size, **options)
    sampler.set_epoch(epoch)
    result = [batch.tolist() for batch in sampler]
    assert len(result) == len(sampler)
    return result


def test_order_is_a_function_of_seed_and_epoch() -> None:
    torch.manual_seed(0)
    first = batches(20, 3, shuffle=True, seed=5, epoch=2)
    torch.manual_seed(1)
    assert batches(20, 3, shuffle=True, seed=5, epoch=2) == first
    assert batches(20, 3, shuffle=True, seed=5, epoch=3) != first
    assert batches(20, 3, shuffle=True, seed=6, epoch=2) != first
    assert batches(20, 3, shuffle=True, seed=6, epoch=1) != first  # no sum of the two


def test_unshuffled_order_is_the_given_one_in_every_epoch() -> None:
    assert batches(5, 2, shuffle=False, epoch=4) == [[100, 101], [102, 103], [104]]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("num_graphs", [4, 7, 12, 13, 16, 24, 25])
@pytest.mark.parametrize("batch_size", [1, 3, 50])
@pytest.mark.parametrize("num_replicas", [1, 2, 4])
def test_ranks_share_every_graph_in_equally_many_batches(
    num_graphs: int, batch_size: int, num_replicas: int, shuffle: bool
) -> None:
    shards = [
        batches(num_graphs, batch_size, shuffle=shuffle, num_replicas=num_replicas, rank=rank)
        for rank in range(num_replicas)
    ]
    seen = [graph for shard in shards for batch in shard for graph in batch]
    assert sorted(seen) == list(range(100, 100 + num_graphs))
    assert len({len(shard) for shard in shards}) == 1
    assert all(batch for shard in shards for batch in shard)


def test_ranks_together_make_the_batches_of_a_single_process() -> None:
    single = batches(23, 8, shuffle=True, seed=3)
    shards = [batches(23, 4, shuffle=True, seed=3, num_replicas=2, rank=r) for r in (0, 1)]
    joined = [sorted(a + b) for a, b in zip(*shards, strict=True)]
    assert joined == [sorted(batch) for batch in single]


def test_evaluation_with_fewer_graphs_than_ranks_leaves_ranks_empty() -> None:
    shards = [batches(2, 5, shuffle=False, num_replicas=3, rank=rank) for rank in range(3)]
    assert shards == [[[100]], [[101]], []]


def test_training_with_fewer_graphs_than_ranks_is_rejected() -> None:
    with pytest.raises(ValueError, match="got 2 graphs for 3 ranks"):
        batches(2, 5, shuffle=True, num_replicas=3)


def test_resumed_order_continues_where_it_stopped() -> None:
    whole = batches(20, 3, shuffle=True, seed=1, epoch=4)
    sampler = EpochBatchSampler(torch.arange(100, 120), 3, shuffle=True, seed=1)
    sampler.load_state_dict({"epoch": 4, "batches_done": 2})
    sampler.set_epoch(4)
    assert [batch.tolist() for batch in sampler] == whole[2:]
    assert [batch.tolist() for batch in sampler] == whole  # only the first iteration is short


def test_state_at_the_end_of_an_epoch_leads_to_the_next() -> None:
    sampler = EpochBatchSampler(torch.arange(100, 120), 3, shuffle=True, seed=1)
    sampler.load_state_dict({"epoch": 4, "batches_done": len(sampler)})
    assert [b.tolist() for b in sampler] == batches(20, 3, shuffle=True, seed=1, epoch=5)


def test_another_epoch_forgets_the_position() -> None:
    sampler = EpochBatchSampler(torch.arange(100, 120), 3, shuffle=True, seed=1)
    sampler.load_state_dict({"epoch": 4, "batches_done": 2})
    sampler.set_epoch(5)
    assert [b.tolist() for b in sampler] == batches(20, 3, shuffle=True, seed=1, epoch=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"rank": 2, "num_replicas": 2}, "rank must be in 0..1, got 2"),
        ({"rank": -1}, "rank must be in 0..0, got -1"),
    ],
)
def test_wrong_arguments_are_rejected(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EpochBatchSampler(torch.arange(5), **{"batch_size": 2, "shuffle": True, **options})
