"""Denoising diffusion on point clouds: zero-mean positions and features."""

from geozoo.diffusion.discrete_time import DiscreteDiffusion
from geozoo.diffusion.karras import KarrasDiffusion
from geozoo.diffusion.noise_schedule import PolynomialSchedule
from geozoo.diffusion.points import Cloud, Network, Points, Progress, standard_noise
from geozoo.diffusion.process import Diffusion

__all__ = [
    "Cloud",
    "Diffusion",
    "DiscreteDiffusion",
    "KarrasDiffusion",
    "Network",
    "Points",
    "PolynomialSchedule",
    "Progress",
    "standard_noise",
]
