"""Denoising diffusion with continuous noise levels and a preconditioned network (EDM design)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.diffusion.points import Cloud, Network, Points, Progress, standard_noise
from geozoo.diffusion.process import Diffusion

#: Up to six standard deviations from the mean, squared noise levels stay in the float32 range.
_LARGEST_LOG_MEAN, _LARGEST_LOG_STD = 10, 5


class KarrasDiffusion(Diffusion):
    r"""Variance-exploding diffusion in the design of Karras et al.

    Noisy data :math:`y = x + \sigma \epsilon` are denoised by

    .. math:: D(y; \sigma) = c_\mathrm{skip}\, y + c_\mathrm{out}\, F(c_\mathrm{in} y;
        c_\mathrm{noise})

    with :math:`c_\mathrm{skip} = s^2 / (\sigma^2 + s^2)`, :math:`c_\mathrm{out} = \sigma s /
    \sqrt{\sigma^2 + s^2}`, :math:`c_\mathrm{in} = 1 / \sqrt{\sigma^2 + s^2}`,
    :math:`c_\mathrm{noise} = \tfrac14 \ln \sigma` and s the standard deviation of the data. The
    network predicts a change of its input, :math:`F = c_\mathrm{in} y - \mathrm{network}`, whose
    positions have zero mean. The noise of the positions has zero mean per cloud too, so nothing
    depends on the origin.

    Args:
        sigma_data: standard deviation s of the data, in normalised units.
        log_mean: mean of :math:`\ln \sigma` in training.
        log_std: standard deviation of :math:`\ln \sigma` in training.
        max_weight: upper bound on the loss weight of a cloud; None: unbounded.
        num_steps: number of sampling steps.
        sigma_min: smallest noise level of the sampler.
        sigma_max: largest noise level of the sampler.
        rho: exponent of the sampling schedule; larger values take more steps at low noise.
        churn: total amount of noise added during sampling; 0 makes the sampler deterministic.
        churn_min: smallest noise level at which noise is added.
        churn_max: largest noise level at which noise is added; None: no limit.
        churn_noise: scale of the added noise.
        class_scale: scale of the one-hot encoding in the features.
        number_scale: scale of the number after it (the formal charge); None: there is none.

    Raises:
        ValueError: If a size is not positive, noise levels are in the wrong order, or training
            noise levels exceed the float32 range.

    Reference:
        T. Karras, M. Aittala, T. Aila, S. Laine, Elucidating the Design Space of Diffusion-Based
        Generative Models, NeurIPS 2022, arXiv:2206.00364, table 1 and algorithm 2.
    """

    def __init__(
        self,
        *,
        sigma_data: float = 1.0,
        log_mean: float = -1.2,
        log_std: float = 1.2,
        max_weight: float | None = 1000.0,
        num_steps: int = 50,
        sigma_min: float = 0.002,
        sigma_max: float = 1.0,
        rho: float = 7.0,
        churn: float = 10.0,
        churn_min: float = 0.0,
        churn_max: float | None = None,
        churn_noise: float = 1.0,
        class_scale: float = 0.25,
        number_scale: float | None = 0.125,
    ) -> None:
        super().__init__(class_scale=class_scale, number_scale=number_scale)
        positive = {"sigma_data": sigma_data, "log_std": log_std, "rho": rho}
        positive |= {"sigma_min": sigma_min, "num_steps": num_steps}
        for name, value in positive.items():
            if not value > 0:
                raise ValueError(f"{name} must be positive, got {value!r}")
        if not sigma_max > sigma_min:
            raise ValueError(f"sigma_max must exceed sigma_min={sigma_min}, got {sigma_max!r}")
        if not abs(log_mean) <= _LARGEST_LOG_MEAN:
            raise ValueError(
                f"log_mean must be in -{_LARGEST_LOG_MEAN}..{_LARGEST_LOG_MEAN}, got {log_mean!r}"
            )
        if log_std > _LARGEST_LOG_STD:
            raise ValueError(f"log_std must be at most {_LARGEST_LOG_STD}, got {log_std!r}")
        if max_weight is not None and not max_weight > 0:
            raise ValueError(f"max_weight must be positive, got {max_weight!r}")
        if churn < 0:
            raise ValueError(f"churn must not be negative, got {churn!r}")
        self.sigma_data, self.log_mean, self.log_std = sigma_data, log_mean, log_std
        self.max_weight, self.num_steps = max_weight, num_steps
        self.sigma_min, self.sigma_max, self.rho = sigma_min, sigma_max, rho
        self.churn, self.churn_min, self.churn_noise = churn, churn_min, churn_noise
        self.churn_max = math.inf if churn_max is None else churn_max

    def weights(self, cloud: Cloud) -> Float[Tensor, " G"]:
        """Weight of each cloud in a mean: its number of points."""
        return cloud.counts.double()

    def draw_levels(self, num_graphs: int, generator: torch.Generator) -> Float[Tensor, " G"]:
        """Noise levels of a training batch, from a log-normal distribution."""
        normal = torch.randn(num_graphs, generator=generator, device=generator.device)
        return (self.log_mean + self.log_std * normal).exp()

    def denoise(
        self, network: Network, noisy: Points, sigma: Float[Tensor, " G"], cloud: Cloud
    ) -> Points:
        """The denoised points D."""
        data = self.sigma_data
        scale = (sigma.square() + data**2).sqrt()
        c_in, c_skip = 1 / scale, data**2 / scale.square()
        c_out, c_noise = sigma * data / scale, sigma.log() / 4
        scaled = noisy.scaled(cloud.spread(c_in))
        change = network(scaled, c_noise)
        output = scaled.plus(Points(cloud.center(change.pos), change.x), -1.0)
        return noisy.scaled(cloud.spread(c_skip)).plus(output, cloud.spread(c_out))

    def loss(
        self, network: Network, clean: Points, cloud: Cloud, sigma: Tensor, noise: Points
    ) -> dict[str, Float[Tensor, " G"]]:
        r"""Squared error, weighted by :math:`(\sigma^2 + s^2)/(\sigma s)^2`.

        ``positions`` and ``features`` are means over points and components, ``loss`` is their sum.
        """
        noisy = clean.plus(noise, cloud.spread(sigma))
        denoised = self.denoise(network, noisy, sigma, cloud)
        weight = (sigma.square() + self.sigma_data**2) / (sigma * self.sigma_data).square()
        if self.max_weight is not None:
            weight = weight.clamp(max=self.max_weight)
        count = cloud.counts.to(weight.dtype)
        error = denoised.plus(clean, -1.0)
        pos = weight * cloud.total(error.pos.square()) / (count * error.pos.shape[1])
        features = weight * cloud.total(error.x.square()) / (count * error.x.shape[1])
        return {"loss": pos + features, "positions": pos, "features": features}

    def sample(
        self,
        network: Network,
        like: Points,
        cloud: Cloud,
        generator: torch.Generator,
        progress: Progress = lambda steps: None,
    ) -> Points:
        """Sample with the stochastic second-order sampler; see `Diffusion.sample`."""
        levels = self.levels().tolist()
        points = standard_noise(like, cloud, generator).scaled(levels[0])
        for sigma, next_sigma in zip(levels[:-1], levels[1:], strict=True):
            points, sigma = self._churned(points, sigma, cloud, generator)
            slope = self._slope(network, points, sigma, cloud)
            updated = points.plus(slope, next_sigma - sigma)
            if next_sigma > 0:
                correction = self._slope(network, updated, next_sigma, cloud)
                mean = slope.plus(correction).scaled(0.5)
                updated = points.plus(mean, next_sigma - sigma)
            points = updated
            progress(1)
        return Points(cloud.center(points.pos), points.x)

    def levels(self) -> Float[Tensor, " steps_and_zero"]:
        """Noise levels of the sampler, from ``sigma_max`` down to ``sigma_min``, then 0."""
        ramp = torch.linspace(0, 1, self.num_steps, dtype=torch.float64)
        high, low = self.sigma_max ** (1 / self.rho), self.sigma_min ** (1 / self.rho)
        return torch.cat([(high + ramp * (low - high)) ** self.rho, torch.zeros(1).double()])

    def _churned(
        self, points: Points, sigma: float, cloud: Cloud, generator: torch.Generator
    ) -> tuple[Points, float]:
        if not (self.churn > 0 and self.churn_min <= sigma <= self.churn_max):
            return points, sigma
        raised = sigma * (1 + min(self.churn / self.num_steps, math.sqrt(2) - 1))
        noise = standard_noise(points, cloud, generator)
        added = self.churn_noise * math.sqrt(raised**2 - sigma**2)
        return points.plus(noise, added), raised

    def _slope(self, network: Network, points: Points, sigma: float, cloud: Cloud) -> Points:
        level = points.x.new_full((cloud.num_graphs,), sigma)
        denoised = self.denoise(network, points, level, cloud)
        return points.plus(denoised, -1.0).scaled(1 / sigma)
