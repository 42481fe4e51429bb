"""Point clouds and their noise."""

import torch
from clouds import make_cloud, make_points

from geozoo.diffusion import standard_noise


def test_position_noise_has_zero_mean_but_feature_noise_does_not() -> None:
    cloud = make_cloud((5, 2, 1))
    noise = standard_noise(make_points(cloud), cloud, torch.Generator().manual_seed(0))
    for graph in range(3):
        assert noise.pos[cloud.batch == graph].sum(0).abs().max() < 1e-12
    assert noise.pos[-1].abs().max() == 0  # a single point does not move
    assert noise.x.sum(0).abs().min() > 1e-3


def test_noise_is_standard_in_remaining_dimensions() -> None:
    cloud = make_cloud((3,) * 20_000)
    noise = standard_noise(make_points(cloud), cloud, torch.Generator().manual_seed(0))
    # (n - 1) of n directions
    assert abs(noise.pos.square().mean().item() - 2 / 3) < 0.01
    assert abs(noise.x.square().mean().item() - 1) < 0.01


def test_totals_and_broadcasting() -> None:
    cloud = make_cloud((2, 1))
    values = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert cloud.total(values).tolist() == [10.0, 11.0]
    assert cloud.spread(torch.tensor([7.0, 8.0])).tolist() == [[7.0], [7.0], [8.0]]
    assert cloud.counts.tolist() == [2, 1]
