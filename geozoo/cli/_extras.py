"""Which extra of the package provides a library that is not installed."""

from __future__ import annotations

#: Modules by the extra of pyproject.toml that installs them.
EXTRAS = {
    "train": (
        "torch_geometric", "lightning", "torchmetrics", "hydra", "omegaconf", "jinja2",
        "lazy_loader", "matplotlib", "pooch", "rich", "safetensors", "torchdiffeq", "e3nn", "PIL",
        "numba",
    ),
    "molecules": ("ase", "h5py", "rdkit", "vesin"),
    "plausibility": ("posebusters",),
    "images": ("skimage",),
    "clouds": ("trimesh",),
    "physics": ("torch_dftd", "torchpme"),
    "traffic": ("dtaidistance", "h5py"),
    "onnx": ("onnx", "onnxscript"),
    "log": ("tensorboard", "wandb"),
    "universal": ("sevenn",),
    "slurm": ("hydra_plugins", "submitit"),
}  # fmt: skip


def missing_library(error: BaseException) -> str | None:
    """How to install a missing module; None if no extra provides it."""
    library = (getattr(error, "name", None) or "").partition(".")[0]
    extra = next((name for name, modules in EXTRAS.items() if library in modules), None)
    if extra is None or not isinstance(error, ModuleNotFoundError):
        return None
    return f'needs {library}, which is not installed: pip install "geozoo[{extra}]"'
