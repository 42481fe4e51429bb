"""Interface of all diffusion processes for training and sampling."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.diffusion.points import Cloud, Network, Points, Progress

#: Squares of features up to this scale stay in the float32 range.
_LARGEST_SCALE = 1e6


class Diffusion(nn.Module, ABC):
    """Base class of diffusion processes: noise levels, loss, sampler, and scaling of the features.

    Features are the one-hot encoding of a class, followed by one number if ``number_scale`` is
    given.

    Args:
        class_scale: scale of the one-hot encoding.
        number_scale: scale of the number; None: there is none.

    Raises:
        ValueError: If a scale is not positive, or above 1e6.
    """

    #: Whether the process implements `negative_log_likelihood`, like `DiscreteDiffusion`.
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
        """Scale the features for the network."""
        if self.number_scale is None:
            return x * self.class_scale
        return torch.cat([x[:, :-1] * self.class_scale, x[:, -1:] * self.number_scale], 1)

    def classes(self, x: Float[Tensor, "N F"]) -> Int[Tensor, " N"]:
        """The class of each point: the argmax of its one-hot encoding, noisy or not."""
        return (x if self.number_scale is None else x[:, :-1]).argmax(1)

    @abstractmethod
    def weights(self, cloud: Cloud) -> Float[Tensor, " G"]:
        """Weight of each cloud in a mean of losses."""

    @abstractmethod
    def draw_levels(self, num_graphs: int, generator: torch.Generator) -> Tensor:
        """Draw a noise level for each cloud of a training batch, on the generator's device."""

    @abstractmethod
    def loss(
        self, network: Network, clean: Points, cloud: Cloud, level: Tensor, noise: Points
    ) -> dict[str, Float[Tensor, " G"]]:
        """The loss of each cloud as ``"loss"``, and its terms by name.

        Args:
            network: the network to train.
            clean: the data: positions with zero mean per cloud, features scaled.
            cloud: assignment of points to clouds.
            level: noise levels from `draw_levels`.
            noise: noise from `standard_noise`.
        """

    def negative_log_likelihood(
        self,
        network: Network,
        clean: Points,
        cloud: Cloud,
        step: Int[Tensor, " G"],
        noises: tuple[Points, Points],
    ) -> Float[Tensor, " G"]:
        """An upper bound on the negative log-likelihood of each cloud, if ``has_likelihood``.

        Raises:
            NotImplementedError: For a process without a likelihood.
        """
        raise NotImplementedError(f"{type(self).__name__} has no likelihood")

    @abstractmethod
    def sample(
        self,
        network: Network,
        like: Points,
        cloud: Cloud,
        generator: torch.Generator,
        progress: Progress = lambda steps: None,
    ) -> Points:
        """Draw samples, with scaled features.

        Args:
            network: a trained network.
            like: points with the shape and dtype of the samples; their values are ignored.
            cloud: assignment of points to clouds.
            generator: random generator of all noise.
            progress: called with 1 after each step.
        """
