"""Which extra of the package brings a library that is not installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: Modules by the extra of pyproject.toml that installs them.
EXTRAS = {
    "train": (
        "torch_geometric", "lightning", "torchmetrics", "hydra", "omegaconf", "jinja2",
        "matplotlib", "pooch", "rich", "safetensors", "torchdiffeq", "e3nn", "PIL",
    ),
    "molecules": ("ase", "rdkit"),
    "images": ("skimage",),
    "traffic": ("dtaidistance", "h5py"),
    "onnx": ("onnx", "onnxscript"),
    "log": ("tensorboard", "wandb"),
    "slurm": ("hydra_plugins", "submitit"),
}  # fmt: skip


@contextmanager
def extras_named(program: str) -> Iterator[None]:
    """End the program in one line where a library of an extra is missing.

    Args:
        program: what was called, for the message.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        told = missing_library(error)
        if told is None:
            raise
        sys.stderr.write(f"{program}: {told}\n")
        sys.exit(1)


def missing_library(error: BaseException) -> str | None:
    """What to install for a module that was not found; None for one that no extra brings."""
    library = (getattr(error, "name", None) or "").partition(".")[0]
    extra = next((name for name, modules in EXTRAS.items() if library in modules), None)
    if extra is None or not isinstance(error, ModuleNotFoundError):
        return None
    return f'needs {library}, which is not installed: pip install "geozoo[{extra}]"'
