"""Training one set of weights at many sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from geozoo.checks import check_choice, check_not_negative
from geozoo.contracts import Resizable
from geozoo.geometry import random_rotations
from geozoo.tasks._rotations import seeded_generator
from geozoo.tasks.sizes import ElasticSizes, Size

if TYPE_CHECKING:
    from geozoo.tasks.base import GraphTask

#: What the smaller networks learn from.
Teacher = Literal["data", "largest"]
#: Keeps the random numbers apart from those of rotations, see `geozoo.tasks._rotations`.
_STREAM = 7


class ElasticTraining:
    r"""Losses of several sizes of a network per step, all on parts of the same weights.

    In every step the largest network learns from the data. From epoch ``start`` on, so do the
    smallest one and ``samples`` further sizes drawn at random (the sandwich rule); or they learn
    from the predictions of the largest, without a gradient through these (in-place distillation),
    with the loss of the task. The loss of a step is the mean over its networks; the published rule
    takes the sum, which Adam does not distinguish, but then steps and clipped gradients would
    change when the sizes come in. Grids of orientations are turned at random, each for itself, so
    that none is learnt by heart.

    Args:
        sizes: the sizes.
        start: first epoch, counted from 0, in which the smaller sizes are trained.
        samples: number of sizes per step beside the largest and the smallest.
        seed: seed of sizes and grids.
        teacher: what smaller networks learn from: ``"data"``, or ``"largest"`` as published. A
            network in training predicts worse than labels without noise.

    Raises:
        ValueError: If a number is negative, there is a single size, or ``teacher`` is unknown.

    Reference:
        J. Yu et al., BigNAS, ECCV 2020 (sandwich rule, in-place distillation).
    """

    def __init__(
        self, sizes: ElasticSizes, *, start: int = 0, samples: int = 2, seed: int = 0,
        teacher: Teacher = "data",
    ) -> None:  # fmt: skip
        check_not_negative(start=start, samples=samples, seed=seed)
        if sizes.largest == sizes.smallest:
            raise ValueError(f"sizes must be at least two, got {sizes.largest} only")
        check_choice("teacher", teacher, get_args(Teacher))
        self.sizes, self.start, self.samples, self.seed = sizes, start, samples, seed
        self.teacher = teacher
        self._between = [each for each in sizes if each not in (sizes.largest, sizes.smallest)]
        self._networks: dict[Size, _SharedNetwork] = {}

    def losses(
        self, task: GraphTask, batch: Any, batch_idx: int, loss: Callable[[Any], dict[str, Tensor]]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss to minimise, and terms to log: of the largest, and of the others.

        Args:
            task: the task, whose network is replaced by parts of it meanwhile.
            batch: the graphs.
            batch_idx: position of the batch in its epoch.
            loss: computes the loss and its terms of a batch.
        """
        epoch = task.current_epoch
        draw = seeded_generator(self.seed, _STREAM, epoch, batch_idx)
        largest = self._network(task, self.sizes.largest, draw)
        with _replaced(task, largest):
            parts = loss(batch)
            if epoch < self.start:
                return parts["loss"], parts
            taught = batch
            if self.teacher == "largest":
                with torch.no_grad():
                    taught = task.taught(batch, largest.output)
        others = []
        for size in self._drawn(draw):
            with _replaced(task, self._network(task, size, draw)):
                others.append(loss(taught)["loss"])
        total = torch.stack([parts["loss"], *others]).mean()
        return total, {**parts, "smaller_loss": torch.stack(others).detach().mean()}

    def _drawn(self, draw: torch.Generator) -> list[Size]:
        """The smallest size and different ones drawn at random."""
        order = torch.randperm(len(self._between), generator=draw)[: self.samples]
        return [self.sizes.smallest, *(self._between[each] for each in order.tolist())]

    def _network(self, task: GraphTask, size: Size, draw: torch.Generator) -> _SharedNetwork:
        model = cast(Resizable, task.model)
        network = self._networks.get(size)
        if network is None or network.device != task.device:
            network = self._networks[size] = _SharedNetwork(model, size, task.device)
        network.share(model)
        network.turn(draw)
        return network


class _SharedNetwork:
    """A network whose parameters are parts of those of a larger one.

    Attributes:
        output: the last output, detached.
    """

    def __init__(self, model: Resizable, size: Size, device: torch.device) -> None:
        self.network: nn.Module = model.resized(**size.arguments).to(device)
        self.device, self.output = device, cast(Any, None)
        grid = cast(Resizable, self.network).orientations
        self.grid = None if grid is None else grid.clone()
        self.__name__ = type(model).__name__  # for messages that name the network

    def share(self, model: Resizable) -> None:
        """Take the parameters from a model; they stay until the next step, for a recomputation."""
        for name, value in model.shared_parameters(self.network).items():
            owner, _, leaf = name.rpartition(".")
            # Assigned below `nn.Module`, which accepts only leaves of the graph as parameters.
            self.network.get_submodule(owner)._parameters[leaf] = cast(nn.Parameter, value)

    def turn(self, draw: torch.Generator) -> None:
        """Turn the grid, as it was made, to a random direction."""
        if self.grid is not None:
            grid = cast(Resizable, self.network).orientations
            assert grid is not None  # as before
            turn = random_rotations(1, self.grid.shape[1], generator=draw, dtype=torch.float64)[0]
            grid.copy_(self.grid.double() @ turn.T.to(self.grid.device))

    def __call__(self, **inputs: Any) -> Any:
        output = self.network(**inputs)
        kind = type(output)
        self.output = kind(*(None if each is None else each.detach() for each in output))
        return output


@contextmanager
def _replaced(task: GraphTask, network: Callable[..., Any]) -> Iterator[None]:
    """Let a task use another network in place of its own."""
    task.stand_in = network
    try:
        yield
    finally:
        task.stand_in = None
