"""Diffusion with continuous noise levels."""

from __future__ import annotations

import math

import pytest
import torch
from clouds import equivariant_network, make_cloud, make_points
from torch import Tensor

from geozoo.diffusion import Cloud, KarrasDiffusion, Points, karras, standard_noise
from geozoo.geometry import random_rotations


def gaussian_denoiser(process: KarrasDiffusion, spread: float):
    """A network whose denoiser is exact for normal data: D = y spread^2/(spread^2 + s^2)."""

    def call(points: Points, level: Tensor) -> Points:
        sigma = (4 * level).exp()[:, None][torch.zeros(len(points.x), dtype=torch.int64)]
        data = process.sigma_data
        scale = (sigma**2 + data**2).sqrt()
        wanted = spread**2 / (spread**2 + sigma**2) - data**2 / scale**2
        # F = c_in y - network must be wanted * y / c_out, with y = given * scale
        share = 1 - wanted * scale / (sigma * data / scale)
        return points.scaled(share)

    return call


def test_denoiser_limits_of_low_and_high_noise() -> None:
    process, cloud = KarrasDiffusion(), make_cloud()
    points = make_points(cloud)
    silent = lambda given, level: given.scaled(0.0)  # noqa: E731
    small = process.denoise(silent, points, torch.full((3,), 1e-6).double(), cloud)
    torch.testing.assert_close(small.x, points.x, atol=1e-5, rtol=1e-5)
    # network 0: D = c_skip y + c_out c_in y = (s^2 + sigma s) / (sigma^2 + s^2) y
    large = process.denoise(silent, points, torch.full((3,), 3.0).double(), cloud)
    torch.testing.assert_close(large.pos, points.pos * (1 + 3.0) / 10.0)


def test_loss_is_weighted_denoising_error() -> None:
    process, cloud = KarrasDiffusion(sigma_data=0.5), make_cloud((3, 2))
    clean, noise = make_points(cloud), make_points(cloud, seed=1)
    sigma = torch.tensor([0.3, 1.7], dtype=torch.float64)
    network = equivariant_network(cloud)
    parts = process.loss(network, clean, cloud, sigma, noise)
    noisy = Points(
        clean.pos + sigma[cloud.batch, None] * noise.pos,
        clean.x + sigma[cloud.batch, None] * noise.x,
    )
    denoised = process.denoise(network, noisy, sigma, cloud)
    for graph in range(2):
        s = float(sigma[graph])
        weight = (s**2 + 0.25) / (s * 0.5) ** 2
        mine = cloud.batch == graph
        expected = weight * (denoised.pos - clean.pos)[mine].square().mean()
        torch.testing.assert_close(parts["positions"][graph], expected)
    torch.testing.assert_close(parts["loss"], parts["positions"] + parts["features"])


def test_weight_can_be_bounded() -> None:
    cloud = make_cloud((3,))
    clean, noise = make_points(cloud), make_points(cloud, seed=1)
    sigma = torch.tensor([1e-3], dtype=torch.float64)
    free, bounded = (
        KarrasDiffusion(max_weight=bound).loss(
            equivariant_network(cloud), clean, cloud, sigma, noise
        )["loss"]
        for bound in (None, 1000.0)
    )
    assert (free / bounded).item() == pytest.approx((1e-6 + 1) / 1e-6 / 1000)


def test_noise_levels_match_the_paper() -> None:
    levels = KarrasDiffusion(num_steps=5, sigma_min=0.01, sigma_max=2.0, rho=3.0).levels()
    expected = [(2 ** (1 / 3) + i / 4 * (0.01 ** (1 / 3) - 2 ** (1 / 3))) ** 3 for i in range(5)]
    assert levels.tolist() == pytest.approx([*expected, 0.0])


def test_training_noise_levels_are_log_normal() -> None:
    levels = KarrasDiffusion().draw_levels(100_000, torch.Generator().manual_seed(0)).log()
    assert levels.mean().item() == pytest.approx(-1.2, abs=0.02)
    assert levels.std().item() == pytest.approx(1.2, abs=0.02)


