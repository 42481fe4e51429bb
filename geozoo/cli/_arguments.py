"""The arguments of every command except ``train``, which takes keys of the config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geozoo.cli._grammar import Arguments, key

CONFIG_DIR = "folder with your own model/*.yaml and dataset/*.yaml, as --config-dir of geozoo train"
MODEL = "trained model of the zoo, run folder (its best checkpoint) or checkpoint file"


@dataclass(frozen=True, kw_only=True)
class List(Arguments):
    """Models, datasets, trained models and recipes."""

    section: str | None = key(
        "one section in full; default: an overview of all", default=None, place="alone",
        choices=("models", "datasets", "trained", "recipes"),
    )  # fmt: skip
    config_dir: Path | None = key(CONFIG_DIR, default=None)


@dataclass(frozen=True, kw_only=True)
class Record(Arguments):
    """Append finished runs to the results of their model."""

    checkpoint: tuple[str, ...] = key("run folders that differ only in the seed", place="rest")
    force: bool = key("also accept runs of uncommitted code", default=False, former=("--force",))
    examples = ("geozoo record runs/ponita-nbody/<run> runs/ponita-nbody/<run>",)


@dataclass(frozen=True, kw_only=True)
class Cards(Arguments):
    """Regenerate the results tables of the cards."""


@dataclass(frozen=True, kw_only=True)
class Results(Arguments):
    """Recorded runs with their ids."""

    terms: tuple[str, ...] = key(
        "search terms for id, model, recipe, data or device; all must match",
        default=(),
        place="rest",
    )
    examples = ("geozoo results ponita nbody",)


@dataclass(frozen=True, kw_only=True)
class Table(Arguments):
    """Published numbers of a dataset next to ours."""

    data: str = key("dataset, or a common prefix of several: pems", place="alone")
    variants: tuple[str, ...] = key(
        "molecules, targets or variants; default: all", default=(), place="rest"
    )
    format: str = key(
        "output format", default="terminal", former=("--format",),
        choices=("terminal", "markdown", "csv", "latex"),
    )  # fmt: skip
    picture: Path | None = key(
        "draw the table to a file instead: .png, .svg or .pdf", default=None, former=("--picture",)
    )
    examples = (
        "geozoo table nbody",
        "geozoo table rmd17 aspirin ethanol format=csv",
        "geozoo table qm9 homo picture=homo.png",
    )


@dataclass(frozen=True, kw_only=True)
class Reproduce(Arguments):
    """Run the command of a recorded run again and compare."""

    id: str = key("id of the recorded run; see `geozoo results`", place="alone")
    runs: Path = key("folder that holds the run folders", default=Path("runs"), former=("--runs",))
    dry_run: bool = key("only print what would be done", default=False, former=("--dry-run",))
    examples = ("geozoo reproduce 9bb205 dry_run=true",)


@dataclass(frozen=True, kw_only=True)
class Evaluate(Arguments):
    """Test a checkpoint or a trained model, on its own dataset or on another one."""

    checkpoint: str = key(MODEL, place="alone")
    save: bool = key(
        "write result.csv (with the changed keys), plots and summary into the run folder",
        default=False, former=("--save",),
    )  # fmt: skip
    batch_size: int | None = key(
        "graphs or windows per batch (dataset.loader.eval_batch_size)", default=None, least=1
    )
    config_dir: Path | None = key(CONFIG_DIR, default=None)
    changes: tuple[str, ...] = key(
        "plus dataset=..., protocol=..., or any key below dataset, task or trainer", default=(),
        place="others", also=("dataset", "protocol"),
    )  # fmt: skip
    examples = (
        "geozoo evaluate runs/ponita-nbody/<run>",
        "geozoo evaluate checkpoint=runs/ponita-nbody/<run>/checkpoints/last.ckpt",
        "geozoo evaluate runs/ponita-nbody/<run> save=true   # after test=false, or a stopped test",
        "geozoo evaluate runs/ponita-rmd17/<run> task.test_rotations=20 trainer.accelerator=cpu",
        "geozoo evaluate ponita-rmd17_ethanol dataset=rmd17 dataset.molecule=malonaldehyde",
        "geozoo evaluate stid-los_loop protocol=stsgcn",
    )


def _most_samples() -> int:
    from geozoo.tasks import MAX_SAMPLES

    return MAX_SAMPLES


@dataclass(frozen=True, kw_only=True)
class Sample(Arguments):
    """Sample molecules from a trained diffusion model and write them to a file."""

    checkpoint: str = key(MODEL, place="alone")
    n: int = key("number of molecules", default=1000, least=1, most=_most_samples)
    out: Path = key(
        "file to write: .sdf (bonds from distances) or .xyz", default=Path("molecules.sdf")
    )
    seed: int = key("random seed of molecule sizes and noise", default=0, least=0, most=2**63 - 1)
    batch_size: int = key(
        "molecules per batch", default=100, least=1, most=10**6, former=("batch",)
    )
    examples = (
        "geozoo sample checkpoint=runs/ponita-qm9_generation/<run> n=1000 out=molecules.sdf",
        "geozoo sample checkpoint=ponita-qm9_generation n=100 out=molecules.sdf",
        "geozoo sample checkpoint=last.ckpt n=100 out=molecules.xyz seed=1",
    )


#: Keys that describe the format of a table, where it differs from training.
TABLE_KEYS = (
    "zero_is_missing", "missing", "separator", "decimal", "time_column", "clock_column",
    "time_format", "time_zone", "drop", "sensor_column", "value_column",
)  # fmt: skip


#: Those of these keys that a dataset has at its top level, outside ``form``.
_RULE = ("zero_is_missing", "missing")


def _table_key(name: str, help: str, default: Any = None) -> Any:
    """A key that describes the format of a table; the prefix it has in training is accepted too."""
    also = [f"dataset.{name}"] if name in _RULE else [f"dataset.{name}", f"dataset.form.{name}"]
    return key(help, default=default, also=also)


@dataclass(frozen=True, kw_only=True)
class Predict(Arguments):
    """Predict for your own structures, arrays or sensor readings."""

    checkpoint: str = key(
        f"{MODEL}; several, separated by commas, for mean and spread", place="alone"
    )
    input: Path = key(
        "structures (any file that ASE reads), arrays (.npz), a point cloud or readings (.csv)"
    )
    out: Path = key("file to write: .extxyz, .xyz, .npz or .csv", former=("output",))
    ignore_cell: bool = key("treat periodic structures as non-periodic", default=False)
    any_composition: bool = key(
        "predict energies of compositions that the training set does not determine", default=False
    )
    forces_std: bool = key(
        "also write standard deviations of forces, which take one backward pass per weight of the "
        "last layers (needs `geozoo uncertainty`)", default=False,
    )  # fmt: skip
    tabulate: bool = key(
        "read the kernels of a PONITA from tables: an approximation, faster for many graphs",
        default=False,
    )  # fmt: skip
    length_unit: str | None = key(
        "unit of positions in a structure file; default: that of the training files",
        default=None, choices=("angstrom", "bohr"),
    )  # fmt: skip
    frames: int | None = key(
        "number of frames to predict after a trajectory; beyond the horizon, predictions are fed "
        "back; default: the horizon", default=None, least=1,
    )  # fmt: skip
    last_frame: int | None = key(
        "frame of a trajectory after which to predict; errors are shown for later frames of the "
        "file; default: its last frame", default=None,
    )  # fmt: skip
    zero_is_missing: bool = _table_key("zero_is_missing", "treat zeros as missing readings", False)
    missing: tuple[float, ...] = _table_key(
        "missing", "values that mark missing readings: [-9999,-1]", ()
    )
    separator: str | None = _table_key("separator", "column separator")
    decimal: str | None = _table_key("decimal", "decimal sign")
    time_column: str | None = _table_key("time_column", "name of the time column")
    clock_column: str | None = _table_key("clock_column", "name of the time-of-day column")
    time_format: str | None = _table_key("time_format", "format of the times, as for strptime")
    time_zone: str | None = _table_key("time_zone", "time zone of the times: Europe/Berlin")
    drop: tuple[str, ...] = _table_key("drop", "columns that are not sensors: [a,b]", ())
    sensor_column: str | None = _table_key(
        "sensor_column", "sensor column, for one reading per row"
    )
    value_column: str | None = _table_key("value_column", "value column, for one reading per row")
    examples = (
        "geozoo predict checkpoint=ponita-rmd17_ethanol input=frames.xyz out=forces.extxyz",
        "geozoo predict checkpoint=runs/ponita-nbody/<run> input=systems.npz out=positions.npz",
        "geozoo predict checkpoint=runs/egnn-trajectories/<run> input=walk.csv out=next.csv",
        "geozoo predict checkpoint=stid-los_loop input=last_hour.csv out=next_hour.csv",
        "geozoo predict checkpoint=run_0,run_1,run_2 input=... out=...   # mean and spread",
    )

    @property
    def table(self) -> Mapping[str, Any]:
        """The table keys that are given, as `geozoo.data.TableForm` takes them."""
        values = {name: getattr(self, name) for name in TABLE_KEYS if name in self.given}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


@dataclass(frozen=True, kw_only=True)
class Uncertainty(Arguments):
    """Compute standard deviations of energies and forces for a trained potential."""

    checkpoint: str = key("run folder (its best checkpoint) or checkpoint file", place="alone")
    force_structures: int = key(
        "maximum number of training and of validation structures whose forces are used",
        default=200, least=1,
    )  # fmt: skip
    batch_size: int = key("structures per batch", default=20, least=1)
    examples = (
        "geozoo uncertainty runs/painn-rmd17/<run>",
        "geozoo predict checkpoint=runs/painn-rmd17/<run> input=... out=...   # with energy_std",
    )


@dataclass(frozen=True, kw_only=True)
class Export(Arguments):
    """Export a trained model as a program that runs without geozoo."""

    checkpoint: str = key(MODEL, place="alone")
    out: Path = key("file to write: .pt2 (torch.export), or .onnx for a forecaster", place="former")
    compiled: bool = key(
        "compile to native code with AOTInductor", default=False, former=("--compiled",)
    )
    examples = (
        "geozoo export ponita-rmd17_ethanol out=model.pt2",
        "geozoo export stid-los_loop out=model.onnx",
    )


@dataclass(frozen=True, kw_only=True)
class Diff(Arguments):
    """Show what differs between two trained models: settings, weights and predictions."""

    first: str = key(MODEL, place="alone")
    second: str = key("the other one", place="alone")
    input: Path | None = key(
        "file of structures for which the predictions are compared", default=None
    )
    all: bool = key("list all weights that differ, not only the most different", default=False)
    examples = (
        "geozoo diff runs/painn-rmd17/<run> ponita-rmd17_ethanol",
        "geozoo diff sevennet-0 runs/nequip-extxyz/<run> input=frames.xyz",
    )


@dataclass(frozen=True, kw_only=True)
class Publish(Arguments):
    """Package the model of a finished run for publication."""

    checkpoint: str = key("run folder; its best checkpoint is published", place="alone")
    out: Path | None = key("folder to create; default: ./<name>", default=None, former=("--out",))
    name: str | None = key(
        "name of the model; default: model and dataset", default=None, former=("--name",)
    )
    licence: str = key("licence of the weights", default="MIT", former=("--licence",))
    mirror: tuple[str, ...] = key(
        "URLs of the weights file: model.json alone is then enough",
        default=(), former=("--mirror",),
    )  # fmt: skip
    orientations: int | None = key(
        "orientations of a model trained with elastic=true; default: all", default=None, least=1
    )
    num_layers: int | None = key("its layers; default: all", default=None, least=1)
    width: float | None = key(
        "fraction of its channels; default: 1", default=None, least=0.0, most=1.0
    )
    examples = (
        "geozoo publish runs/ponita-nbody/<run> out=my-model licence=CC-BY-4.0",
        "geozoo publish runs/ponita-nbody/<run> orientations=8 num_layers=3 width=0.5",
    )
