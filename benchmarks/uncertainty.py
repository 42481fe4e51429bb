"""Predicted standard deviations of energies and forces next to errors, and next to an ensemble.

    python -m benchmarks.uncertainty                 # needs rMD17 in the data folder
    python -m benchmarks.uncertainty record=true

Two potentials (PaiNN) of ethanol, each an ensemble of runs with different seeds:

    official   trained on split official-01 of rMD17; tested on its test split, of the same
               temperature, and on malonaldehyde: other molecules of the same elements and labels
    cold       trained on frames from the half with the lower energies; tested on other frames of
               that half, and on the quarter with the highest energies

Energies of malonaldehyde are compared up to a constant, which the training set does not determine.
The posterior is that of the first run of each ensemble. ``calibrated`` spreads of ensembles are
multiplied by one factor, that of the largest likelihood on the validation split.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import Tensor

from benchmarks._record import record
from geozoo.data import RMD17, GraphDataModule, GraphStore, LoaderOptions
from geozoo.hub import Ensemble, TrainedModel, load
from geozoo.hub.structures import allow_any_composition
from geozoo.hub.uncertainty import (
    Comparison,
    Work,
    compare,
    extrapolations,
    fit_uncertainty,
    potential_of,
)
from geozoo.report.screen import Screen
from geozoo.report.sheet import Sheet
from geozoo.runs.evaluation import data_of_run

OPTIONS = {
    "members": 4,
    "epochs": 12,  # of the official split; the cold frames, half as many, get twice as many
    "hidden_channels": 32,
    "batch_size": 10,
    "structures": 500,  # tested per set, at most
    "folder": "runs/uncertainty",  # runs that exist there are used again
    "record": False,
}
_SIZES = ("members", "epochs", "hidden_channels", "batch_size", "structures")
_TRAIN, _VAL, _SEED = 450, 50, 0
Found = dict[str, dict[str, Comparison]]


def molecule(name: str) -> GraphDataModule:
    """Split official-01 of a molecule of rMD17."""
    return RMD17(loader=LoaderOptions(batch_size=10), molecule=name, download=False)


def cold_files(folder: Path) -> dict[str, Path]:
    """Frames of ethanol by energy, as files: ``train``, ``val``, ``test`` (cold) and ``hot``."""
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    files = {part: folder / f"{part}.extxyz" for part in ("train", "val", "test", "hot")}
    if all(path.is_file() for path in files.values()):
        return files
    folder.mkdir(parents=True, exist_ok=True)
    store = molecule("ethanol").store
    assert isinstance(store, GraphStore)
    everything = store.gather(torch.arange(len(store)))
    count = len(store)
    order = everything.energy.argsort().numpy()
    low = np.random.default_rng(_SEED).permutation(order[: count // 2])
    parts = {
        "train": low[:_TRAIN], "val": low[_TRAIN : _TRAIN + _VAL], "test": low[_TRAIN + _VAL :],
        "hot": order[3 * count // 4 :],
    }  # fmt: skip
    for part, rows in parts.items():
        frames = []
        for row in rows.tolist():
            one = store.gather(torch.tensor([row]))
            atoms = Atoms(one.z.numpy(), one.pos.double().numpy())
            atoms.calc = SinglePointCalculator(
                atoms, energy=1e-3 * one.energy.item(), forces=1e-3 * one.forces.double().numpy()
            )
            frames.append(atoms)
        write(files[part], frames, format="extxyz")
    return files


def train(folder: Path, options: Any, epochs: int, *words: str) -> list[Path]:
    """The runs of an ensemble; trained unless they exist."""
    runs = [folder / f"seed{seed}" for seed in range(options.members)]
    for seed, run in enumerate(runs):
        if (run / "checkpoints" / "last.ckpt").is_file():
            continue
        command = [
            sys.executable, "-m", "geozoo.cli.main", "train", "model=painn", "model.num_layers=2",
            "recipe=none", "trainer=quick", "trainer.accelerator=cpu", "test=false",
            f"trainer.max_epochs={epochs}",
            "trainer.check_val_every_n_epoch=4", f"model.hidden_channels={options.hidden_channels}",
            f"dataset.loader.batch_size={options.batch_size}", "task.energy_weight=0.1",
            f"seed={seed}", f"run_dir={run}", *words,
        ]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return runs


def chosen(index: Tensor, options: Any) -> Tensor:
    """At most so many structures of a set, evenly spaced."""
    if len(index) <= options.structures:
        return index
    return index[torch.linspace(0, len(index) - 1, options.structures).long()]


def predictors(
    runs: list[Path], datamodule: GraphDataModule, options: Any
) -> tuple[dict[str, TrainedModel | Ensemble], dict[str, float]]:
    """The models to compare, and CPU seconds of each posterior."""
    store = datamodule.store
    assert isinstance(store, GraphStore)
    members = [load(run) for run in runs]
    found: dict[str, TrainedModel | Ensemble] = {"ensemble": Ensemble(members)}  # type: ignore[arg-type]
    seconds = {}
    for name in ("last layer", "last layer, F of energies"):
        model = load(runs[0])
        assert isinstance(model, TrainedModel)
        work = Work.of(store, datamodule.splits, potential_of(model))
        if name != "last layer":
            work = replace(work, train_forces=work.train[:0])
        started = time.process_time()
        model.uncertainty = fit_uncertainty(model, store, work)
        model.gives_force_std = True
        seconds[name] = time.process_time() - started
        found[name] = model
    for model in found.values():
        allow_any_composition(model)
    return found, seconds


def measured(
    models: dict[str, TrainedModel | Ensemble], store: GraphStore, index: Tensor, *,
    is_shifted: bool = False,
) -> Found:  # fmt: skip
    """Errors and standard deviations of each model on some structures."""
    found = {}
    for name, model in models.items():
        found[name] = compare(model.predict, potential_of(model.members[0]), store, index)
        if is_shifted:
            energy = found[name]["energy"]
            found[name]["energy"] = Comparison(energy.error - energy.error.mean(), energy.std)
    return found


def beyond(model: Any, std: Tensor, num_nodes: Tensor) -> float | None:
    """The fraction of structures that are reported as extrapolations."""
    if not isinstance(model, TrainedModel):
        return None
    found = extrapolations(model, {"energy_std": std}, num_nodes)
    return len(found) / len(std)


def with_calibrated(found: Found, val: Found) -> Found:
    """The comparisons, with the spread of the ensemble also calibrated on the validation split."""
    scaled = {}
    for name, each in val["ensemble"].items():
        factor = (each.error / each.std).square().mean().sqrt()
        scaled[name] = replace(found["ensemble"][name], std=factor * found["ensemble"][name].std)
    return {**found, "ensemble, calibrated": scaled}


def sets_of(
    experiment: str, options: Any
) -> tuple[list[Path], GraphDataModule, dict[str, tuple[GraphStore, Tensor]]]:
    """The runs of an experiment, their data, and the sets of structures to test."""
    folder = Path(options.folder).absolute()
    if experiment == "official":
        words = ("dataset=rmd17", "dataset.molecule=ethanol", "dataset.download=false")
        runs = train(folder / experiment, options, options.epochs, *words)
        other = molecule("malonaldehyde")
        extra = {"malonaldehyde": (other.store, chosen(other.splits["test"], options))}
    else:
        files = cold_files(folder / "frames")
        words = (
            "dataset=extxyz", f"dataset.path={files['train']}", f"dataset.val_path={files['val']}",
            f"dataset.test_path=[{files['test']},{files['hot']}]",
        )  # fmt: skip
        runs = train(folder / experiment, options, 2 * options.epochs, *words)
        extra = {}
    _, datamodule = data_of_run(str(runs[0]))
    store = datamodule.store
    assert isinstance(store, GraphStore)
    if experiment == "official":
        sets = {"ethanol, test": (store, chosen(datamodule.splits["test"], options))}
    else:
        names = ("cold, test", "hot")
        parts = datamodule.test_parts.values()
        sets = {
            name: (store, chosen(part, options)) for name, part in zip(names, parts, strict=True)
        }
    return runs, datamodule, {**sets, **extra}  # type: ignore[dict-item]


def main() -> None:
    given = OmegaConf.from_dotlist(sys.argv[1:])
    if unknown := sorted(set(map(str, given)) - set(OPTIONS)):
        raise SystemExit(f"unknown arguments {unknown}; known: {', '.join(OPTIONS)}")
    options = OmegaConf.merge(OmegaConf.create(OPTIONS), given)
    sheet = Sheet(
        "set", "quantity", "method", "RMSE", "mean std", "within 68 % [%]", "within 95 % [%]",
        "Spearman", "beyond [%]",
    )  # fmt: skip
    for experiment in ("official", "cold"):
        runs, datamodule, sets = sets_of(experiment, options)
        models, seconds = predictors(runs, datamodule, options)
        store = datamodule.store
        assert isinstance(store, GraphStore)
        val = measured(models, store, datamodule.splits["val"])
        for name, (graphs, index) in sets.items():
            found = with_calibrated(
                measured(models, graphs, index, is_shifted=name == "malonaldehyde"), val
            )
            for quantity in ("energy", "force"):
                for method, each in found.items():
                    row: dict[str, Any] = dict(each[quantity].summary)
                    if quantity == "energy":
                        sizes = graphs.num_nodes[index]
                        row["beyond"] = beyond(models.get(method), each["energy"].std, sizes)
                    share = row.get("beyond")
                    sheet.add(
                        name, quantity, method, f"{row['rmse']:.4g}", f"{row['mean_std']:.4g}",
                        f"{100 * row['coverage_68']:.1f}", f"{100 * row['coverage_95']:.1f}",
                        f"{row['spearman']:.2f}", "" if share is None else f"{100 * share:.1f}",
                    )  # fmt: skip
                    if options.record:
                        given_sizes = {key: options[key] for key in _SIZES}
                        facts = {"experiment": experiment, "set": name, "quantity": quantity}
                        fit = {"fit_cpu_s": seconds.get(method)}
                        record(
                            "uncertainty", {**facts, "method": method, **row, **fit, **given_sizes}
                        )
    Screen().show(sheet)


if __name__ == "__main__":
    main()
