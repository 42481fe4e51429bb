"""The index of trained models and their folders."""

from __future__ import annotations

import os
from pathlib import Path

from geozoo.config import did_you_mean, entries
from geozoo.hub.description import FILE_NAME

#: Subfolder of a network's folder that holds its trained models.
FOLDER = "trained"
#: Subfolder with the descriptions of published models, whose weights are in other packages.
PUBLISHED = "published"


def shipped_models() -> dict[str, Path]:
    """The folder of every trained model shipped with the zoo, by name."""
    found = {}
    for entry in entries("model"):
        for path in sorted((entry.folder / FOLDER).glob(f"*/{FILE_NAME}")):
            found[f"{entry.name}-{path.parent.name}"] = path.parent
        for path in sorted((entry.folder / PUBLISHED).glob(f"*/{FILE_NAME}")):
            found[path.parent.name] = path.parent
    return found


def find_model(name_or_path: str | Path) -> Path:
    """The folder of a trained model.

    Args:
        name_or_path: a name of `shipped_models`, or a folder.

    Raises:
        FileNotFoundError: If there is no such model; the message lists the shipped models.
    """
    path = Path(name_or_path).expanduser()
    if path.name == FILE_NAME:
        path = path.parent
    if (path / FILE_NAME).is_file():
        return path
    shipped = shipped_models()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    if path.is_dir():
        raise FileNotFoundError(
            f"{path} is neither a trained model nor a run folder: it contains neither {FILE_NAME} "
            "nor checkpoints/best.ckpt"
        )
    if path.exists() or os.sep in str(name_or_path):
        what = "is not a trained model" if path.exists() else "does not exist"
        raise FileNotFoundError(f"{path.absolute()} {what}")
    hint = did_you_mean(str(name_or_path), shipped)
    known = ", ".join(shipped) or "none"
    raise FileNotFoundError(
        f"there is no trained model {str(name_or_path)!r}.{hint} Shipped models: {known}; a path "
        f"must be a folder with {FILE_NAME}, as written by `geozoo publish`"
    )
