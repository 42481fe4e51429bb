"""Trained models at another size."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from geozoo.contracts import Resizable
from geozoo.hub.description import Description, ModelFileError
from geozoo.hub.rebuilding import own_modules, rebuild_task
from geozoo.options import in_groups
from geozoo.tasks import ElasticSizes, GraphTask

#: The keys of a training config, by the fields of `ElasticSizes`.
ELASTIC_KEYS = {
    "orientations": "elastic_orientations",
    "num_layers": "elastic_layers",
    "width": "elastic_widths",
}


@dataclass(frozen=True)
class WantedSize:
    """The size at which a trained model is wanted; what is None is as it was trained.

    Attributes:
        orientations: number of orientations.
        num_layers: number of layers.
        width: fraction of the channels.
    """

    orientations: int | None = None
    num_layers: int | None = None
    width: float | None = None

    def __bool__(self) -> bool:
        """Whether anything is to be changed."""
        return any(value is not None for value in vars(self).values())

    def __str__(self) -> str:
        """For names: ``o8-l3-w0.5``."""
        parts = {"o": self.orientations, "l": self.num_layers, "w": self.width}
        return "-".join(f"{key}{value:g}" for key, value in parts.items() if value is not None)


def trained_sizes(config: Mapping[str, Any]) -> dict[str, list[Any]] | None:
    """The sizes that a run trained, as in `Description.elastic`; None for a single one.

    Args:
        config: the config of the run.
    """
    if not config.get("elastic"):
        return None
    return {name: list(config[key]) for name, key in ELASTIC_KEYS.items()}


def resized(
    description: Description, task: GraphTask, wanted: WantedSize
) -> tuple[Description, GraphTask]:
    """A trained model at another size, as an ordinary one.

    Without elastic training a model may be run with other numbers of orientations, with a warning:
    its weights are defined on every grid, but accurate on grids that were trained, and on finer
    ones only if it was trained on a fine one.

    Args:
        description: the metadata.
        task: the task with the trained network.
        wanted: the size.

    Raises:
        ValueError: If the network cannot be resized, or not to a size that was not trained.
    """
    network = task.model
    if not isinstance(network, Resizable):
        raise ValueError(
            f"{description.name} ({type(network).__name__}) has one size only: orientations, "
            "num_layers and width must be None"
        )
    size = _checked(description, wanted)
    part = network.resized(**size)
    node = in_groups(type(part), description.model)
    for key, value in part.size_arguments.items():
        node[key] = {**node.get(key, {}), **value} if isinstance(value, Mapping) else value
    state: dict[str, Tensor] = {
        name: value for name, value in task.state_dict().items() if not name.startswith("model.")
    }
    state |= {f"model.{name}": value for name, value in part.state_dict().items()}
    nodes = {"model": node, "task": description.task}
    built = rebuild_task(
        node, description.task, description.data, state, trusted=own_modules(nodes),
        precision=description.precision,
    )  # fmt: skip
    # Test metrics are those of another size.
    return replace(description, model=node, metrics={}, elastic=None), built


def _checked(description: Description, wanted: WantedSize) -> dict[str, Any]:
    """The arguments of ``resized``.

    Raises:
        ValueError: If the size was not trained.
    """
    asked = vars(wanted)
    if description.elastic is not None:
        try:
            sizes = ElasticSizes.from_dict(description.elastic)
        except ValueError as error:
            raise ModelFileError(str(error)) from error
        try:
            return sizes.chosen(**asked).arguments
        except ValueError as error:
            raise ValueError(f"{description.name}: {error}") from error
    for name in ("num_layers", "width"):
        if asked[name] is not None:
            raise ValueError(
                f"{description.name}: {name} must be None, since the model was trained at one size "
                f"(elastic=true trains several), got {asked[name]!r}"
            )
    warnings.warn(
        f"{description.name} was not trained with several numbers of orientations: test it with "
        f"{wanted.orientations} before it is used",
        stacklevel=4,
    )
    return asked
