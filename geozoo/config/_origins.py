"""Which file, or the command line, set a key of a composed config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from omegaconf import DictConfig, ListConfig, OmegaConf

if TYPE_CHECKING:
    from hydra._internal.config_loader_impl import ConfigLoaderImpl


@dataclass(frozen=True)
class Layer:
    """One of the files that a config is composed from.

    Attributes:
        label: its name in messages.
        package: path of its keys in the composed config, ``"model"`` or ``""``.
        content: its keys and values.
    """

    label: str
    package: str
    content: Any

    def has(self, key: str) -> bool:
        """Whether this file sets ``key`` of the composed config."""
        if self.package:
            if key != self.package and not key.startswith(self.package + "."):
                return False
            key = key[len(self.package) + 1 :]
        node = self.content
        for part in key.replace("[", ".").replace("]", "").split("."):
            if isinstance(node, dict) and part in node:
                node = node[part]
            elif isinstance(node, list) and part.isdigit() and int(part) < len(node):
                node = node[int(part)]
            else:
                return False
        return True


class Origins:
    """The file, or the command line, that set a key last.

    Args:
        layers: the files, lowest precedence first.
        overrides: the overrides of the command line, ``key=value``.
    """

    def __init__(self, layers: Sequence[Layer], overrides: Sequence[str] = ()) -> None:
        self.layers = layers
        self.keys = [each.split("=", 1)[0].lstrip("+~") for each in overrides]

    def rank(self, key: str) -> int:
        """The precedence of a key: higher values were set later; negative if unknown."""
        if any(key == own or key.startswith((f"{own}.", f"{own}[")) for own in self.keys):
            return len(self.layers)
        positions = [i for i, layer in enumerate(self.layers) if layer.has(key)]
        return positions[-1] if positions else -1

    def __call__(self, key: str) -> str:
        """The label of the file, ``"command line"``, or an empty string if unknown."""
        if any(key == own or key.startswith((f"{own}.", f"{own}[")) for own in self.keys):
            return "command line"
        for layer in reversed(self.layers):
            if layer.has(key):
                return layer.label
        parent = key.rpartition(".")[0]
        return self(parent) if parent else ""


def hydra_origins(config_name: str) -> Origins:
    """The origins of the config of the running Hydra job.

    Args:
        config_name: name of the primary config.
    """
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    loader = cast("ConfigLoaderImpl", GlobalHydra.instance().config_loader())
    # Unresolved: the name of a recipe must stay the interpolation that Hydra received.
    given = HydraConfig.get().overrides.task
    overrides = cast(list[str], OmegaConf.to_container(cast(ListConfig, given), resolve=False))
    groups = HydraConfig.get().runtime.choices
    values = [each for each in overrides if each.partition("=")[0].lstrip("+~") not in groups]
    defaults = loader.compute_defaults_list(config_name, overrides, RunMode.RUN)
    layers = []
    for default in defaults.defaults:
        found = loader.repository.load_config(default.config_path) if default.config_path else None
        if found is None or (default.package or "").startswith("hydra"):
            continue
        is_file = not found.path.startswith("structured:")
        folder = found.path.removeprefix("pkg://").removeprefix("file://")
        if found.path.startswith("pkg://"):
            folder = folder.replace(".", "/")
        label = f"{folder}/{default.config_path}.yaml" if is_file else found.provider
        package = (default.package or "").replace("_global_", "").strip(".")
        layers.append(Layer(label, package, _plain(found.config)))
    return Origins(layers, values)


def _plain(config: Any) -> Any:
    return OmegaConf.to_container(config) if isinstance(config, DictConfig) else config
