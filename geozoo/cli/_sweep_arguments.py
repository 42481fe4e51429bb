"""The arguments of the commands that train several models and compare them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geozoo.cli._grammar import Arguments, key
from geozoo.cli._teaching_arguments import TRAINING_KEYS

_SEEDS = "number of seeds per {}, from seed 0 on"
_PROCESSES = "runs at a time on this machine; several GPUs are shared out"
_LAUNCHER = "launcher of Hydra, such as submitit_slurm; with hydra.launcher.partition=..."
_KEYS = ("task", *(name for name in TRAINING_KEYS if name != "logger"))


@dataclass(frozen=True, kw_only=True)
class Compare(Arguments):
    """Train several models for the same time on your data and tell which is best."""

    dataset: str = key("dataset; see `geozoo list datasets`")
    models: tuple[str, ...] = key("models; all: every model that fits the dataset", also=("model",))
    minutes: float = key(
        "time of each run, validation included: CPU time on a CPU with one thread, wall time "
        "otherwise", default=10.0, least=0.01,
    )  # fmt: skip
    seeds: int = key(_SEEDS.format("model"), default=3, least=1)
    metric: str | None = key(
        "test metric that decides; default: the one that selects checkpoints, or force_mae",
        default=None,
    )
    clock: str = key(
        "clock of the time per step; auto: cpu on a CPU with one thread", default="auto",
        choices=("auto", "cpu", "wall"),
    )  # fmt: skip
    processes: int = key(_PROCESSES, default=1, least=1)
    launcher: str | None = key(_LAUNCHER, default=None)
    out: Path | None = key(
        "folder of all runs and the report; the same command continues what is missing there; "
        "default: runs/compare-<dataset>", default=None,
    )  # fmt: skip
    changes: tuple[str, ...] = key(
        "plus any key of `geozoo train` for all models: dataset.path=..., trainer=quick",
        default=(), place="others", also=_KEYS,
    )  # fmt: skip
    examples = (
        "geozoo compare dataset=rmd17 dataset.molecule=ethanol models=[painn,tensornet] minutes=10",
        "geozoo compare dataset=extxyz dataset.path=mine.xyz models=all minutes=30 seeds=2",
        "geozoo compare dataset=los_loop models=[stid,agcrn,dcrnn] minutes=5 processes=2",
    )


@dataclass(frozen=True, kw_only=True)
class LearningCurve(Arguments):
    """Train one model on parts of the training set: error against number of samples."""

    model: str = key("model; see `geozoo list models`")
    dataset: str = key("dataset; see `geozoo list datasets`")
    sizes: tuple[int, ...] = key("numbers of training samples", least=1)
    seeds: int = key(_SEEDS.format("size"), default=2, least=1)
    length: str = key(
        "what is equal for all sizes: steps, those of the largest size; or epochs",
        default="steps", choices=("steps", "epochs"),
    )  # fmt: skip
    metric: str | None = key(
        "test metric; default: the one that selects checkpoints, or force_mae", default=None
    )
    processes: int = key(_PROCESSES, default=1, least=1)
    launcher: str | None = key(_LAUNCHER, default=None)
    out: Path | None = key(
        "folder of all runs and the report; the same command continues what is missing there; "
        "default: runs/learning-curve-<model>-<dataset>", default=None,
    )  # fmt: skip
    changes: tuple[str, ...] = key(
        "plus any key of `geozoo train`: trainer.max_epochs=50 (of the largest size)",
        default=(), place="others", also=_KEYS,
    )  # fmt: skip
    examples = (
        "geozoo learning-curve model=painn dataset=rmd17 dataset.molecule=ethanol "
        "'sizes=[100,200,400,800]' trainer.max_epochs=50",
        "geozoo learning-curve model=painn dataset=extxyz dataset.path=mine.xyz sizes=[50,100,200]",
    )
