"""Noise schedule of a variance-preserving diffusion in discrete time."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional


class PolynomialSchedule(nn.Module):
    r"""Signal and noise level at step t of T: :math:`z_t = \alpha_t x + \sigma_t \epsilon`.

    .. math:: \alpha_t^2 = (1 - 2s)\, (1 - (t/T)^2)^2 + s, \qquad \sigma_t^2 = 1 - \alpha_t^2

    where ratios of successive :math:`\alpha^2` are clipped below at 0.001. All values derive from a
    float64 table of :math:`\gamma_t = -\ln(\alpha_t^2/\sigma_t^2)`.

    Args:
        num_steps: number of diffusion steps T.
        precision: s.
        power: the exponent p of t/T, 2 in the equation above: :math:`(1 - (t/T)^p)^2`.

    Raises:
        ValueError: If ``num_steps`` is below 1, or ``precision`` is outside (0, 0.5).

    Reference:
        E. Hoogeboom, V. G. Satorras, C. Vignac, M. Welling, Equivariant Diffusion for Molecule
        Generation in 3D, ICML 2022, arXiv:2203.17003, appendix B.
    """

    gamma: Tensor

    def __init__(
        self, num_steps: int = 1000, *, precision: float = 1e-5, power: float = 2.0
    ) -> None:
        super().__init__()
        if num_steps < 1:
            raise ValueError(f"num_steps must be at least 1, got {num_steps!r}")
        if not 0 < precision < 0.5:
            raise ValueError(f"precision must be between 0 and 0.5, got {precision!r}")
        self.num_steps = num_steps
        time = torch.linspace(0, 1, num_steps + 1, dtype=torch.float64)
        signal = (1 - time**power).square()
        ratio = torch.cat([signal[:1], signal[1:] / signal[:-1]]).clamp(0.001, 1.0)
        signal = (1 - 2 * precision) * ratio.cumprod(0) + precision
        self.register_buffer("gamma", torch.log1p(-signal) - signal.log())

    def at(self, step: Int[Tensor, " G"]) -> Float[Tensor, " G"]:
        r""":math:`\gamma` at the given steps, float64."""
        return self.gamma.index_select(0, step)

    @staticmethod
    def alpha(gamma: Tensor) -> Tensor:
        r"""Signal level, :math:`\alpha = \sqrt{\mathrm{sigmoid}(-\gamma)}`."""
        return torch.sigmoid(-gamma).sqrt()

    @staticmethod
    def sigma(gamma: Tensor) -> Tensor:
        r"""Noise level, :math:`\sigma = \sqrt{\mathrm{sigmoid}(\gamma)}`."""
        return torch.sigmoid(gamma).sqrt()

    @staticmethod
    def between(gamma_s: Tensor, gamma_t: Tensor) -> tuple[Tensor, Tensor]:
        r""":math:`\alpha_{t|s}` and :math:`\sigma^2_{t|s}` of the transition from s to t > s."""
        signal = functional.logsigmoid(-gamma_t) - functional.logsigmoid(-gamma_s)
        return (0.5 * signal).exp(), -torch.expm1(signal)
