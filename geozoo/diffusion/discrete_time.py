"""Variance-preserving denoising diffusion in discrete time, with a likelihood."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geozoo.diffusion.noise_schedule import PolynomialSchedule
from geozoo.diffusion.points import Cloud, Network, Points, Progress, standard_noise
from geozoo.diffusion.process import Diffusion

#: Keeps log-probabilities finite.
_TINY = 1e-10


class DiscreteDiffusion(Diffusion):
    r"""The equivariant diffusion model of Hoogeboom et al. ("EDM").

    The network predicts the noise of :math:`z_t = \alpha_t x + \sigma_t \epsilon`, positions and
    features jointly; the noise of the positions and its prediction have zero mean per cloud.
    Features are the one-hot encoding of a class times ``class_scale``, followed by an integer (the
    atomic number) times ``number_scale`` unless ``number_scale`` is None.

    Args:
        num_steps: number of diffusion steps T.
        precision: see `PolynomialSchedule`.
        class_scale: scale of the one-hot encoding in the features.
        number_scale: scale of the integer feature; None: the features have none.
        max_points: points of the largest cloud, which normalises the training loss.

    Raises:
        ValueError: If a scale is so small that the noise at step 0 hides a class (below
            :math:`8 \sigma_0`), or a size is below 1.

    Reference:
        E. Hoogeboom, V. G. Satorras, C. Vignac, M. Welling, Equivariant Diffusion for Molecule
        Generation in 3D, ICML 2022, arXiv:2203.17003, sections 3 and 4, appendices A and B.
    """

    has_likelihood = True

    def __init__(
        self,
        num_steps: int = 1000,
        *,
        precision: float = 1e-5,
        class_scale: float = 0.25,
        number_scale: float | None = 0.1,
        max_points: int = 29,
    ) -> None:
        super().__init__(class_scale=class_scale, number_scale=number_scale)
        if max_points < 1:
            raise ValueError(f"max_points must be at least 1, got {max_points!r}")
        self.schedule = PolynomialSchedule(num_steps, precision=precision)
        self.num_steps, self.max_points = num_steps, max_points
        least = 8 * float(self.schedule.sigma(self.schedule.gamma[0]))
        for name, value in (("class_scale", class_scale), ("number_scale", number_scale)):
            if value is not None and not value >= least:
                raise ValueError(f"{name} must be at least 8 sigma_0 = {least:.3g}, got {value!r}")

    def weights(self, cloud: Cloud) -> Float[Tensor, " G"]:
        """Weight of each cloud in a mean: uniform."""
        return torch.ones(cloud.num_graphs, dtype=torch.float64, device=cloud.batch.device)

    def draw_levels(self, num_graphs: int, generator: torch.Generator) -> Int[Tensor, " G"]:
        """Steps of a training batch, uniform in 0..T."""
        device = generator.device
        return torch.randint(self.num_steps + 1, (num_graphs,), generator=generator, device=device)

    def noised(self, clean: Points, step: Int[Tensor, " G"], noise: Points, cloud: Cloud) -> Points:
        r""":math:`z_t`."""
        gamma = self.schedule.at(step).to(clean.x.dtype)
        signal, spread = self.schedule.alpha(gamma), self.schedule.sigma(gamma)
        return clean.scaled(cloud.spread(signal)).plus(noise, cloud.spread(spread))

    def predict_noise(
        self, network: Network, noisy: Points, step: Int[Tensor, " G"], cloud: Cloud
    ) -> Points:
        """The noise predicted by the network, positions with zero mean per cloud."""
        out = network(noisy, step.to(noisy.x.dtype) / self.num_steps)
        return Points(cloud.center(out.pos), out.x)

    def loss(
        self, network: Network, clean: Points, cloud: Cloud, step: Tensor, noise: Points
    ) -> dict[str, Float[Tensor, " G"]]:
        """Half the squared error of the noise per point and component, for each cloud.

        At step 0 the feature term is the negative log-likelihood of the features instead. The sum
        is divided by the number of components of a cloud of ``max_points`` points (in the published
        code: of the largest cloud of the batch, which makes the loss of a cloud depend on the rest
        of the batch).
        """
        noisy = self.noised(clean, step, noise, cloud)
        error = self.predict_noise(network, noisy, step, cloud).plus(noise, -1.0)
        pos = 0.5 * cloud.total(error.pos.square())
        last = self._feature_cost(clean, noisy, cloud)
        features = torch.where(step == 0, last, 0.5 * cloud.total(error.x.square()))
        size = self.max_points * (error.pos.shape[1] + error.x.shape[1])
        return {
            "loss": (pos + features) / size,
            "positions": pos / size,
            "features": features / size,
        }

    def negative_log_likelihood(
        self,
        network: Network,
        clean: Points,
        cloud: Cloud,
        step: Int[Tensor, " G"],
        noises: tuple[Points, Points],
    ) -> Float[Tensor, " G"]:
        r"""Unbiased estimate of the upper bound on :math:`-\ln p(x, h | N)` of each cloud, in nats.

        .. math:: \mathrm{KL}(q(z_T)) + T\, \tfrac12 (\mathrm{SNR}_{t-1}/\mathrm{SNR}_t - 1)
            \lVert \epsilon - \hat\epsilon \rVert^2 + L_0

        Args:
            network: a trained network.
            clean: the data, positions with zero mean.
            cloud: assignment of points to clouds.
            step: a step in 1..T for each cloud.
            noises: `standard_noise` for that step and for step 0.
        """
        noisy = self.noised(clean, step, noises[0], cloud)
        error = self.predict_noise(network, noisy, step, cloud).plus(noises[0], -1.0)
        squared = cloud.total(error.pos.square()) + cloud.total(error.x.square())
        ratio = torch.expm1(self.schedule.at(step) - self.schedule.at(step - 1))
        middle = self.num_steps * 0.5 * ratio * squared
        return self._prior(clean, cloud) + middle + self._last(network, clean, cloud, noises[1])

    def _prior(self, clean: Points, cloud: Cloud) -> Tensor:
        """KL divergence of the fully noised data from the standard normal distribution."""
        gamma = self.schedule.gamma[-1]
        signal, spread = self.schedule.alpha(gamma), self.schedule.sigma(gamma)
        per_number = 0.5 * (spread.square() - 1) - spread.log()
        size = cloud.counts * clean.x.shape[1] + (cloud.counts - 1) * clean.pos.shape[1]
        squared = cloud.total(clean.pos.square()) + cloud.total(clean.x.square())
        return size * per_number + 0.5 * signal.square() * squared

    def _last(self, network: Network, clean: Points, cloud: Cloud, noise: Points) -> Tensor:
        r"""Reconstruction term, :math:`-\ln p(x, h | z_0)`."""
        zero = torch.zeros(cloud.num_graphs, dtype=torch.int64, device=clean.x.device)
        noisy = self.noised(clean, zero, noise, cloud)
        error = self.predict_noise(network, noisy, zero, cloud).plus(noise, -1.0)
        free = (cloud.counts - 1) * clean.pos.shape[1]
        constants = free * (0.5 * self.schedule.gamma[0] + 0.5 * math.log(2 * math.pi))
        pos = 0.5 * cloud.total(error.pos.square()) + constants
        return pos + self._feature_cost(clean, noisy, cloud)

    def _feature_cost(self, clean: Points, noisy: Points, cloud: Cloud) -> Tensor:
        r""":math:`-\ln p(h | z_0)`: normal mass around 1 for classes, the value for numbers."""
        sigma = float(self.schedule.sigma(self.schedule.gamma[0]))
        classes = slice(0, -1) if self.number_scale is not None else slice(None)
        off = noisy.x[:, classes] / self.class_scale - 1
        mass = (_mass(off, sigma / self.class_scale) + _TINY).log()
        log_class = torch.log_softmax(mass, -1)  # normalised over the classes
        target = clean.x[:, classes] / self.class_scale
        cost = -(target * log_class).sum(1, keepdim=True)
        if self.number_scale is not None:
            off = (clean.x[:, -1:] - noisy.x[:, -1:]) / self.number_scale
            cost = cost - (_mass(off, sigma / self.number_scale) + _TINY).log()
        return cloud.total(cost)

    def sample(
        self,
        network: Network,
        like: Points,
        cloud: Cloud,
        generator: torch.Generator,
        progress: Progress = lambda steps: None,
    ) -> Points:
        """Sample by ancestral sampling, T steps and a final one; see `Diffusion.sample`."""
        points = standard_noise(like, cloud, generator)
        for t in range(self.num_steps, 0, -1):
            points = self._earlier(network, points, t, cloud, generator)
            progress(1)
        noise, step = standard_noise(like, cloud, generator), self._step(points, 0, cloud)
        predicted = self.predict_noise(network, points, step, cloud)
        gamma = self.schedule.gamma[0]
        alpha, sigma = float(self.schedule.alpha(gamma)), float(self.schedule.sigma(gamma))
        pos = (points.pos - sigma * predicted.pos) / alpha + sigma / alpha * noise.pos
        return Points(cloud.center(pos), points.x)

    def _earlier(
        self, network: Network, points: Points, t: int, cloud: Cloud, generator: torch.Generator
    ) -> Points:
        """One step of the sampler, from t to t - 1."""
        gamma_s, gamma_t = self.schedule.gamma[t - 1], self.schedule.gamma[t]
        alpha, variance = (float(value) for value in self.schedule.between(gamma_s, gamma_t))
        sigma_s, sigma_t = (float(self.schedule.sigma(gamma)) for gamma in (gamma_s, gamma_t))
        predicted = self.predict_noise(network, points, self._step(points, t, cloud), cloud)
        mean = points.scaled(1 / alpha).plus(predicted, -variance / (alpha * sigma_t))
        spread = math.sqrt(variance) * sigma_s / sigma_t
        sampled = mean.plus(standard_noise(points, cloud, generator), spread)
        return Points(cloud.center(sampled.pos), sampled.x)

    @staticmethod
    def _step(points: Points, t: int, cloud: Cloud) -> Tensor:
        return torch.full((cloud.num_graphs,), t, dtype=torch.int64, device=points.x.device)


def _mass(off: Tensor, spread: float) -> Tensor:
    """Normal probability mass within half a unit of a value at distance ``off``."""
    return torch.special.ndtr((off + 0.5) / spread) - torch.special.ndtr((off - 0.5) / spread)
