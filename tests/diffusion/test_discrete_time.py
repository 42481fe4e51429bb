"""Diffusion in discrete time: schedule, loss, likelihood, sampler."""

from __future__ import annotations

import math

import pytest
import torch
from clouds import equivariant_network, make_cloud, make_points
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from geozoo.diffusion import (
    Cloud,
    DiscreteDiffusion,
    Points,
    PolynomialSchedule,
    discrete_time,
    standard_noise,
)
from geozoo.geometry import random_rotations


def clean_points(process: DiscreteDiffusion, cloud: Cloud, seed: int = 0) -> Points:
    points = make_points(cloud, seed=seed)
    return Points(points.pos, process.scale(points.x))


def test_polynomial_schedule() -> None:
    schedule = PolynomialSchedule(1000)
    gamma = schedule.gamma
    time = torch.linspace(0, 1, 1001, dtype=torch.float64)
    expected = (1 - 2e-5) * (1 - time**2) ** 2 + 1e-5
    # except near the end, where ratios are clipped
    torch.testing.assert_close(schedule.alpha(gamma).square()[:960], expected[:960])
    torch.testing.assert_close(
        schedule.alpha(gamma).square() + schedule.sigma(gamma).square(), torch.ones(1001).double()
    )
    assert (gamma[1:] > gamma[:-1]).all()
    assert schedule.sigma(gamma[0]).item() == pytest.approx(math.sqrt(1e-5), rel=1e-6)


def test_transitions_compose() -> None:
    schedule = PolynomialSchedule(50)
    gamma = schedule.gamma
    alpha, variance = schedule.between(gamma[10], gamma[30])
    torch.testing.assert_close(alpha, schedule.alpha(gamma[30]) / schedule.alpha(gamma[10]))
    expected = schedule.sigma(gamma[30]) ** 2 - alpha**2 * schedule.sigma(gamma[10]) ** 2
    torch.testing.assert_close(variance, expected)


def test_loss_is_half_the_squared_error_of_the_noise() -> None:
    process, cloud = DiscreteDiffusion(max_points=10), make_cloud((3, 2))
    clean, noise = clean_points(process, cloud), make_points(cloud, seed=1)
    step = torch.tensor([400, 7])
    silent = lambda points, level: points.scaled(0.0)  # noqa: E731
    parts = process.loss(silent, clean, cloud, step, noise)
    expected = cloud.total(noise.pos.square()) + cloud.total(noise.x.square())
    torch.testing.assert_close(parts["loss"], 0.5 * expected / (10 * 9))


def test_likelihood_is_sum_of_kl_divergences() -> None:
    """The weight of a step equals the KL divergence between the two normal distributions."""
    process, cloud = DiscreteDiffusion(20), make_cloud((3,))
    schedule, t = process.schedule, 9
    clean, noise = clean_points(process, cloud), make_points(cloud, seed=1)
    step = torch.tensor([t])
    noisy = process.noised(clean, step, noise, cloud)
    network = equivariant_network(cloud)
    guess = process.predict_noise(network, noisy, step, cloud)
    gamma_s, gamma_t = schedule.gamma[t - 1], schedule.gamma[t]
    alpha, variance = schedule.between(gamma_s, gamma_t)
    sigma_s, sigma_t = schedule.sigma(gamma_s), schedule.sigma(gamma_t)

    def law(x_hat: Tensor, z: Tensor) -> Normal:
        """q(z_s | z_t, x), the textbook posterior."""
        mean = (
            alpha * sigma_s**2 / sigma_t**2 * z
            + schedule.alpha(gamma_s) * variance / sigma_t**2 * x_hat
        )
        return Normal(mean, variance.sqrt() * sigma_s / sigma_t)

    total = 0.0
    for name in ("pos", "x"):
        z = getattr(noisy, name)
        guessed = (z - sigma_t * getattr(guess, name)) / schedule.alpha(gamma_t)
        total += kl_divergence(law(getattr(clean, name), z), law(guessed, z)).sum()
    zero = make_points(cloud, seed=2)
    nll = process.negative_log_likelihood(network, clean, cloud, step, (noise, zero))
    rest = process._prior(clean, cloud) + process._last(network, clean, cloud, zero)
    torch.testing.assert_close((nll - rest)[0], process.num_steps * total)


