import pytest
import torch

from geozoo.ops import offsets, ragged_arange

CASES = [([0, 5, 9], [3, 0, 2]), ([7], [1]), ([], []), ([4, 4], [0, 0])]


@pytest.mark.parametrize(("starts", "lengths"), CASES)
@pytest.mark.parametrize("give_total", [False, True])
def test_ragged_arange_equals_a_loop(starts, lengths, give_total):
    expected = [i for s, n in zip(starts, lengths, strict=True) for i in range(s, s + n)]
    total = sum(lengths) if give_total else None
    start, length = (torch.tensor(v, dtype=torch.int64) for v in (starts, lengths))
    assert ragged_arange(start, length, total=total).tolist() == expected


@pytest.mark.parametrize("lengths", [[2, 0, 3], [], [0]])
def test_offsets_are_cumulative_sums(lengths):
    expected = [sum(lengths[:i]) for i in range(len(lengths) + 1)]
    assert offsets(torch.tensor(lengths, dtype=torch.int64)).tolist() == expected
