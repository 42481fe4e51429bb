"""Models, datasets and recipes of the zoo, found in its folders."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["model", "dataset"]
_TASK = re.compile(r"^\s*-\s*/task@_global_\.task:\s*(\w+)", re.MULTILINE)
_FOLDERS: dict[str, str] = {"model": "models", "dataset": "datasets"}
#: State of the files that are registered with Hydra in this process.
_registered: list[tuple[Path, int]] | None = None


@dataclass(frozen=True)
class Entry:
    """A model or dataset of the zoo.

    Attributes:
        kind: ``"model"`` or ``"dataset"``, which is also its Hydra group.
        name: name of the folder, and on the command line.
        folder: folder of its card, config and recipes.
        summary: one sentence, the first comment of its config.
    """

    kind: Kind
    name: str
    folder: Path
    summary: str

    @property
    def config(self) -> Path:
        """The YAML file behind ``<kind>=<name>``."""
        return self.folder / "config.yaml"

    @property
    def group(self) -> str:
        """The heading it is listed under, ``# Group: baselines`` in the config; may be empty."""
        return self._comment("Group")

    @property
    def extra(self) -> str:
        """The extra that it needs besides ``train``, ``# Extra: traffic``; empty for none."""
        return self._comment("Extra")

    def _comment(self, name: str) -> str:
        text = self.config.read_text(encoding="utf-8")
        found = re.search(rf"^# {name}: *(\w+)$", text, re.MULTILINE)
        return found[1] if found else ""


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a model for one dataset.

    Attributes:
        model: name of the model.
        variant: ``<dataset>`` or ``<dataset>_<trainer>``.
        path: the YAML file; named after the variant, or after the task or the group of datasets
            that share it.
    """

    model: str
    variant: str
    path: Path

    @property
    def is_shared(self) -> bool:
        """Whether the file is shared by all datasets of a task or group."""
        return self.path.stem != self.variant

    @property
    def name(self) -> str:
        """The name on the command line, ``recipe=<model>-<dataset>``."""
        return f"{self.model}-{self.variant}"


def zoo_folder() -> Path:
    """The folder that holds ``models/`` and ``datasets/``, in the wheel or in the checkout."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_zoo"
    return shipped if shipped.is_dir() else package.parent


def configs_folder() -> Path:
    """The folder of the Hydra groups other than models, datasets and recipes."""
    return Path(__file__).resolve().parents[1] / "configs"


def entries(kind: Kind) -> list[Entry]:
    """All models or all datasets, sorted by name.

    Raises:
        ValueError: If kind is neither ``"model"`` nor ``"dataset"``.
    """
    if kind not in _FOLDERS:
        raise ValueError(f"kind must be one of {tuple(_FOLDERS)}, got {kind!r}")
    found = sorted((zoo_folder() / _FOLDERS[kind]).glob("*/config.yaml"))
    return [Entry(kind, path.parent.name, path.parent, _first_comment(path)) for path in found]


def recipes() -> list[Recipe]:
    """The recipes of all models, sorted by name.

    A file ``recipes/<task>.yaml`` applies to every dataset with that standard task for which the
    model has no recipe of its own, and ``recipes/<group>.yaml`` to every dataset with the comment
    ``# Group: <group>`` in its config; the same holds for ``recipes/<task>_<trainer>.yaml``. A
    recipe of the dataset precedes one of its group, which precedes one of its task.
    """
    datasets = entries("dataset")
    sharing = [
        {entry.name: standard_task(entry) for entry in datasets},
        {entry.name: entry.group for entry in datasets},
    ]
    return [recipe for entry in entries("model") for recipe in _recipes_of(entry, sharing)]


def standard_task(entry: Entry) -> str:
    """The task in the defaults list of a dataset's config; empty if there is none."""
    found = _TASK.search(entry.config.read_text(encoding="utf-8"))
    return found[1] if found else ""


