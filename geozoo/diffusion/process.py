"""What every diffusion offers to those who train it and draw from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.diffusion.points import Cloud, Network, Points, Progress

#: Squares of features in float32 stay in their range.
_LARGEST_SCALE = 1e6


class Diffusion(nn.Module, ABC):
    """Base of the diffusions: noise levels, loss, sampler, and the scale of the features.

    Features are the one-hot of a class, followed by one number where ``number_scale`` is given.

    Args:
        class_scale: factor of the one-hot.
        number_scale: factor of the number; None: there is none.

    Raises:
        ValueError: for a scale that is not positive, or beyond 1e6.
    """

    #: Whether there is a method ``negative_log_likelihood``, as `DiscreteDiffusion` has it.
    has_likelihood: ClassVar[bool] = False

    def __init__(self, *, class_scale: float, number_scale: float | None) -> None:
        super().__init__()
        for name, value in (("class_scale", class_scale), ("number_scale", number_scale)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive, got {value!r}")
            if value is not None and value > _LARGEST_SCALE:
                raise ValueError(f"{name} must be at most {_LARGEST_SCALE:g}, got {value!r}")
        self.class_scale, self.number_scale = class_scale, number_scale

    def scale(self, x: Float[Tensor, "N F"]) -> Float[Tensor, "N F"]:
        """Features as the network sees them."""
        if self.number_scale is None:
            return x * self.class_scale
        return torch.cat([x[:, :-1] * self.class_scale, x[:, -1:] * self.number_scale], 1)

    def classes(self, x: Float[Tensor, "N F"]) -> Int[Tensor, " N"]:
        """The class of each point: the largest entry of its one-hot, noisy or not."""
        return (x if self.number_scale is None else x[:, :-1]).argmax(1)

    @abstractmethod
    def weights(self, cloud: Cloud) -> Float[Tensor, " G"]:
        """How much each cloud counts in a mean of losses."""

    @abstractmethod
    def draw_levels(self, num_graphs: int, generator: torch.Generator) -> Tensor:
        """A noise level for each cloud of a training batch, on the generator's device."""

    @abstractmethod
    def loss(
        self, network: Network, clean: Points, cloud: Cloud, level: Tensor, noise: Points
    ) -> dict[str, Float[Tensor, " G"]]:
        """The loss of each cloud as ``"loss"``, and its parts by name.

        Args:
            network: what is trained.
            clean: the data: positions with zero mean per cloud, features scaled.
            cloud: which points belong together.
            level: from `draw_levels`.
            noise: `standard_noise`.
        """

    @abstractmethod
    def sample(
        self,
        network: Network,
        like: Points,
        cloud: Cloud,
        generator: torch.Generator,
        progress: Progress = lambda steps: None,
    ) -> Points:
        """Draw points, features scaled.

        Args:
            network: a trained network.
            like: points of the wanted shape and dtype; their values do not matter.
            cloud: which points belong together.
            generator: source of all noise.
            progress: called with 1 after each step.
        """
