"""Which trained models there are, and where their files lie."""

from __future__ import annotations

import os
from pathlib import Path

from geozoo.config import entries, nearest
from geozoo.hub.description import FILE_NAME

#: Folder of trained models in the folder of their network.
FOLDER = "trained"


def shipped_models() -> dict[str, Path]:
    """The folder of every trained model that comes with the zoo, by name."""
    found = {}
    for entry in entries("model"):
        for path in sorted((entry.folder / FOLDER).glob(f"*/{FILE_NAME}")):
            found[f"{entry.name}-{path.parent.name}"] = path.parent
    return found


def find_model(name_or_path: str | Path) -> Path:
    """The folder of a trained model.

    Args:
        name_or_path: a name of `shipped_models`, or a folder.

    Raises:
        FileNotFoundError: when there is none; names those that there are.
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
            f"{path} is no trained model and no run folder: it has no {FILE_NAME} and no "
            "checkpoints/best.ckpt"
        )
    if path.exists() or os.sep in str(name_or_path):
        what = "is no trained model" if path.exists() else "does not exist"
        raise FileNotFoundError(f"{path.absolute()} {what}")
    near = nearest(str(name_or_path), shipped)
    hint = f" Did you mean {near}?" if near else ""
    known = ", ".join(shipped) or "none"
    raise FileNotFoundError(
        f"there is no trained model {str(name_or_path)!r}.{hint} Shipped are: {known}; a path "
        f"must be a folder with {FILE_NAME}, as `geozoo publish` writes it"
    )
