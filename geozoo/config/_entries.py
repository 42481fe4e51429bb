"""Models, datasets and recipes of the zoo, found in its folders, and of the user."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from geozoo.config._packages import (
    Declared,
    PackageError,
    declared,
    package_text,
)

Kind = Literal["model", "dataset"]
KINDS: tuple[Kind, Kind] = ("model", "dataset")
_TASK = re.compile(r"^\s*-\s*/task@_global_\.task:\s*(\w+)", re.MULTILINE)
_FOLDERS: dict[str, str] = {"model": "models", "dataset": "datasets"}
#: The user's folder of configs in this process, ``--config-dir``.
_own_folder: Path | None = None


@dataclass(frozen=True)
class Entry:
    """A model or dataset, of the zoo or of the user.

    Attributes:
        kind: ``"model"`` or ``"dataset"``, which is also its Hydra group.
        name: name of the folder, and on the command line.
        folder: folder of its card, config and recipes; of an entry of the user, the folder of its
            config, or the name of its class.
        summary: one sentence, the first comment of its config.
        origin: empty for an entry of the zoo; otherwise the config file, or the package with its
            version.
        source: content of the config of an entry without a file; None: read the file.
    """

    kind: Kind
    name: str
    folder: Path
    summary: str
    origin: str = ""
    source: str | None = None

    @property
    def config(self) -> Path:
        """The YAML file behind ``<kind>=<name>``."""
        return self.folder / (f"{self.name}.yaml" if self.origin else "config.yaml")

    @property
    def in_own_folder(self) -> bool:
        """Whether it is a file of the user's folder of configs."""
        return bool(self.origin) and self.source is None

    @property
    def text(self) -> str:
        """The content of the YAML file behind ``<kind>=<name>``."""
        return self.config.read_text(encoding="utf-8") if self.source is None else self.source

    @property
    def group(self) -> str:
        """The heading it is listed under, ``# Group: baselines`` in the config; may be empty."""
        return self._comment("Group")

    @property
    def extra(self) -> str:
        """The extra that it needs besides ``train``, ``# Extra: traffic``; empty for none."""
        return self._comment("Extra")

    def _comment(self, name: str) -> str:
        found = re.search(rf"^# {name}: *(\w+)$", self.text, re.MULTILINE)
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
    return [
        Entry(kind, path.parent.name, path.parent, _first_comment(path.read_text(encoding="utf-8")))
        for path in found
    ]


def use_own_folder(folder: Path | None) -> None:
    """Take the models and datasets of a user's folder into account, in this process.

    Args:
        folder: holds ``model/*.yaml`` and ``dataset/*.yaml``; None: no such folder.
    """
    global _own_folder
    _own_folder = None if folder is None else folder.expanduser().absolute()


def own_folder() -> Path | None:
    """The folder of `use_own_folder`."""
    return _own_folder


def own_entries(kind: Kind) -> list[Entry]:
    """The models or datasets of the user: of `use_own_folder`, then of installed packages.

    Classes of packages are imported; entry points that cannot be used are left out, see
    `own_problems`.
    """
    return _folder_entries(kind) + [
        e for each in _packaged(kind) if isinstance(e := each[1], Entry)
    ]


def all_entries(kind: Kind) -> list[Entry]:
    """The entries of the zoo, and the user's. A file of the user replaces a zoo entry."""
    own = own_entries(kind)
    replaced = {entry.name for entry in own}
    return [entry for entry in entries(kind) if entry.name not in replaced] + own


def own_problems(kind: str, name: str | None = None) -> list[str]:
    """Why entry points of installed packages cannot be used; the messages name the packages.

    Args:
        kind: ``"model"`` or ``"dataset"``; another group has no entry points.
        name: only those of this name; None: all.
    """
    known = [each for each in KINDS if each == kind]
    if name is not None:  # without importing any package, if none has the name
        known = [each for each in known if any(point.name == name for point in declared(each))]
    return [
        str(made) for each in known for point, made in _packaged(each)
        if isinstance(made, PackageError) and name in (None, point.name)
    ]  # fmt: skip


def _folder_entries(kind: Kind) -> list[Entry]:
    if _own_folder is None:
        return []
    found = []
    for path in sorted((_own_folder / kind).glob("*.yaml")):
        summary = _first_comment(path.read_text(encoding="utf-8"))
        found.append(Entry(kind, path.stem, path.parent, summary, origin=shown_path(path)))
    return found


def _packaged(kind: Kind) -> list[tuple[Declared, Entry | PackageError]]:
    """Every entry point with its entry, or the reason why it has none."""
    known = declared(kind)
    if not known:
        return []
    zoo, tasks = [entry.name for entry in entries(kind)], group_names("task")
    in_folder = {entry.name for entry in _folder_entries(kind)}
    return [
        (each, _package_entry(each, tuple(zoo), tuple(tasks)))
        for each in known
        if each.name not in in_folder
    ]


@functools.lru_cache(maxsize=256)
def _package_entry(
    each: Declared, zoo: tuple[str, ...], tasks: tuple[str, ...]
) -> Entry | PackageError:
    kind: Kind = "model" if each.kind == "model" else "dataset"
    try:
        text = package_text(each, zoo=zoo, tasks=tasks)
    except PackageError as error:
        return error
    folder = Path(each.target)
    return Entry(kind, each.name, folder, _first_comment(text), origin=each.package, source=text)


def recipes() -> list[Recipe]:
    """The recipes of all models, sorted by name.

    A file ``recipes/<task>.yaml`` applies to every dataset with that standard task for which the
    model has no recipe of its own, and ``recipes/<group>.yaml`` to every dataset with the comment
    ``# Group: <group>`` in its config; the same holds for ``recipes/<task>_<trainer>.yaml``. A
    recipe of the dataset precedes one of its group, which precedes one of its task.
    """
    datasets = all_entries("dataset")
    sharing = [
        {entry.name: standard_task(entry) for entry in datasets},
        {entry.name: entry.group for entry in datasets},
    ]
    return [recipe for entry in entries("model") for recipe in _recipes_of(entry, sharing)]


def standard_task(entry: Entry) -> str:
    """The task in the defaults list of a dataset's config; empty if there is none."""
    found = _TASK.search(entry.text)
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
    for kind in KINDS:
        if group != kind:
            continue
        own += [entry.name for entry in entries(kind)]
        names = [entry.name for entry in _folder_entries(kind)]
        names += [each.name for each in declared(kind)]
        own += dict.fromkeys(name for name in names if name not in own)
    return own


def trainer_variants() -> list[str]:
    """The trainers for which a recipe may have a variant: all except the default."""
    return [name for name in group_names("trainer") if name != "default"]


def shown_path(path: Path) -> str:
    """The path as shown in messages: relative to the zoo folder or to the package."""
    for root in (zoo_folder(), configs_folder().parents[1]):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.as_posix()


def _first_comment(content: str) -> str:
    """The first comment line, without ``Node behind model=ponita:``."""
    for line in content.splitlines():
        if line.startswith("#") and "@package" not in line:
            text = line.lstrip("# ")
            return text.split(": ", 1)[1] if text.startswith("Node behind ") else text
    return ""