def test_prior_is_kl_from_standard_normal() -> None:
    process, cloud = DiscreteDiffusion(5), make_cloud((1,))
    clean = clean_points(process, cloud)
    gamma = process.schedule.gamma[-1]
    noised = Normal(process.schedule.alpha(gamma) * clean.x, process.schedule.sigma(gamma).double())
    expected = kl_divergence(noised, Normal(torch.zeros(6).double(), torch.ones(6).double())).sum()
    # a single point has no free position
    torch.testing.assert_close(process._prior(clean, cloud)[0], expected)


def test_last_step_is_minimal_at_true_class_and_number() -> None:
    process, cloud = DiscreteDiffusion(), make_cloud((4,))
    clean = clean_points(process, cloud)
    right = process._feature_cost(clean, clean, cloud)
    assert right.item() == pytest.approx(0.0, abs=1e-6)
    shifted = Points(clean.pos, clean.x.roll(1, 0))
    assert process._feature_cost(clean, shifted, cloud).item() > 10


def test_class_probabilities_are_normalised() -> None:
    process = DiscreteDiffusion(precision=1e-3, class_scale=1.0, number_scale=None)
    cloud = make_cloud((1,))
    noisy = Points(torch.zeros(1, 3).double(), torch.tensor([[0.4, 0.6, 0.1]]).double())
    total = 0.0
    for kind in range(3):
        clean = Points(noisy.pos, torch.eye(3).double()[kind : kind + 1])
        total += math.exp(-process._feature_cost(clean, noisy, cloud).item())
    assert total == pytest.approx(1.0, rel=1e-6)


def test_sampler_keeps_variance_of_normal_data() -> None:
    """For standard normal data the expected noise in z is sigma z."""
    process, cloud = DiscreteDiffusion(1000), make_cloud((3000,))
    schedule = process.schedule

    def exact(points: Points, level: Tensor) -> Points:
        step = (level * process.num_steps).round().long()
        return points.scaled(schedule.sigma(schedule.at(step)).item())

    drawn = process.sample(exact, make_points(cloud), cloud, torch.Generator().manual_seed(0))
    assert drawn.x.std().item() == pytest.approx(1.0, abs=0.02)
    assert drawn.pos.std().item() == pytest.approx(1.0, abs=0.02)


def test_rotated_noise_gives_rotated_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud, process = make_cloud(), DiscreteDiffusion(10)
    like, network = make_points(cloud), equivariant_network(cloud)
    turn = random_rotations(1, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)[
        0
    ]
    straight = process.sample(network, like, cloud, torch.Generator().manual_seed(1))

    def turned(like: Points, cloud: Cloud, generator: torch.Generator) -> Points:
        noise = standard_noise(like, cloud, generator)
        return Points(noise.pos @ turn.T, noise.x)

    monkeypatch.setattr(discrete_time, "standard_noise", turned)
    other = process.sample(network, like, cloud, torch.Generator().manual_seed(1))
    scale = straight.pos.abs().max()
    torch.testing.assert_close(other.pos / scale, straight.pos @ turn.T / scale, atol=1e-9, rtol=0)


def test_classes_ignore_the_number() -> None:
    process = DiscreteDiffusion()
    x = torch.tensor([[0.1, 0.2, 0.0, 0.0, 0.0, 9.0]])
    assert process.classes(x).tolist() == [1]
    assert process.scale(torch.ones(1, 6)).tolist() == [[0.25] * 5 + [pytest.approx(0.1)]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_scale": 0.01}, "class_scale must be at least 8 sigma_0 = 0.0253, got 0.01"),
        ({"number_scale": 0.01}, "number_scale must be at least"),
        ({"num_steps": 0}, "num_steps must be at least 1"),
        ({"precision": 0.6}, "precision must be between"),
        ({"max_points": 0}, "max_points must be at least 1"),
    ],
)
def test_invalid_sizes_raise(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DiscreteDiffusion(**options)
