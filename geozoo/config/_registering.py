"""Registration of entries and recipes with Hydra."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from geozoo.config import _entries
from geozoo.config._entries import KINDS, configs_folder, recipes, shown_path, trainer_variants
from geozoo.config._packages import registered_targets

#: State of the files and packages that are registered with Hydra in this process.
_registered: object = None


def register_entries() -> None:
    """Register every entry and recipe with Hydra.

    A recipe includes its variant for the chosen trainer, ``<recipe>_<trainer>``, through its own
    defaults list, so that ``recipe=none`` disables the variant as well. If a recipe has no such
    file, the settings of the trainer serve as the variant: ``trainer=quick`` is quick for every
    pair. Files that have not changed are not read again.
    """
    global _registered
    state = (_files_now(), tuple(registered_targets()))
    if state != _registered:
        _register()
        _registered = state


def _files_now() -> list[tuple[Path, int]]:
    """All config files with their modification times."""
    folders = [_entries.zoo_folder() / name for name in ("models", "datasets")] + [configs_folder()]
    if (own := _entries.own_folder()) is not None:
        folders += [own / "model", own / "dataset"]
    return [(p, p.stat().st_mtime_ns) for folder in folders for p in folder.rglob("*.yaml")]


def _register() -> None:
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    store = ConfigStore.instance()
    for kind in KINDS:
        for entry in _entries.all_entries(kind):
            if entry.in_own_folder:
                # Hydra reads the file itself; it would merge it with an entry of the same name.
                store.repo.get(kind, {}).pop(f"{entry.name}.yaml", None)
                continue
            provider = entry.origin or shown_path(entry.config)
            store.store(
                group=kind, name=entry.name, node=OmegaConf.create(entry.text), provider=provider
            )
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
            provider=shown_path(recipe.path),
        )  # fmt: skip


def _variant_of(recipe: str) -> dict[str, str]:
    return {"optional /recipe@_global_": f"{recipe}_${{trainer}}"}


def _store_fallback(name: str, variant: str) -> None:
    from hydra.core.config_store import ConfigStore

    path = configs_folder() / "trainer" / f"{variant}.yaml"
    body = {key: value for key, value in _plain(path).items() if key != "defaults"}
    ConfigStore.instance().store(
        group="recipe",
        name=name,
        node={"trainer": body},
        package="_global_",
        provider=shown_path(path),
    )  # fmt: skip


def _plain(path: Path) -> dict[str, Any]:
    return _plain_as_of(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=256)  # a recipe of a task is shared by many datasets
def _plain_as_of(path: Path, changed: int) -> dict[str, Any]:
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(OmegaConf.load(path))
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a mapping, got {type(content).__name__}")
    return {str(key): value for key, value in content.items()}