def _recipes_of(entry: Entry, sharing: list[dict[str, str]]) -> list[Recipe]:
    """The recipes of a model.

    Args:
        entry: the model.
        sharing: names of shared recipes by dataset, in increasing precedence.
    """
    found: list[dict[str, Recipe]] = [{} for _ in range(len(sharing) + 1)]
    for path in (entry.folder / "recipes").glob("*.yaml"):
        name, mark, trainer = path.stem.partition("_")
        level, datasets = len(sharing), []
        for number, names in enumerate(sharing):
            if served := [dataset for dataset, shared in names.items() if shared == name]:
                level, datasets = number, served
        variants = [f"{dataset}{mark}{trainer}" for dataset in datasets] or [path.stem]
        found[level].update({each: Recipe(entry.name, each, path) for each in variants})
    merged = {variant: recipe for part in found for variant, recipe in part.items()}
    return [recipe for _, recipe in sorted(merged.items())]


def group_names(group: str) -> list[str]:
    """The entries of a config group, for example ``optimizer`` or ``recipe``."""
    own = [path.stem for path in sorted((configs_folder() / group).glob("*.yaml"))]
    if group == "recipe":
        own += [recipe.name for recipe in recipes()]
    elif group in _FOLDERS:
        own += [entry.name for entry in entries(group)]  # type: ignore[arg-type]
    return own


def trainer_variants() -> list[str]:
    """The trainers for which a recipe may have a variant: all except the default."""
    return [name for name in group_names("trainer") if name != "default"]


def register_entries() -> None:
    """Register every entry and recipe with Hydra.

    A recipe includes its variant for the chosen trainer, ``<recipe>_<trainer>``, through its own
    defaults list, so that ``recipe=none`` disables the variant as well. If a recipe has no such
    file, the settings of the trainer serve as the variant: ``trainer=quick`` is quick for every
    pair. Files that have not changed are not read again.
    """
    global _registered
    state = _files_now()
    if state != _registered:
        _register()
        _registered = state


def _files_now() -> list[tuple[Path, int]]:
    """All config files with their modification times."""
    folders = [zoo_folder() / name for name in _FOLDERS.values()] + [configs_folder()]
    return [(p, p.stat().st_mtime_ns) for folder in folders for p in folder.rglob("*.yaml")]


def _register() -> None:
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    store = ConfigStore.instance()
    for kind in ("model", "dataset"):
        for entry in entries(kind):
            node = OmegaConf.load(entry.config)
            store.store(group=kind, name=entry.name, node=node, provider=_shown(entry.config))
    known = recipes()
    names = {recipe.name for recipe in known}
    variants = trainer_variants()
    for recipe in known:
        body = _plain(recipe.path)
        if not recipe.variant.endswith(tuple(f"_{variant}" for variant in variants)):
            body = {"defaults": ["_self_", _variant_of(recipe.name)], **body}
            for variant in variants:
                if f"{recipe.name}_{variant}" not in names:
                    _store_fallback(f"{recipe.name}_{variant}", variant)
        store.store(
            group="recipe", name=recipe.name, node=body, package="_global_",
            provider=_shown(recipe.path),
        )  # fmt: skip


def _variant_of(recipe: str) -> dict[str, str]:
    return {"optional /recipe@_global_": f"{recipe}_${{trainer}}"}


def _store_fallback(name: str, variant: str) -> None:
    from hydra.core.config_store import ConfigStore

    path = configs_folder() / "trainer" / f"{variant}.yaml"
    body = {key: value for key, value in _plain(path).items() if key != "defaults"}
    ConfigStore.instance().store(
        group="recipe", name=name, node={"trainer": body}, package="_global_", provider=_shown(path)
    )


def _plain(path: Path) -> dict[str, Any]:
    return _plain_as_of(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=256)  # a recipe of a task is shared by many datasets
def _plain_as_of(path: Path, changed: int) -> dict[str, Any]:
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(OmegaConf.load(path))
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a mapping, got {type(content).__name__}")
    return {str(key): value for key, value in content.items()}


def _shown(path: Path) -> str:
    """The path as shown in messages: relative to the zoo folder or to the package."""
    for root in (zoo_folder(), configs_folder().parents[1]):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.as_posix()


def _first_comment(path: Path) -> str:
    """The first comment line, without ``Node behind model=ponita:``."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and "@package" not in line:
            text = line.lstrip("# ")
            return text.split(": ", 1)[1] if text.startswith("Node behind ") else text
    return ""
