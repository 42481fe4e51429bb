"""What the task of generation asks of its data and options."""

from __future__ import annotations

from collections.abc import Container

from geozoo.data import GeometricSpec
from geozoo.diffusion import Diffusion
from geozoo.tasks._sampled_scores import STABILITIES


def generation_monitor(monitor: str | None, val_samples: int, sample_every: int) -> str:
    """The metric that selects the best checkpoint; it must exist in every validation."""
    always = bool(val_samples) and sample_every == 1
    chosen = monitor or ("val/molecule_stability" if always else "val/loss")
    if chosen.removeprefix("val/") in STABILITIES and not always:
        raise ValueError(
            f"monitor={chosen} needs samples in every validation: val_samples above 0 and "
            f"sample_every=1 (trainer.check_val_every_n_epoch sets how often), got val_samples="
            f"{val_samples} and sample_every={sample_every}"
        )
    return chosen


def check_isolated_data(fields: Container[str]) -> None:
    """Raise an error if data have periodic cells."""
    if "pbc" in fields:
        raise ValueError(
            "generation is of isolated molecules, but the data have periodic cells (fields cell "
            "and pbc)"
        )


def check_generated(spec: GeometricSpec, process: Diffusion) -> None:
    """Raise an error if molecules cannot be generated from these data by this process."""
    missing = {"sizes", "elements"} - spec.statistics.keys()
    if missing or spec.level != "node" or spec.out_vectors != 1:
        raise ValueError(
            "task generation needs data of level 'node' with one output vector and the statistics "
            f"sizes and elements, got level {spec.level!r}, {spec.out_vectors} output vectors and "
            f"the statistics {', '.join(spec.statistics) or 'none'}"
        )
    features = len(spec.statistics["elements"]) + (process.number_scale is not None)
    if spec.out_channels != features:
        raise ValueError(
            f"process.number_scale={process.number_scale} needs data with {features} features, got "
            f"{spec.out_channels} (dataset.number=none requires number_scale=null)"
        )
