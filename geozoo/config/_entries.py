"""What the zoo holds: models, data sets and the recipes of their pairs, found in the folders."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["model", "dataset"]
_TASK = re.compile(r"^\s*-\s*/task@_global_\.task:\s*(\w+)", re.MULTILINE)
_FOLDERS: dict[str, str] = {"model": "models", "dataset": "datasets"}
#: What Hydra was told of in this process.
_registered: list[tuple[Path, int]] | None = None


@dataclass(frozen=True)
class Entry:
    """A model or data set of the zoo.

    Attributes:
        kind: ``"model"`` or ``"dataset"``, which is also its Hydra group.
        name: the folder's name, and the word on the command line.
        folder: where its card, config and recipes lie.
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
        """What it is listed under: ``# Group: baselines`` in the config; empty without such."""
        return self._comment("Group")

    @property
    def extra(self) -> str:
        """The extra that it needs beside ``train``: ``# Extra: traffic``; empty for none."""
        return self._comment("Extra")

    def _comment(self, name: str) -> str:
        text = self.config.read_text(encoding="utf-8")
        found = re.search(rf"^# {name}: *(\w+)$", text, re.MULTILINE)
        return found[1] if found else ""


@dataclass(frozen=True)
class Recipe:
    """Settings of a model for one data set.

    Attributes:
        model: name of the model.
        variant: ``<dataset>`` or ``<dataset>_<trainer>``.
        path: the YAML file; of that name, or of the data set's task where it serves all of them.
    """

    model: str
    variant: str
    path: Path

    @property
    def is_shared(self) -> bool:
        """Whether the file serves every data set of a task."""
        return self.path.stem != self.variant

    @property
    def name(self) -> str:
        """The word on the command line, ``recipe=<model>-<dataset>``."""
        return f"{self.model}-{self.variant}"


def zoo_folder() -> Path:
    """The folder that holds ``models/`` and ``datasets/``: of the wheel, or the checkout."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_zoo"
    return shipped if shipped.is_dir() else package.parent


def configs_folder() -> Path:
    """The folder of the Hydra groups that belong to no entry."""
    return Path(__file__).resolve().parents[1] / "configs"


def entries(kind: Kind) -> list[Entry]:
    """All models or all data sets, by name.

    Raises:
        ValueError: for another kind.
    """
    if kind not in _FOLDERS:
        raise ValueError(f"kind must be one of {tuple(_FOLDERS)}, got {kind!r}")
    found = sorted((zoo_folder() / _FOLDERS[kind]).glob("*/config.yaml"))
    return [Entry(kind, path.parent.name, path.parent, _first_comment(path)) for path in found]


def recipes() -> list[Recipe]:
    """The recipes of all models, by name.

    A file ``recipes/<task>.yaml`` serves every data set whose standard task that is and for which
    the model has no file of its own; ``recipes/<task>_<trainer>.yaml`` likewise.
    """
    tasks = {entry.name: standard_task(entry) for entry in entries("dataset")}
    return [recipe for entry in entries("model") for recipe in _recipes_of(entry, tasks)]


def standard_task(entry: Entry) -> str:
    """The task that a data set's config names in its defaults; empty if it names none."""
    found = _TASK.search(entry.config.read_text(encoding="utf-8"))
    return found[1] if found else ""


def _recipes_of(entry: Entry, tasks: dict[str, str]) -> list[Recipe]:
    own, shared = {}, {}
    for path in (entry.folder / "recipes").glob("*.yaml"):
        task, mark, trainer = path.stem.partition("_")
        served = [name for name, standard in tasks.items() if standard == task]
        for variant in (f"{name}{mark}{trainer}" for name in served):
            shared[variant] = Recipe(entry.name, variant, path)
        if not served:
            own[path.stem] = Recipe(entry.name, path.stem, path)
    return [recipe for _, recipe in sorted({**shared, **own}.items())]


def group_names(group: str) -> list[str]:
    """The words that a group of the command line knows, ``optimizer`` or ``recipe`` for example."""
    own = [path.stem for path in sorted((configs_folder() / group).glob("*.yaml"))]
    if group == "recipe":
        own += [recipe.name for recipe in recipes()]
    elif group in _FOLDERS:
        own += [entry.name for entry in entries(group)]  # type: ignore[arg-type]
    return own


def trainer_variants() -> list[str]:
    """The trainers for which a recipe may have a variant: all but the default."""
    return [name for name in group_names("trainer") if name != "default"]


def register_entries() -> None:
    """Make every entry and recipe known to Hydra, whatever folder they lie in.

    A recipe pulls in its variant for the chosen trainer, ``<recipe>_<trainer>``, through a defaults
    list of its own, so that ``recipe=none`` is without the variant as well. Where a recipe has no
    such file, the trainer's own lengths are the variant: ``trainer=quick`` is quick for every pair.
    Files that are known as they are now are not read again.
    """
    global _registered
    state = _files_now()
    if state != _registered:
        _register()
        _registered = state


def _files_now() -> list[tuple[Path, int]]:
    """Every file that says something, and when it was changed."""
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


@functools.lru_cache(maxsize=256)  # a recipe of a task serves many data sets
def _plain_as_of(path: Path, changed: int) -> dict[str, Any]:
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(OmegaConf.load(path))
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold keys and values, not {type(content).__name__}")
    return {str(key): value for key, value in content.items()}


def _shown(path: Path) -> str:
    """The path as messages show it: from the zoo's folder, or from the package's."""
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