def test_deterministic_sampler_matches_exact_flow_of_normal_data() -> None:
    spread, cloud = 0.7, make_cloud((6,))
    process = KarrasDiffusion(churn=0.0, num_steps=200)
    like = make_points(cloud)
    start = standard_noise(like, cloud, torch.Generator().manual_seed(5))
    drawn = process.sample(
        gaussian_denoiser(process, spread), like, cloud, torch.Generator().manual_seed(5)
    )
    shrink = spread / math.sqrt(spread**2 + process.sigma_max**2)
    torch.testing.assert_close(drawn.x, start.x * shrink, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(drawn.pos, start.pos * shrink, rtol=1e-3, atol=1e-4)


def test_second_order_converges_faster_than_first() -> None:
    spread, cloud = 0.7, make_cloud((6,))
    like = make_points(cloud)

    def error(steps: int) -> float:
        process = KarrasDiffusion(churn=0.0, num_steps=steps, sigma_min=1e-4)
        start = standard_noise(like, cloud, torch.Generator().manual_seed(5))
        drawn = process.sample(
            gaussian_denoiser(process, spread), like, cloud, torch.Generator().manual_seed(5)
        )
        # the last, first-order step is short enough to be negligible
        exact = spread / math.sqrt(spread**2 + 1)
        return float((drawn.x - start.x * exact).abs().max())

    assert error(80) < error(20) / 6


def test_stochastic_sampler_keeps_variance_of_normal_data() -> None:
    spread, cloud = 0.7, make_cloud((3000,))
    process = KarrasDiffusion(sigma_max=20.0, churn=30.0, num_steps=60)
    drawn = process.sample(
        gaussian_denoiser(process, spread),
        make_points(cloud),
        cloud,
        torch.Generator().manual_seed(0),
    )
    assert drawn.x.std().item() == pytest.approx(spread, rel=0.03)
    assert drawn.pos.std().item() == pytest.approx(spread, rel=0.03)


def test_rotated_noise_gives_rotated_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud, process = make_cloud(), KarrasDiffusion(num_steps=10)
    like, network = make_points(cloud), equivariant_network(cloud)
    turn = random_rotations(1, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)[
        0
    ]
    straight = process.sample(network, like, cloud, torch.Generator().manual_seed(1))

    def turned(like: Points, cloud: Cloud, generator: torch.Generator) -> Points:
        noise = standard_noise(like, cloud, generator)
        return Points(noise.pos @ turn.T, noise.x)

    monkeypatch.setattr(karras, "standard_noise", turned)
    other = process.sample(network, like, cloud, torch.Generator().manual_seed(1))
    torch.testing.assert_close(other.pos, straight.pos @ turn.T, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(other.x, straight.x, atol=1e-9, rtol=1e-9)


def test_progress_and_centre() -> None:
    cloud, process = make_cloud(), KarrasDiffusion(num_steps=4)
    done: list[int] = []
    drawn = process.sample(
        equivariant_network(cloud), make_points(cloud), cloud, torch.Generator(), done.append
    )
    assert done == [1] * process.num_steps
    assert cloud.center(drawn.pos).allclose(drawn.pos)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma_data": 0.0}, "sigma_data must be positive, got 0.0"),
        ({"sigma_min": 2.0}, "sigma_max must exceed sigma_min=2.0, got 1.0"),
        ({"num_steps": 0}, "num_steps must be positive"),
        ({"churn": -1.0}, "churn must not be negative"),
        ({"class_scale": 0.0}, "class_scale must be positive"),
        ({"number_scale": 1e300}, "number_scale must be at most 1e\\+06, got 1e\\+300"),
        ({"log_mean": float("nan")}, "log_mean must be in -10..10, got nan"),
        ({"log_mean": -20}, "log_mean must be in -10..10, got -20"),
        ({"log_std": 1e300}, "log_std must be at most 5"),
        ({"max_weight": float("nan")}, "max_weight must be positive, got nan"),
    ],
)
def test_invalid_sizes_raise(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KarrasDiffusion(**options)
